"""What the tests of real clients share: the harness, mail to fill a Maildir with, what lies on the server's disk
afterwards, and a terminal for clients that want one."""
import email
import email.policy
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import harness  # noqa: E402
from harness import BUILD, Failed, Server, check, wait_for  # noqa: E402

ARTEFACTS = os.path.join(BUILD, "test-logs")


def message(number, subject=None, body=None):
    """Message `number`, as it lies on disk."""
    subject = subject or f"Message {number}"
    body = body or f"This is the text of message {number}.\n"
    return (f"From: Sender {number % 7} <sender{number % 7}@example.org>\nTo: alice@example.org\nSubject: {subject}\n"
            f"Date: Tue, 14 Nov 2023 {10 + number // 3600 % 14:02}:{number // 60 % 60:02}:{number % 60:02} +0000\n"
            f"Message-ID: <{subject.replace(' ', '.')}.{number}@example.org>\n"
            f"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n\n{body}").encode()


def fresh(machine, messages=(), mailboxes=(), user="alice", **sections):
    """A server whose user has these messages in INBOX and these other mailboxes, empty. All are subscribed."""
    path = machine.path("home", user, "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    machine.maildir(user, messages)
    server = Server(machine, **sections)
    m = server.imap(user)
    for name in mailboxes:
        m.create(name)
    for name in ("INBOX", *mailboxes):
        m.subscribe(name)
    m.logout()
    return server


def maildir_path(machine, mailbox="INBOX", user="alice"):
    path = machine.path("home", user, "Maildir")
    return path if mailbox == "INBOX" else os.path.join(path, "." + mailbox)


def on_disk(machine, mailbox="INBOX", user="alice"):
    """{subject: flag letters} of the messages on the server's disk. Two of one subject are a fault."""
    for _ in range(20):
        before = file_names(machine, mailbox, user)
        try:
            return read_maildir(maildir_path(machine, mailbox, user))
        except (FileNotFoundError, Failed):
            if file_names(machine, mailbox, user) == before:  # else the server renamed a file while this read
                raise
    raise Failed(f"{mailbox} never stops changing")


def read_maildir(path):
    found = {}
    for directory in ("new", "cur"):
        for name in os.listdir(os.path.join(path, directory)):
            with open(os.path.join(path, directory, name), "rb") as f:
                subject = str(email.message_from_binary_file(f, policy=email.policy.default)["Subject"])
            check(subject not in found, f"one message is there twice in {path}", subject)
            found[subject] = "".join(sorted(name.partition(":2,")[2]))
    return found


def file_names(machine, mailbox="INBOX", user="alice"):
    """All names on the server's disk: the same before and after a client that changed nothing."""
    path = maildir_path(machine, mailbox, user)
    return sorted(os.path.join(d, name) for d in ("new", "cur") for name in os.listdir(os.path.join(path, d)))


def home_of(machine, name, **files):
    """A directory for a client's own files, and the environment that makes it HOME."""
    home = machine.path("client-" + name)
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home, mode=0o700)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "XDG_"))}
    env.update(HOME=home, LANG="C.UTF-8", TERM="xterm", TMPDIR=home, SSL_CERT_FILE=machine.ca)
    return home, env


def write_private(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


class Terminal:
    """A program in a pseudo terminal of 100 x 40, ended by its pid."""

    def __init__(self, args, env, cwd=None):
        self.screen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            os.execvpe(args[0], args, {**env, "LINES": "40", "COLUMNS": "100"})
        subprocess.run(["stty", "rows", "40", "cols", "100"], stdin=self.fd, check=True)
        self.status = None

    def read(self, seconds):
        """Take what the program writes, for so long at most. False: it has closed the terminal."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.screen += data
        return bool(data)

    def expect(self, pattern, seconds=60):
        """Wait until the pattern has been written since the last expect()."""
        end = time.monotonic() + seconds
        while pattern not in self.screen:
            if not self.read(0.2) or time.monotonic() > end:
                raise Failed(f"the terminal never showed {pattern!r}\n{self.screen[-3000:]!r}")
        self.screen = self.screen[self.screen.index(pattern) + len(pattern):]

    def keys(self, text):
        os.write(self.fd, text.encode())

    def wait(self, seconds=90):
        """Read until the program ends; its exit status."""
        end = time.monotonic() + seconds
        while self.status is None:
            if time.monotonic() > end:
                self.close()
                raise Failed(f"the program did not end\n{self.screen[-3000:]!r}")
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        self.close()
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


__all__ = ["ARTEFACTS", "HERE", "Terminal", "file_names", "fresh", "harness", "home_of", "maildir_path", "message", "on_disk",
           "read_maildir", "wait_for", "write_private"]
