"""What searching costs: SEARCH by header field, flag, date and body, SORT and THREAD; CPU of the whole server per message.

    B=build python3 tests/bench/search.py      MESSAGES=10000

The mail is that of cards.py; Debian's Dovecot, where it is installed, serves the same. Each command runs once before it is
measured, so that what a server keeps is there.
"""
import os
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Client, Dovecot, Machine, Restante, harness
from cards import MESSAGES, USER, drain, fill

COMMANDS = [
    ("SEARCH UNSEEN", b"SEARCH UNSEEN"),
    ("SEARCH SINCE", b"SEARCH SINCE 1-Feb-2024"),
    ("SEARCH SUBJECT", b'SEARCH SUBJECT "no such subject"'),
    ("SEARCH SUBJECT, Japanese", 'SEARCH CHARSET UTF-8 SUBJECT "会議"'.encode()),
    ("SEARCH FROM", b"SEARCH FROM u123@example.com"),
    ("SEARCH OR FROM TO", b"SEARCH OR FROM nobody TO nobody"),
    ("SEARCH SENTSINCE", b"SEARCH SENTSINCE 2-Jan-2024"),
    ("SORT (SUBJECT)", b"SORT (SUBJECT) UTF-8 ALL"),
    ("SORT (REVERSE DATE FROM)", b"SORT (REVERSE DATE FROM) UTF-8 ALL"),
    ("THREAD REFERENCES", b"THREAD REFERENCES UTF-8 ALL"),
    ("THREAD ORDEREDSUBJECT", b"THREAD ORDEREDSUBJECT UTF-8 ALL"),
]
BODIES = [("BODY", b'SEARCH BODY "no such text"'), ("TEXT", b'SEARCH TEXT "no such text"')]


def measure(machine, server, octets):
    client = Client(machine, server)
    connection = client.imap_login(USER)
    rows = {}

    def usec(line):
        drain(connection, b"x " + line, b"x")
        time.sleep(0.3)
        before = server.meter.usec(server.pid)
        drain(connection, b"y " + line, b"y")
        time.sleep(0.3)
        return server.meter.usec(server.pid) - before

    drain(connection, b"s SELECT INBOX", b"s")
    for name, line in COMMANDS:
        rows[name + ", us a message"] = usec(line) / MESSAGES
    for name, line in BODIES:
        rows[f"SEARCH {name}, MB a second"] = octets / usec(line)
    connection.close()
    return rows


def main():
    harness.own_namespace()
    real_hash, harness.hash_password = harness.hash_password, lambda _: "*"
    machine = Machine()
    harness.hash_password = real_hash
    results = {}
    try:
        machine.pam_service("restante-bench", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
        for kind in [Restante] + ([Dovecot] if shutil.which("dovecot") else []):
            home = machine.path("home", USER, "Maildir")
            machine.maildir(USER)
            fill(home)
            octets = sum(entry.stat().st_size for entry in os.scandir(os.path.join(home, "cur")))
            server = kind(machine)
            try:
                results[kind.name] = measure(machine, server, octets)
            finally:
                server.stop()
            shutil.rmtree(home)
        print(f"{MESSAGES} messages; CPU of all processes of the server")
        print(f"{'':44}" + "".join(f"{name:>12}" for name in results))
        for row in results["restante"]:
            print(f"{row:44}" + "".join(f"{results[name][row]:12.2f}" for name in results))
    finally:
        machine.close()


if __name__ == "__main__":
    main()
