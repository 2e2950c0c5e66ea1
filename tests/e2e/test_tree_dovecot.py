#!/usr/bin/env python3
"""Mailboxes and subscriptions, changed in turn by restante and by the real Dovecot over the same Maildir: after each step
both list the same mailboxes, children, subscriptions and status. Dovecot's imap program is run on standard input and
output, with listescape; one run for each hierarchy separator by script, one at random by SEED (STEPS steps, 60)."""
import os
import random
import re
import shutil
import socket
import subprocess

import harness
from harness import Server, check, equal

IMAP = os.environ.get("DOVECOT_IMAP", "/usr/lib/dovecot/imap")
SEED = int(os.environ.get("SEED", "20"))
STEPS = int(os.environ.get("STEPS", "60"))
USER = "alice"
NIHONGO, SHITAGAKI = "&ZeVnLIqe-", "&Tgtm+DBN-"


class Client:
    """One logged-in connection; reads and writes are files."""

    def __init__(self, reads, writes, close):
        self.reads, self.writes, self.close = reads, writes, close
        self.tag = 0

    def line(self):
        line = self.reads.readline()
        check(line.endswith(b"\r\n"), "connection ended", line)
        line = line[:-2]
        literal = re.search(rb"\{(\d+)\}$", line)
        return line if not literal else line + b"\n" + self.reads.read(int(literal.group(1))) + self.line()

    def ask(self, command):
        """The status word of the tagged response, and the untagged lines."""
        self.tag += 1
        tag = b"t%d" % self.tag
        self.writes.write(tag + b" " + command.encode() + b"\r\n")
        self.writes.flush()
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return line.split(b" ")[1].decode(), untagged
            untagged.append(line.decode())


class Both:
    """The Maildir, and both servers over it."""

    def __init__(self, machine, separator):
        self.uid = harness.USERS[USER][0]
        self.mail = machine.path("home", USER, "Maildir")
        shutil.rmtree(self.mail, ignore_errors=True)
        machine.maildir(USER, [b"Subject: one\n\none\n", b"Subject: two\n\ntwo\n"])
        self.home = machine.path("home", USER, "dovecot-" + ("slash" if separator == "/" else "dot"))
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        os.chown(self.home, self.uid, self.uid)
        self.separator = separator
        self.write_conf()
        self.server = Server(machine, mail={"hierarchy-separator": separator})
        s = self.server.tls().wrap_socket(self.server.connect("imaps"), server_hostname="localhost")
        self.ours = Client(s.makefile("rb"), s.makefile("wb"), lambda: s.shutdown(socket.SHUT_RDWR))
        self.ours.line()
        equal(self.ours.ask(f'LOGIN {USER} "{self.server.password(USER)}"')[0], "OK", "login")

    def write_conf(self):
        with open(os.path.join(self.home, "dovecot.conf"), "w") as f:
            f.write(f"protocols = imap\nbase_dir = {self.home}/run\nlog_path = {self.home}/log\nssl = no\nmail_home = {self.home}\n"
                    f"mail_location = maildir:{self.mail}:INDEX=MEMORY\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nmail_uid = {self.uid}\n"
                    f"mail_gid = {self.uid}\nmail_plugins = listescape\n"
                    f"namespace inbox {{\n  inbox = yes\n  separator = {self.separator}\n}}\n")

    def theirs(self):
        process = subprocess.Popen([IMAP, "-c", os.path.join(self.home, "dovecot.conf")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, cwd=self.home,
                                   env={"USER": USER, "HOME": self.home, "PATH": "/usr/bin:/bin"})

        def close():
            process.stdin.close()
            process.stdout.read()
            process.wait()
            process.stdout.close()
        client = Client(process.stdout, process.stdin, close)
        client.line()
        return client

    def change(self, who, command):
        """One command by one of the two. Returns its status word."""
        if who == "ours":
            return self.ours.ask(command)[0]
        client = self.theirs()
        status = client.ask(command)[0]
        client.close()
        return status

    def compare(self, after):
        client = self.theirs()
        try:
            equal(view(self.ours), view(client), f"after {after}")
        finally:
            client.close()

    def step(self, who, command, want="OK"):
        equal(self.change(who, command), want, f"{who}: {command}")
        self.compare(f"{who}: {command}")


def name_in(line):
    """The name at the end of a LIST or LSUB response."""
    rest = line.split(") ", 1)[1].split(" ", 1)[1]
    if rest.startswith("{"):
        return rest.split("\n", 1)[1]
    return rest[1:-1].replace("\\\\", "\\").replace('\\"', '"') if rest.startswith('"') else rest


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def attributes(line):
    found = set(line.split("(", 1)[1].split(")", 1)[0].split())
    return tuple(sorted({"\\Noselect" if a == "\\NonExistent" else a for a in found
                         if a in ("\\Noselect", "\\NonExistent", "\\HasChildren", "\\HasNoChildren")}))


def view(client):
    """What a client is shown of the tree."""
    mailboxes = {name_in(l): attributes(l) for l in client.ask('LIST "" "*"')[1] if l.startswith("* LIST")}
    out = {"mailboxes": mailboxes}
    for pattern in ("%", "%/%", "*/%", "a*", "INBOX%"):
        out["list " + pattern] = sorted(name_in(l) for l in client.ask(f'LIST "" "{pattern}"')[1] if l.startswith("* LIST"))
    for pattern in ("*", "%"):
        out["lsub " + pattern] = {name_in(l): attributes(l) for l in client.ask(f'LSUB "" "{pattern}"')[1] if l.startswith("* LSUB")}
    for name, attrs in mailboxes.items():
        if "\\Noselect" not in attrs:
            status, lines = client.ask(f"STATUS {quoted(name)} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")
            equal(status, "OK", f"STATUS {name}")
            values = lines[-1].rsplit("(", 1)[1].rstrip(")").split()
            out["status " + name] = dict(zip(values[::2], values[1::2]))
    return out


def other(who):
    return "theirs" if who == "ours" else "ours"


def run_script(both, first):
    """Every kind of change by each of the two; names of each begin with a letter of their own."""
    p, q, s = first[0], other(first), both.separator
    dotted = f"{p}.x" if s == "/" else f"{p}/x"
    both.step(first, f"CREATE {p}1")
    both.step(first, f"CREATE {p}1", "NO")
    both.step(q, f"CREATE {p}1", "NO")
    both.step(first, f"CREATE {p}2{s}b{s}c")
    both.step(first, f"CREATE {NIHONGO}{p}{s}{SHITAGAKI}")
    both.step(first, f'CREATE "{dotted}"')
    both.step(first, f'CREATE "{p}\\\\y{s}~z"')
    both.step(first, f'CREATE "inbox{s}{p}"')
    both.step(first, f'CREATE "{p} s&-p"')
    for name in (f"{p}1", f"{p}2{s}b{s}c", f"{NIHONGO}{p}{s}{SHITAGAKI}", dotted, f"{p}\\y{s}~z", f"INBOX{s}{p}", "INBOX"):
        both.step(first, f"SUBSCRIBE {quoted(name)}")
    both.step(first, f"SUBSCRIBE {p}none", "NO")
    both.step(q, f'UNSUBSCRIBE "{dotted}"')
    both.step(q, f"RENAME {p}2 {p}3{s}deep")
    both.step(first, f"RENAME {p}3 {p}2")
    both.step(first, f"RENAME {p}1 {NIHONGO}{p}{s}{SHITAGAKI}", "NO")
    both.step(first, f"RENAME {p}1 {p}1{s}x", "NO")
    both.step(first, f"CREATE {p}1{s}kid")
    both.step(q, f"DELETE {p}1")
    both.step(first, f"CREATE {p}1")
    both.step(first, f"DELETE {p}1")
    both.step(q, f"CREATE {p}1")
    both.step(q, f"DELETE {p}1{s}kid")
    both.step(first, "DELETE INBOX", "NO")
    both.step(first, f"DELETE {p}nothing", "NO")
    both.step(first, f'RENAME "{dotted}" {NIHONGO}')
    both.step(q, f"DELETE {NIHONGO}")


def test_slash(machine):
    both = Both(machine, "/")
    run_script(both, "ours")
    run_script(both, "theirs")


def test_dot(machine):
    both = Both(machine, ".")
    run_script(both, "ours")
    run_script(both, "theirs")


def test_rename_inbox(machine):
    """Only restante can; Dovecot must find everything where it is then."""
    both = Both(machine, "/")
    both.step("ours", "CREATE INBOX/stays")
    both.step("ours", "RENAME INBOX Old/All")
    both.step("theirs", "RENAME Old/All Older")


def test_version_1(machine):
    """A file of subscriptions of the first version stays one."""
    both = Both(machine, "/")
    for name in ("a", "b/c"):
        both.step("theirs", f"CREATE {name}")
    path = os.path.join(both.mail, "subscriptions")
    with open(path, "w") as f:
        f.write("a\nb.c\n")
    os.chown(path, both.uid, both.uid)
    both.step("ours", "CREATE d/e")
    both.step("ours", "SUBSCRIBE d/e")
    with open(path) as f:
        equal(f.read(), "a\nb.c\nd.e\n")
    both.step("ours", "UNSUBSCRIBE b/c")


def test_random(machine):
    both = Both(machine, "/")
    r = random.Random(SEED)
    levels = ["a", "b", "x.y", NIHONGO, "~t", "s p", "q\\r", "INBOX"]

    def name():
        return quoted("/".join(r.choice(levels) for _ in range(r.choice((1, 1, 2, 3)))))

    made = 0
    for number in range(STEPS):
        verb = r.choice(("CREATE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE"))
        first = name()
        if verb == "RENAME" and first == '"INBOX"':
            continue
        command = f"{verb} {first}" + (f" {name()}" if verb == "RENAME" else "")
        who = r.choice(("ours", "theirs"))
        made += both.change(who, command) == "OK"
        both.compare(f"step {number} of seed {SEED}, {who}: {command}")
    check(made > STEPS / 4, "most of it failed", made)


if __name__ == "__main__":
    if os.path.exists(IMAP):
        harness.main("tree_dovecot", [test_slash, test_dot, test_rename_inbox, test_version_1, test_random])
    else:
        print("no Dovecot here: nothing to compare with\ntree_dovecot: 0 passed, 0 failed")
