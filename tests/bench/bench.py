"""CPU of the whole server per operation, for restante and for Debian's Dovecot in the same run, as one table.

    make bench BENCH="NAME ..."       all of them without; --list names them; --json for programs
    N=300 LARGE=100000 MESSAGES=10000  logins; messages of the large mailbox, and of the usual one

Both servers use the same users, PAM stack, certificate, mail and client. Each number of operations is fixed, each answer
is waited for no longer than two minutes.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import time

import logins
import mailboxes
from servers import PAM, Dovecot, Restante, harness

WAIT_SECONDS = 20


class Run:
    """One server, one user's mail; what benches need of them."""

    def __init__(self, machine, server, template=None):
        self.machine, self.server, self.template = machine, server, template
        if template:
            self.user, self.uid, self.messages, self.octets = template.user, template.uid, template.messages, template.octets
            self.home = template.install()
            self.delivered = 0

    def usec(self, operation, settle=0.5):
        before = self.server.meter.usec(self.server.pid)
        operation()
        time.sleep(settle)
        return self.server.meter.usec(self.server.pid) - before

    def is_users(self, pid):
        try:
            return os.stat(f"/proc/{pid}").st_uid == self.uid
        except OSError:
            return False

    def wait_quiet(self):
        """The user's processes have ended: whoever comes next is a new one."""
        until = time.monotonic() + WAIT_SECONDS
        while any(map(self.is_users, self.server.pids())):
            assert time.monotonic() < until, "a process of the user stays"
            time.sleep(0.1)

    def deliver(self):
        self.delivered += 1
        text = mailboxes.mail.short(self.messages + self.delivered)
        directory = os.path.join(self.home, "tmp")
        path = os.path.join(directory, mailboxes.mail.name(10**8 + self.delivered, text))
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, self.uid, self.uid)
        os.rename(path, path.replace("/tmp/17", "/new/17").replace("/tmp/18", "/new/18"))

    def forget(self, all_of_it=False):
        """Remove what the server keeps beside the mail; with all_of_it, UIDs too."""
        self.wait_quiet()
        for name in os.listdir(self.home):
            path = os.path.join(self.home, name)
            if name == "restante.index":
                shutil.rmtree(path)
            elif re.match(r"dovecot\.(index|list)", name) or (all_of_it and name.startswith("dovecot-")):
                os.unlink(path)


def measure(run, benches, results):
    for name, _, _, bench in benches:
        started = time.monotonic()
        results.setdefault(name, {})[run.server.name] = bench(run)
        if os.environ.get("BENCH_VERBOSE"):
            print(f"{name} {run.server.name} {results[name][run.server.name]:.2f} ({time.monotonic() - started:.1f} s)", flush=True)


def run_servers(machine, kinds, benches, results, template=None):
    for kind in kinds:
        server = kind(machine, linger="1s" if template else "60s")
        try:
            measure(Run(machine, server, template), benches, results)
        finally:
            server.stop()


def prepare_logins(machine):
    machine.bench_users = [f"bench{n:03}" for n in range(100)]
    machine.idle_users = [f"bench{n:03}" for n in range(100, 200)]  # nobody of them logged in before
    for user in ["alice", *machine.bench_users, *machine.idle_users]:
        machine.maildir(user, harness.SAMPLES)


def run_all(machine, kinds, names):
    results = {}

    def chosen(benches):
        return [bench for bench in benches if not names or bench[0] in names]

    machine.pam_service("restante-bench", PAM)
    if chosen(logins.BENCHES):
        prepare_logins(machine)
        run_servers(machine, kinds, chosen(logins.BENCHES), results)
    for user, messages, maker, benches in mailboxes.SETS:
        if chosen(benches):
            template = mailboxes.Template(machine, user, messages, maker)
            run_servers(machine, kinds, chosen(benches), results, template)
            shutil.rmtree(template.directory)
    return results


def all_benches():
    return logins.BENCHES + [bench for *_, benches in mailboxes.SETS for bench in benches]


def print_table(results, kinds):
    version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True).stdout.split()[0] if len(kinds) > 1 else ""
    print("CPU of all processes of the server" + (f"; Dovecot {version}" if version else ""))
    print(f"{'':18}{'':58}" + "".join(f"{kind.name:>12}" for kind in kinds) + f"{'':>6}")
    for name, text, unit, _ in all_benches():
        if name in results:
            print(f"{name:18}{text:58}" + "".join(f"{results[name][kind.name]:12.2f}" for kind in kinds) + f"  {unit}")


def print_json(results):
    print(json.dumps([{"name": name, "text": text, "unit": unit, **results[name]}
                      for name, text, unit, _ in all_benches() if name in results], indent=1))


def own_machine():
    for n in range(200):
        harness.USERS[f"bench{n:03}"] = (21000 + n, "x")
    real_hash, harness.hash_password = harness.hash_password, lambda _: "*"
    try:
        return harness.Machine()
    finally:
        harness.hash_password = real_hash


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="run only these")
    parser.add_argument("--list", action="store_true", help="name all there are")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without Dovecot")
    args = parser.parse_args()
    if args.list:
        for name, text, unit, _ in all_benches():
            print(f"{name:18}{text}, {unit}")
        return
    unknown = set(args.names) - {bench[0] for bench in all_benches()}
    if unknown:
        parser.error("no such bench: " + " ".join(sorted(unknown)))
    harness.own_namespace()
    kinds = [Restante]
    if shutil.which("dovecot") and not args.alone:
        kinds.append(Dovecot)
    machine = own_machine()
    try:
        results = run_all(machine, kinds, args.names)
    finally:
        machine.close()
    print_json(results) if args.json else print_table(results, kinds)


if __name__ == "__main__":
    main()
