"""restante and the distribution's Dovecot over one Maildir: in turns, by script and at random, and at the same time.

RESTANTE_STEPS steps (150) for RESTANTE_SEED (1); each is followed by a comparison of both servers with a model of what
must be there (turns.py). A failure prints the seed and the steps: the same variables play the same steps again.
"""
import os

import harness
from at_once import Place, randomly
from harness import Server
from peers import Dovecot, Restante, dovecot_is_here

STEPS = int(os.environ.get("RESTANTE_STEPS", "150"))
SEED = int(os.environ.get("RESTANTE_SEED", "1"))
STEPS_AT_ONCE = 250
SECONDS_AT_ONCE = 3


class Both(Place):
    def __init__(self, machine, location=""):
        self.location = location
        super().__init__(machine, SEED)

    def servers(self):
        return [Restante("restante", Server(self.machine)), Dovecot(self.machine, self.mail, self.location)]


def test_random(machine):
    """Dovecot's index is where it is by default, in the Maildir."""
    randomly(Both(machine), STEPS, STEPS_AT_ONCE, SECONDS_AT_ONCE)


TESTS = [test_random]
if __name__ == "__main__":
    if dovecot_is_here():
        harness.main("turns_dovecot", TESTS)
    else:
        print("no Dovecot here: nothing to compare with\nturns_dovecot: 0 passed, 0 failed")
