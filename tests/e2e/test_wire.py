"""The scripts tests/wire/*.txt over TLS against the daemon: what the engines do in process they do here too.

The lines of a script are described in tests/unit/test_wire_imap.c and test_pop3.c. Each script has a user, and a
Maildir, of its own; all of them share one server, a few at a time. What has a meaning in process only (the goodbyes of
a session, and how fast its output is taken) cannot be played: such scripts are passed over, by name.
"""
import concurrent.futures
import glob
import os
import re
import select
import shutil
import socket
import sys
import time

import harness
from harness import Failed, Server, check, equal, run

WIRE = os.path.join(harness.ROOT, "tests", "wire")
DELIVERED_FIRST = 1704110400
CLOCK = 1800000000  # what time it is in process
DAY = 86400
AT_ONCE = 8
SECONDS = 50  # beyond the half minute for which a locked mailbox is waited for
IN_PROCESS_ONLY = ("! hold", "! bye", "! messagelimit", "! clock")


def unescape(text):
    """A text of a script with its \\xHH undone."""
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text)


class Connection:
    def __init__(self, server, service, user, shows_mailboxid):
        self.shows_mailboxid = shows_mailboxid
        self.socket = server.tls().wrap_socket(server.connect(service), server_hostname="localhost")
        self.socket.settimeout(SECONDS)
        self.seen = b""
        self.log_in(service, user)

    def log_in(self, service, user):
        self.line()
        if service == "imaps":
            self.socket.sendall(f"login LOGIN {user} x\r\n".encode())
            line = self.line()
            check(line.startswith(b"login OK "), "login", line)
        else:
            self.socket.sendall(f"USER {user}\r\nPASS x\r\n".encode())
            self.line()
            line = self.line()
            check(line.startswith(b"+OK "), "login", line)

    def receive(self):
        try:
            piece = self.socket.recv(1 << 16)
        except (ConnectionError, socket.timeout):
            piece = b""
        self.seen += piece
        return bool(piece)

    def line(self):
        """The next line, without MAILBOXID where the script is not about it."""
        while True:
            line = self.raw_line()
            if self.shows_mailboxid or b"OK [MAILBOXID (" not in line:
                return line
            if not line.startswith(b"*"):
                return re.sub(rb"OK \[MAILBOXID \(.*?\)\] ", b"OK ", line)

    def raw_line(self):
        """The next line; at the end of the connection what is left; b"" for nothing."""
        while b"\r\n" not in self.seen:
            if not self.receive():
                line, self.seen = self.seen, b""
                return line
        line, self.seen = self.seen.split(b"\r\n", 1)
        return line

    def settle(self, seconds=0.0):
        """What came, and what comes within this time."""
        while self.socket.pending() or select.select([self.socket], [], [], seconds)[0]:
            if not self.receive():
                break
        return self.seen


class Play:
    def __init__(self, server, script, version):
        self.server, self.script = server, script
        self.name = os.path.basename(script)[:-len(".txt")]
        self.service = "imaps" if self.name.startswith("imap_") else "pop3s"
        self.version = version
        self.maildir = server.machine.path("vmail", self.name)
        self.names = []
        self.connections = {}
        with open(script, "rb") as f:
            self.lines = f.read().split(b"\n")
        # Where seconds are counted from now, mail is as old by the real clock as it is in process.
        counted = any(re.search(rb"OLDER|YOUNGER", line) for line in self.lines)
        self.first = DELIVERED_FIRST + (int(time.time()) - CLOCK if counted else 0)
        self.fill_maildir()

    # The Maildir, and what other programs do with it

    def fill_maildir(self):
        if self.service == "pop3s":
            shutil.copytree(os.path.join(WIRE, "pop3_mail"), self.maildir)
        for d in ("", "cur", "new", "tmp"):
            os.makedirs(os.path.join(self.maildir, d), mode=0o700, exist_ok=True)
        if self.service == "imaps":
            self.write("dovecot-uidlist", b"3 V1700000000 N1 G0123456789abcdef0123456789abcdef\n")
        for parent, directories, files in os.walk(self.maildir):
            for name in (".", *directories, *files):
                os.chown(os.path.join(parent, name), harness.VMAIL_UID, harness.VMAIL_UID)

    def write(self, name, data):
        path = os.path.join(self.maildir, name)
        with open(path, "xb") as f:
            f.write(data)
        os.chown(path, harness.VMAIL_UID, harness.VMAIL_UID)
        return path

    def deliver(self, message, flags):
        name = f"{DELIVERED_FIRST + len(self.names)}.M1P1.test"
        path = self.write(os.path.join("tmp", name), message)
        date = self.first + DAY * len(self.names)
        os.utime(path, (date, date))
        os.rename(path, os.path.join(self.maildir, f"cur/{name}:2,{flags}" if flags is not None else f"new/{name}"))
        self.names.append(name)

    def find(self, number):
        found = [os.path.join(self.maildir, d, n) for d in ("cur", "new") for n in os.listdir(os.path.join(self.maildir, d))
                 if n.startswith(self.names[int(number) - 1])]
        equal(len(found), 1, f"files of message {number}")
        return found[0]

    def on_add(self, argument):
        name, _, flags = argument.partition(" :")
        with open(os.path.join(WIRE, "imap_mail", name), "rb") as f:
            self.deliver(f.read(), flags if " :" in argument else None)

    def on_add_generated(self, argument):
        size = int(argument)
        message = b"Subject: generated\n\n"
        while len(message) + 64 <= size:
            message += b"%062d\n" % len(message)
        self.deliver(message + b"x" * (size - len(message)), None)

    def on_flags(self, argument):
        number, letters = argument.split(" ")
        os.rename(self.find(number), os.path.join(self.maildir, "cur", f"{self.names[int(number) - 1]}:2,{letters}"))

    def on_remove(self, argument):
        os.unlink(self.find(argument))

    def on_truncate(self, argument):
        number, size = argument.split(" ")
        os.truncate(self.find(number), int(size))

    def on_lock(self, _):
        self.write("dovecot-uidlist.lock", b"1:elsewhere")

    def on_unlock(self, _):
        os.unlink(os.path.join(self.maildir, "dovecot-uidlist.lock"))

    def on_uidvalidity(self, argument):
        os.unlink(os.path.join(self.maildir, "dovecot-uidlist"))
        self.write("dovecot-uidlist", f"3 V{argument} N1 G0123456789abcdef0123456789abcdef\n".encode())

    def on_file(self, argument):
        name, text = argument.split(" ", 1)
        if os.path.exists(os.path.join(self.maildir, name)):
            os.unlink(os.path.join(self.maildir, name))
        self.write(name, unescape(text.encode()))

    # Time and the client

    def on_wait(self, argument):
        """The clock is the real one: a moment is enough, for the next line is waited for as long as it takes."""
        time.sleep(min(float(argument), 0.5))

    def on_drain(self, _):
        pass

    def on_repeat(self, argument):
        times, text = argument.split(" ", 1)
        self.connection("1").socket.sendall(text.encode() * int(times))

    def on_eof(self, _):
        self.connection("1").socket.close()

    def on_closed(self, reason):
        c = self.connections["1"]
        while c.socket.fileno() >= 0 and c.receive():
            pass
        self.server.wait_log(rf"{re.escape(self.name)}.*{re.escape(reason)}")

    def connection(self, which):
        if which not in self.connections:
            self.connections[which] = Connection(
                self.server, self.service, self.name, self.lines[0].startswith(b"# RFC 8474"))
        return self.connections[which]

    def say(self, which, text):
        c = self.connection(which)
        seen = c.settle()
        check(not seen, "not expected", seen)
        c.socket.sendall(text)

    def expect(self, which, kind, want):
        c = self.connection(which)
        line = c.line()
        if kind == b":":
            want = unescape(want).replace(b'"version" "test"', b'"version" "%s"' % self.version)
            equal(line, want)
            return
        while kind == b"*" and c.receive():  # all that comes until the end
            pass
        lines = [line, *(c.seen.split(b"\r\n") if kind == b"*" else [])]
        while kind == b".." and line and not re.fullmatch(want, line):
            line = c.line()
            lines = [line]
        check(all(re.fullmatch(want, line) for line in lines), "came", lines, "expected", want)
        c.seen = b"" if kind == b"*" else c.seen

    def play_line(self, line):
        if not line or line.startswith(b"#"):
            return
        if line.startswith(b"! "):
            verb, _, argument = line[2:].decode().partition(" ")
            getattr(self, "on_" + verb.replace("-", "_"))(argument)
            return
        m = re.fullmatch(rb"([12]?)(C|S)(:|-|~|\*|\.\.) ?(.*)", line, re.DOTALL)
        check(m, "not a line of a script", line)
        which = (m.group(1) or b"1").decode()
        if m.group(2) == b"C":
            self.say(which, unescape(m.group(4)) + (b"\r\n" if m.group(3) == b":" else b""))
        else:
            self.expect(which, m.group(3), m.group(4))

    def play(self):
        for number, line in enumerate(self.lines, 1):
            try:
                self.play_line(line)
            except Failed as e:
                raise Failed(f"{os.path.basename(self.script)}:{number}: {e}") from None
        for which, c in self.connections.items():
            if c.socket.fileno() >= 0:
                seen = c.settle(0.05)
                check(not seen, f"{self.name}: not expected at the end of connection {which}", seen)
                c.socket.close()


class Scripts:
    """All scripts are played with the first one whose outcome is asked for."""

    def __init__(self):
        self.outcomes = {}
        self.scripts, self.passed_over = [], []
        for path in sorted(glob.glob(os.path.join(WIRE, "*.txt"))):
            with open(path) as f:
                lines = f.read().split("\n")
            if any(line.startswith(IN_PROCESS_ONLY) for line in lines):
                self.passed_over.append(path)
            else:
                # Those in which half a minute must pass come first.
                self.scripts.insert(0 if any(line.startswith("! wait") for line in lines) else len(self.scripts), path)

    def play_all(self, machine, picked):
        machine.pam_service("restante-wire", "auth required pam_permit.so\naccount required pam_permit.so\n")
        version = run(os.path.join(harness.BUILD, "restantectl"), "--version").stdout.split()[-1]
        server = Server(machine, auth={"pam-service": "restante-wire"}, session={"linger": "1s"}, mail={
            "user": "vmail-e2e", "path": machine.path("vmail", "%u")}, front={"max-connections-per-address": "1000"})
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            plays = {path: pool.submit(lambda path=path: Play(server, path, version).play()) for path in self.scripts
                     if not picked or name_of(path) in picked}
        self.outcomes = {path: play.exception() for path, play in plays.items()}

    def outcome(self, machine, path, picked):
        if not self.outcomes:
            self.play_all(machine, picked)
        if self.outcomes[path]:
            raise self.outcomes[path]


def name_of(path):
    return os.path.basename(path)[:-len(".txt")]


def make_tests(picked):
    scripts = Scripts()
    tests = []
    for path in scripts.scripts:
        def test(machine, path=path):
            scripts.outcome(machine, path, picked)
        test.__name__ = name_of(path)
        tests.append(test)
    return tests, scripts.passed_over


if __name__ == "__main__":
    found, passed_over = make_tests(sys.argv[1:])
    for path in passed_over:
        print("in process only:", name_of(path))
    check(len(found) >= 90, f"only {len(found)} scripts were found")
    harness.main("wire", found)
