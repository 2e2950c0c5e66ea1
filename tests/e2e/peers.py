"""Servers over one Maildir, and connections to them: restante over TLS, Dovecot's programs on standard input and output."""
import os
import re
import subprocess
import time

import harness
from harness import Failed, check

LIBEXEC = "/usr/lib/dovecot"
PROGRAMS = [f"{LIBEXEC}/{name}" for name in ("imap", "pop3", "dovecot-lda")]
USER = "alice"


def dovecot_is_here():
    return all(os.access(program, os.X_OK) for program in PROGRAMS)


class Gone(Exception):
    """The connection ended."""


class Line:
    """A response: its text, in which literals are left out, and the literals."""

    def __init__(self, text, literals):
        self.text, self.literals = text, literals

    def __repr__(self):
        return repr((self.text, self.literals)) if self.literals else repr(self.text)


class Answer:
    def __init__(self, status, text, untagged):
        self.status, self.text, self.untagged = status, text, untagged

    def __repr__(self):
        return f"{self.status} {self.text} {self.untagged}"


def expand(uidset):
    """The UIDs of "1,3:5"."""
    found = []
    for piece in uidset.split(","):
        first, _, last = piece.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def internaldate(text):
    """Seconds since 1970 of '17-Jul-1996 02:44:25 -0700'."""
    date = time.strptime(text.strip(), "%d-%b-%Y %H:%M:%S %z")
    return int(time.mktime(date[:8] + (0,)) - time.timezone - date.tm_gmtoff)


class Imap:
    """One connection. Counts its messages by EXISTS and EXPUNGE alone, as a client must."""

    def __init__(self, name, reads, writes, close):
        self.name, self.reads, self.writes, self.end = name, reads, writes, close
        self.tag = 0
        self.exists = 0
        self.selected = self.incarnation = None
        self.uidvalidity = 0
        self.known = set()
        self.alive = True

    def read(self):
        text, literals = "", []
        while True:
            line = self.reads.readline()
            if not line.endswith(b"\r\n"):
                raise Gone(f"{self.name}: end of connection")
            text += line[:-2].decode("utf-8", "surrogateescape")
            literal = re.search(r"\{(\d+)\}$", text)
            if not literal:
                return Line(text, literals)
            literals.append(self.reads.read(int(literal[1])))

    def ask(self, *pieces):
        """One command of text and literals (bytes)."""
        self.tag += 1
        tag = f"t{self.tag} "
        command = tag.encode()
        for piece in pieces:
            command += piece.encode() if isinstance(piece, str) else b"{%d+}\r\n" % len(piece) + piece
        try:
            self.writes.write(command + b"\r\n")
            self.writes.flush()
            return self.answer(tag)
        except (OSError, Gone) as e:
            self.close()
            raise Gone(f"{self.name}: {e}") from None

    def answer(self, tag):
        untagged = []
        while True:
            line = self.read()
            if line.text.startswith(tag):
                status, _, text = line.text[len(tag):].partition(" ")
                return Answer(status, text, untagged)
            if line.text.startswith("* BYE"):
                raise Gone(line.text)
            count = re.match(r"\* (\d+) (EXISTS|EXPUNGE)$", line.text)
            if count and count[2] == "EXISTS":
                self.exists = int(count[1])
            elif count:
                check(1 <= int(count[1]) <= self.exists, f"{self.name}: EXPUNGE of a message that is not there", line, self.exists)
                self.exists -= 1
            untagged.append(line)

    def must(self, *pieces):
        answer = self.ask(*pieces)
        check(answer.status == "OK", f"{self.name}: {pieces!r:.300}", answer)
        return answer

    def select(self, mailbox):
        self.selected = None
        answer = self.must(f'SELECT "{mailbox}"')
        self.selected = mailbox
        self.uidvalidity = int(self.code(answer, "UIDVALIDITY"))
        return int(self.code(answer, "UIDNEXT"))

    @staticmethod
    def code(answer, name):
        for line in [answer.text] + [line.text for line in answer.untagged]:
            found = re.search(rf"\[{name} ([^\]]*)\]", line)
            if found:
                return found[1]
        raise Failed(f"no {name} in {answer!r:.500}")

    def fetch(self, uids, items):
        """{UID: Line} of FETCH."""
        found = {}
        for line in self.must(f"UID FETCH {uids} (UID {items})").untagged:
            uid = re.search(r"\bUID (\d+)", line.text)
            if re.match(r"\* \d+ FETCH ", line.text) and uid:
                if all(item.split("[")[0].replace(".PEEK", "") in line.text for item in items.split()[:1]):
                    found[int(uid[1])] = line
        return found

    def messages(self):
        """{UID: (flags and keywords, INTERNALDATE, RFC822.SIZE)}; told flags alone are passed over."""
        found = {}
        for uid, line in self.fetch("1:*", "RFC822.SIZE INTERNALDATE FLAGS").items():
            flags = frozenset(flag.lower() for flag in re.search(r"FLAGS \(([^)]*)\)", line.text)[1].split()) - {"\\recent"}
            found[uid] = (flags, internaldate(re.search(r'INTERNALDATE "([^"]*)"', line.text)[1]),
                          int(re.search(r"RFC822.SIZE (\d+)", line.text)[1]))
        check(len(found) == self.exists, f"{self.name}: {self.exists} messages by EXISTS and EXPUNGE, FETCH tells of others", sorted(found))
        return found

    def bodies(self, uids):
        if not uids:
            return {}
        return {uid: line.literals[0] for uid, line in self.fetch(",".join(map(str, uids)), "BODY.PEEK[]").items() if line.literals}

    def close(self):
        if self.alive:
            self.alive = False
            self.end()


class Pop3:
    def __init__(self, name, reads, writes, close):
        self.name, self.reads, self.writes, self.close = name, reads, writes, close

    def line(self):
        line = self.reads.readline()
        check(line.endswith(b"\n"), f"{self.name}: end of connection")
        return line.rstrip(b"\r\n")

    def ask(self, command=None):
        if command:
            self.writes.write(command.encode() + b"\r\n")
            self.writes.flush()
        line = self.line()
        check(line.startswith(b"+OK"), f"{self.name}: {command}", line)
        return line

    def lines(self, command):
        self.ask(command)
        found = []
        while (line := self.line()) != b".":
            found.append(line[1:] if line.startswith(b".") else line)
        return found

    def quit(self):
        try:
            self.ask("QUIT")
        finally:
            self.close()


class Peer:
    """A server, and the connections to it that stay open."""

    def __init__(self, name):
        self.name = name
        self.clients = []
        self.made = 0

    def client(self, number):
        while len(self.clients) <= number:
            self.clients.append(self.imap())
        if not self.clients[number].alive:
            self.clients[number] = self.imap()
        return self.clients[number]

    def close(self):
        for client in self.clients:
            client.close()
        self.clients = []


class Restante(Peer):
    keeps_all_keywords = True
    tries_to_tell = 1

    def __init__(self, name, server):
        super().__init__(name)
        self.server = server

    def open(self, service):
        s = self.server.tls().wrap_socket(self.server.connect(service), server_hostname="localhost")
        reads, writes = s.makefile("rb"), s.makefile("wb")

        def close():
            for file in (reads, s):
                file.close()
        return reads, writes, close

    def imap(self):
        self.made += 1
        client = Imap(f"{self.name}#{self.made}", *self.open("imaps"))
        client.read()
        client.must(f'LOGIN {USER} "{self.server.password(USER)}"')
        return client

    def pop3(self):
        client = Pop3(f"{self.name} POP3", *self.open("pop3s"))
        client.ask()
        client.ask(f"USER {USER}")
        client.ask(f"PASS {self.server.password(USER)}")
        return client

    def ended(self):
        harness.check_log_clean(self.server)


class Dovecot(Peer):
    """The distribution's, with a configuration of its own. Its index of the list of mailboxes goes by whole seconds, and
    would not see what others do to mailboxes within one: it is off."""

    keeps_all_keywords = False
    tries_to_tell = 25

    def __init__(self, machine, mail):
        super().__init__("Dovecot")
        self.uid = harness.USERS[USER][0]
        self.home = machine.path("home", USER, "dovecot")
        os.makedirs(self.home, exist_ok=True)
        os.chown(self.home, self.uid, self.uid)
        with open(os.path.join(self.home, "log"), "ab") as log:
            os.fchown(log.fileno(), self.uid, self.uid)
        with open(os.path.join(self.home, "dovecot.conf"), "w") as f:
            f.write(f"protocols = imap pop3\nbase_dir = {self.home}/run\nlog_path = {self.home}/log\nssl = no\nmail_home = {self.home}\n"
                    f"mail_location = maildir:{mail}\nfirst_valid_uid = 1\nmail_uid = {self.uid}\nmail_gid = {self.uid}\n"
                    f"postmaster_address = postmaster@example.org\nhostname = mail.example.org\n"
                    "mailbox_list_index = no\nnamespace inbox {\n  inbox = yes\n  separator = /\n}\n")

    def start(self, program, *arguments):
        with open(os.path.join(self.home, "log"), "ab") as log:  # imap and pop3 say all on standard error
            return subprocess.Popen([f"{LIBEXEC}/{program}", "-c", os.path.join(self.home, "dovecot.conf"), *arguments],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=self.home,
                                    user=self.uid, group=self.uid, extra_groups=[],
                                    env={"USER": USER, "HOME": self.home, "PATH": "/usr/bin:/bin"})

    def open(self, program):
        process = self.start(program)

        def close():
            try:
                process.stdin.close()
            except OSError:
                pass
            process.stdout.close()
            process.wait()
        return process.stdout, process.stdin, close

    def imap(self):
        self.made += 1
        client = Imap(f"{self.name}#{self.made}", *self.open("imap"))
        client.read()
        return client

    def pop3(self):
        return Pop3(f"{self.name} POP3", *self.open("pop3"))  # no greeting

    def deliver(self, mailbox, text):
        """By its local delivery agent."""
        process = self.start("dovecot-lda", "-m", mailbox)
        process.communicate(text, timeout=120)
        check(process.returncode == 0, f"dovecot-lda: {process.returncode}", self.log()[-2000:])

    def log(self):
        try:
            with open(os.path.join(self.home, "log"), errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def ended(self):
        found = [line for line in self.log().splitlines() if "Panic" in line or "Corrupted" in line or "broken" in line.lower()]
        check(not found, "log of Dovecot", found[-5:])
