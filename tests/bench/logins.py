"""What a login and an idle connection cost."""
import contextlib
import os
import time

from servers import Client

N = int(os.environ.get("N", "300"))


def private_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith(("Private_Dirty:", "Private_Clean:")):
                    total += int(line.split()[1])
    return total


def per_operation(run, operation):
    operation(0)  # the first time is not counted: caches, Maildirs, spares
    time.sleep(1)
    return run.usec(lambda: [operation(i) for i in range(N)], settle=1) / N  # what is done behind the client's back counts too


def turns(run):
    return lambda i: run.machine.bench_users[i % len(run.machine.bench_users)]


def handshake(run):
    client = Client(run.machine, run.server)
    return per_operation(run, lambda i: client.tls("imaps").close())


def login(run):
    client, user = Client(run.machine, run.server), turns(run)
    return per_operation(run, lambda i: client.imap_once(user(i)))


def login_again(run):
    client = Client(run.machine, run.server)
    with client.imap_login("alice"):
        return per_operation(run, lambda i: client.imap_once("alice"))


def visit(run):
    client, user = Client(run.machine, run.server), turns(run)
    return per_operation(run, lambda i: client.imap_visit(user(i)))


def pop3(run):
    client, user = Client(run.machine, run.server), turns(run)
    return per_operation(run, lambda i: client.pop3_once(user(i)))


def idle(run, users):
    client = Client(run.machine, run.server)
    before = private_kib(run.server.pids())
    held = [client.imap_login(user) for user in users]
    time.sleep(1)
    kib = (private_kib(run.server.pids()) - before) / len(held)
    for s in held:
        s.close()
    time.sleep(2)
    return kib


BENCHES = [
    ("handshake", "TLS handshake and greeting only", "us", handshake),
    ("login", "IMAPS login and logout, many users in turn", "us", login),
    ("login-again", "IMAPS login and logout, user already connected", "us", login_again),
    ("visit", "IMAPS login, SELECT, FETCH one, logout", "us", visit),
    ("pop3", "POP3S login, STAT, QUIT", "us", pop3),
    ("idle-one-user", "idle IMAPS connection, one user, private", "KiB", lambda run: idle(run, ["alice"] * 100)),
    ("idle-users", "idle IMAPS connection, a user each, private", "KiB", lambda run: idle(run, run.machine.idle_users)),
]
