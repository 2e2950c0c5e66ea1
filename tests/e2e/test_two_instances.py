"""Two restanted over one Maildir with an index each, as on two hosts that share a file system: in turns at random, and at
the same time. Each has a host name and process ids of its own, so that both come to the same process ids.

RESTANTE_STEPS steps (100) for RESTANTE_SEED (1), as in test_turns_dovecot.py.
"""
import os
import signal
import subprocess

import harness
from at_once import Contest, Place, everybody_at_once, randomly
from harness import Failed, Server, equal
from peers import Restante

STEPS = int(os.environ.get("RESTANTE_STEPS", "100"))
SEED = int(os.environ.get("RESTANTE_SEED", "1"))
STEPS_AT_ONCE = 250
SECONDS_AT_ONCE = 3
SECONDS_CONTESTED = max(5, STEPS // 50)


class Host(Server):
    """A restanted on a host of its own, as far as it can tell."""

    def __init__(self, machine, name, **sections):
        super().__init__(machine, start=False, mail={"index": "~/index-" + name}, **sections)
        self.args = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                     f"hostname {name} && exec {harness.BUILD}/restanted -c {self.config}"]
        self.start()

    def stop(self):
        """To process 1 there: unshare does not pass signals on."""
        children = open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()
        os.kill(int(children[0]), signal.SIGTERM)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("restanted did not stop\n" + self.log_text()[-3000:]) from None
        equal(status, 0, "exit status of restanted")
        harness.check_log_clean(self)


class TwoHosts(Place):
    names = ("north", "south")

    def __init__(self, machine):
        super().__init__(machine, SEED)

    def servers(self):
        return [Restante(name, Host(self.machine, name)) for name in self.names]


def test_two_hosts(machine):
    randomly(TwoHosts(machine), STEPS, STEPS_AT_ONCE, SECONDS_AT_ONCE)


def test_contested_moves(machine):
    """Few messages that connections to both hosts move to and fro: each is there once."""
    with TwoHosts(machine) as turns:
        everybody_at_once(turns, SECONDS_CONTESTED, 1, how=Contest)


TESTS = [test_two_hosts, test_contested_moves]
if __name__ == "__main__":
    harness.main("two_instances", TESTS)
