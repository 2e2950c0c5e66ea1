#!/usr/bin/env python3
"""The settings of the quota and of [imap], in the whole server: over quota IMAP refuses, POP3 does not care; and what lies on the
disk belongs to the user, under the sandbox."""
import imaplib
import os
import shutil

import harness
from harness import Server, check, equal

USER = "alice"
BIG = b"Subject: big\n\n" + b"x" * 3000 + b"\n"


def fresh(machine, messages=()):
    path = machine.path("home", USER, "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    machine.maildir(USER, list(messages))
    return path


def read(path, name="maildirsize"):
    with open(os.path.join(path, name)) as f:
        return f.read()


def ask(m, command, *words):
    """A command imaplib does not know: the tagged status, and its text."""
    typ, answer = m._simple_command(command, *words)
    return typ, answer[0].decode()


def test_limits(machine):
    path = fresh(machine, [BIG, BIG])
    server = Server(machine, mail={"quota-storage": "8K", "quota-messages": "10", "quota-ignore": "Trash, Junk"})
    m = server.imap(USER)
    equal(m.getquotaroot("INBOX")[1][1], [b'"User quota" (STORAGE 6 8 MESSAGE 2 10)'])
    equal(read(path), "8192S,10C\n%d 2\n" % (2 * len(BIG)))
    equal(os.stat(os.path.join(path, "maildirsize")).st_uid, harness.USERS[USER][0])
    status, data = m.append("INBOX", None, None, b"Subject: x\r\n\r\n" + b"x" * 5000)
    equal((status, data[0][:11]), ("NO", b"[OVERQUOTA]"))
    m.create("Trash")
    equal(m.append("Trash", None, None, b"Subject: x\r\n\r\n" + b"x" * 50000)[0], "OK")
    equal(m.append("INBOX", None, None, b"Subject: x\r\n\r\nsmall\r\n")[0], "OK")
    capability = m.capability()[1][0].decode().split()
    for name in ("QUOTA", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "METADATA", "CREATE-SPECIAL-USE"):
        check(name in capability, name, capability)
    check("QUOTASET" not in capability, "QUOTASET")
    m.logout()


def test_pop3(machine):
    """A maildrop over its quota is fetched and emptied; what goes is taken off."""
    path = fresh(machine, [BIG, BIG, BIG])
    server = Server(machine, mail={"quota-storage": "1K"})
    m = server.imap(USER)
    equal(m.append("INBOX", None, None, b"x")[0], "NO")
    m.logout()
    p = server.pop3(USER)
    equal(p.stat(), (3, 3 * len(BIG.replace(b"\n", b"\r\n"))))
    p.dele(1)
    p.dele(3)
    p.quit()
    equal(read(path).splitlines()[1:], ["%d 3" % (3 * len(BIG)), "-%d -2" % (2 * len(BIG))])


def test_admin(machine):
    fresh(machine)
    server = Server(machine, imap={"admin": "mailto:postmaster@example.org"})
    m = server.imap(USER)
    for verb in ("GETMETADATA", "SETMETADATA"):
        imaplib.Commands.setdefault(verb, ("AUTH", "SELECTED"))
    equal(ask(m, "GETMETADATA", '""', "(/shared/admin)")[0], "OK")
    equal(m.response("METADATA")[1], [b'"" (/shared/admin "mailto:postmaster@example.org")'])
    status, text = ask(m, "SETMETADATA", '""', '(/shared/admin "mailto:me@example.org")')
    check(status == "NO" and text.startswith("[NOPERM]"), status, text)
    m.logout()


if __name__ == "__main__":
    harness.main("quota", [test_limits, test_pop3, test_admin])
