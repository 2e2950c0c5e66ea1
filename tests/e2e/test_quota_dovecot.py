#!/usr/bin/env python3
"""The quota in maildirsize, kept by restante and by the real Dovecot (its quota plugin) over the same Maildir: after each step,
made by one of the two, both say that the same is used, which is what lies there, and refuse the same. Limits stand in the
settings of both, or in the file only; Trash is not counted. One run at random by SEED (STEPS steps, 60)."""
import os
import random
import re
import shutil
import socket
import subprocess

import harness
from harness import Server, check, equal
from test_tree_dovecot import Client

IMAP = os.environ.get("DOVECOT_IMAP", "/usr/lib/dovecot/imap")
PLUGIN = "/usr/lib/dovecot/modules/lib10_quota_plugin.so"
SEED = int(os.environ.get("SEED", "20"))
STEPS = int(os.environ.get("STEPS", "60"))
USER = "alice"
ROOT = "User quota"


def message(size):
    head = "Subject: m\r\n\r\n"
    return head + "x" * (size - len(head))


class Both:
    """The Maildir, and both servers over it. rules: quota_rule of Dovecot; settings: of [mail]."""

    def __init__(self, machine, settings, rules, maildirsize=None):
        self.uid = harness.USERS[USER][0]
        self.mail = machine.path("home", USER, "Maildir")
        shutil.rmtree(self.mail, ignore_errors=True)
        machine.maildir(USER, [])
        self.home = machine.path("home", USER, "dovecot-quota")
        shutil.rmtree(self.home, ignore_errors=True)
        os.makedirs(self.home)
        os.chown(self.home, self.uid, self.uid)
        if maildirsize:
            self.write("maildirsize", maildirsize)
        self.write_conf(rules)
        self.server = Server(machine, mail=settings)
        s = self.server.tls().wrap_socket(self.server.connect("imaps"), server_hostname="localhost")
        self.ours = Client(s.makefile("rb"), s.makefile("wb"), lambda: s.shutdown(socket.SHUT_RDWR))
        self.ours.line()
        equal(self.ours.ask(f'LOGIN {USER} "{self.server.password(USER)}"')[0], "OK", "login")

    def write(self, name, text):
        path = os.path.join(self.mail, name)
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, self.uid, self.uid)

    def read(self, name="maildirsize"):
        with open(os.path.join(self.mail, name)) as f:
            return f.read()

    def write_conf(self, rules):
        plugin = "".join(f"  quota_rule{n if n > 1 else ''} = {rule}\n" for n, rule in enumerate(rules, 1))
        with open(os.path.join(self.home, "dovecot.conf"), "w") as f:
            f.write(f"protocols = imap\nbase_dir = {self.home}/run\nlog_path = {self.home}/log\nssl = no\nmail_home = {self.home}\n"
                    f"mail_location = maildir:{self.mail}:INDEX=MEMORY\nfirst_valid_uid = 0\nfirst_valid_gid = 0\nmail_uid = {self.uid}\n"
                    f"mail_gid = {self.uid}\nmail_plugins = quota\nprotocol imap {{\n  mail_plugins = quota imap_quota\n}}\n"
                    f"plugin {{\n  quota = maildir:{ROOT}\n{plugin}}}\n"
                    "namespace inbox {\n  inbox = yes\n  separator = /\n}\n")

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

    def ask(self, who, *commands):
        """Commands by one of the two, on one connection. The last one's status word and untagged lines."""
        client = self.ours if who == "ours" else self.theirs()
        answer = None
        for command in commands:
            answer = client.ask(command)
        if who != "ours":
            client.close()
        return answer

    def append(self, who, size, mailbox="INBOX"):
        return self.ask(who, f"APPEND {mailbox} {{{size}+}}\r\n{message(size)}")[0]

    def usage(self, who):
        """{resource: (used, limit)}"""
        status, lines = self.ask(who, "GETQUOTAROOT INBOX")
        equal(status, "OK", who)
        found = [re.fullmatch(rf'\* QUOTA "{ROOT}" \((.*)\)', line) for line in lines]
        words = " ".join(m.group(1) for m in found if m).split()
        return {words[i]: (int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words), 3)}

    def lying_there(self):
        """Bytes and messages of all mailboxes that count."""
        sizes = []
        for name in os.listdir(self.mail):
            if name == "cur" or name == "new":
                parts = [name]
            elif name.startswith(".") and name != ".Trash":
                parts = [f"{name}/cur", f"{name}/new"]
            else:
                continue
            for part in parts:
                for e in os.scandir(os.path.join(self.mail, part)):
                    sizes.append(e.stat().st_size)
        return sum(sizes), len(sizes)

    def compare(self, after):
        ours, theirs = self.usage("ours"), self.usage("theirs")
        equal(ours, theirs, f"after {after}; {self.read()}")
        size, count = self.lying_there()
        equal((ours["STORAGE"][0], ours["MESSAGE"][0]), ((size + 1023) // 1024, count), f"after {after}; {self.read()}")


def run_script(both, p, q):
    """Changes by p and q in turn."""
    equal(both.append(p, 3000), "OK")
    both.compare(f"{p} appended")
    equal(both.append(q, 5000), "OK")
    both.compare(f"{q} appended")
    equal(both.ask(p, "CREATE Sub")[0], "OK")
    equal(both.ask(p, "SELECT INBOX", "COPY 1:2 Sub")[0], "OK")
    both.compare(f"{p} copied")
    equal(both.ask(q, "SELECT INBOX", "MOVE 1 Sub")[0], "OK")
    both.compare(f"{q} moved")
    equal(both.append(p, 2000, "Sub"), "OK")
    equal(both.ask(q, "SELECT Sub", "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE")[0], "OK")
    both.compare(f"{q} expunged")
    equal(both.ask(p, "SELECT Sub", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")[0], "OK")
    both.compare(f"{p} expunged")
    both.ask(p, "SELECT INBOX")
    equal(both.ask(q, "DELETE Sub")[0], "OK")
    both.compare(f"{q} deleted a mailbox")
    for who in (p, q):
        equal(both.append(who, 30000), "NO", f"{who} is over quota")
        both.compare(f"{who} was refused")


def test_limits_in_file(machine):
    for first, second in (("ours", "theirs"), ("theirs", "ours")):
        both = Both(machine, {}, [], "20000S,50C\n0 0\n")
        run_script(both, first, second)
        equal(both.read().splitlines()[0], "20000S,50C")


def test_limits_by_setting(machine):
    """The file is made by whoever comes first."""
    for first, second in (("ours", "theirs"), ("theirs", "ours")):
        both = Both(machine, {"quota-storage": "20000", "quota-messages": "50"}, ["*:bytes=20000:messages=50"])
        run_script(both, first, second)
        equal(both.read().splitlines()[0], "20000S,50C")
        both.write("maildirsize", "5000S\n1 1\n")  # not what the settings say
        both.compare("other limits")


def test_trash_ignored(machine):
    both = Both(machine, {"quota-storage": "20000", "quota-messages": "50", "quota-ignore": "Trash"},
                ["*:bytes=20000:messages=50", "Trash:ignore"])
    equal(both.ask("ours", "CREATE Trash")[0], "OK")
    equal(both.append("ours", 6000), "OK")
    equal(both.append("theirs", 7000), "OK")
    for who in ("ours", "theirs"):
        equal(both.append(who, 30000, "Trash"), "OK", f"{who}: Trash is never full")
        both.compare(f"{who} appended to Trash")
        equal(both.ask(who, "SELECT INBOX", "MOVE 1 Trash")[0], "OK")
        both.compare(f"{who} moved to Trash")
        equal(both.ask(who, "SELECT Trash", "COPY 1 INBOX")[0], "NO", f"{who} copied 30000 bytes back")
        both.compare(f"{who} was refused")
    # Dovecot lets every MOVE pass; but from Trash it puts INBOX over its quota (RFC 9208 section 4.3.1).
    equal(both.ask("ours", "SELECT Trash", "MOVE 1 INBOX")[0], "NO", "moved 30000 bytes back")
    # A name that is counted from now on: both must count anew.
    both.ask("ours", "SELECT INBOX")
    equal(both.ask("ours", "RENAME Trash Kept")[0], "OK")
    both.compare("Trash renamed")


def test_counted_anew(machine):
    """What one of them cannot rely on, the other does not either."""
    both = Both(machine, {"quota-storage": "20000", "quota-messages": "50"}, ["*:bytes=20000:messages=50"])
    for who in ("ours", "theirs"):
        equal(both.append(who, 1000), "OK")
        for text in ("20000S,50C\n5 5\n-100 -1\n", "junk\n", "20000S,50C\n1 x\n", "20000S,50C\n99999 3\n5 1\n",
                     "20000S,50C\n" + "1 0\n" * 2000):
            both.write("maildirsize", text)
            equal(both.append(who, 100), "OK", f"{who}: {text[:60]}")
            both.compare(f"{who}: {text[:60]}")
        os.unlink(os.path.join(both.mail, "maildirsize"))
        both.compare(f"{who}: without a file")


def test_no_limits(machine):
    """No file is made; one of Dovecot's is kept up to date."""
    both = Both(machine, {}, [])
    equal(both.append("ours", 1000), "OK")
    check(not os.path.exists(os.path.join(both.mail, "maildirsize")), "a file was made")
    equal(both.usage("ours"), {})
    both.write("maildirsize", "0S\n0 0\n")
    equal(both.append("ours", 1000), "OK")
    lines = both.read().splitlines()
    equal(lines[:2] + lines[2].split(" ")[1:], ["0S", "0 0", "1"])


def random_step(r, both, who, mailboxes):
    mailbox = r.choice(mailboxes)
    verb = r.choice(("append", "append", "copy", "move", "expunge", "create", "delete"))
    if verb == "append":
        return verb, both.append(who, r.randrange(20, 4000), mailbox)
    if verb in ("copy", "move"):
        return verb, both.ask(who, f"SELECT {mailbox}", f"{verb.upper()} {r.choice(('1', '1:*'))} {r.choice(mailboxes)}")[0]
    if verb == "expunge":
        return verb, both.ask(who, f"SELECT {mailbox}", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE")[0]
    return verb, both.ask(who, "SELECT INBOX", f"{verb.upper()} {r.choice(mailboxes[1:])}")[0]


def test_random(machine):
    both = Both(machine, {"quota-storage": "40000", "quota-messages": "30"}, ["*:bytes=40000:messages=30"])
    r = random.Random(SEED)
    done = 0
    for number in range(STEPS):
        who = r.choice(("ours", "theirs"))
        verb, status = random_step(r, both, who, ["INBOX", "a", "b/c"])
        done += status == "OK"
        both.compare(f"step {number} of seed {SEED}, {who}: {verb} {status}")
    check(done > STEPS / 4, "most of it failed", done)


if __name__ == "__main__":
    if os.path.exists(IMAP) and os.path.exists(PLUGIN):
        harness.main("quota_dovecot", [test_limits_in_file, test_limits_by_setting, test_trash_ignored, test_counted_anew,
                                       test_no_limits, test_random])
    else:
        print("no Dovecot with its quota plugin here: nothing to compare with\nquota_dovecot: 0 passed, 0 failed")
