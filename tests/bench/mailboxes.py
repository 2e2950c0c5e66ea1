"""What mailboxes cost: one of very many short messages (LARGE), and one of usual ones (MESSAGES).

Each bench makes what it needs and leaves the mailbox as it found it, but for flags; so each can be run alone.
"""
import os
import re
import shutil
import time

import mail
from servers import Client, harness

LARGE = int(os.environ.get("LARGE", "100000"))
MESSAGES = int(os.environ.get("MESSAGES", "10000"))
APPENDS = 20
YOUNG_SECONDS = 2.5  # Dovecot looks again at what changed in the same two seconds
THUNDERBIRD = (b"(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
               b"X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])")


class Connection:
    """A logged-in connection whose commands are measured."""

    def __init__(self, run):
        self.run = run
        self.client = Client(run.machine, run.server)
        self.socket = self.client.imap_login(run.user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def command(self, line):
        return self.client.command(self.socket, b"t " + line, b"t ")

    def usec(self, *lines):
        return self.run.usec(lambda: [self.command(line) for line in lines])

    def append(self, message, mailbox=b"INBOX"):
        self.socket.sendall(b"t APPEND %s (\\Seen) {%d}\r\n" % (mailbox, len(message)))
        assert self.socket.recv(4096).startswith(b"+")
        self.command_end(message)

    def command_end(self, literal):
        self.client.command(self.socket, literal, b"t ")


def selected(run, mailbox=b"INBOX"):
    connection = Connection(run)
    connection.command(b"SELECT " + mailbox)
    return connection


def ready(run):
    """The mailbox is known to the server, its files are no longer young, and nobody has it open."""
    with selected(run) as connection:
        time.sleep(YOUNG_SECONDS)
        connection.command(b"SELECT INBOX")
    run.wait_quiet()


def per_message(lines, prepare=None, once=True):
    """A bench: the commands in a selected mailbox, CPU per message. once: they ran before, so that what is kept is there."""
    def bench(run):
        with selected(run) as connection:
            if prepare:
                connection.command(prepare)
            if once:
                for line in lines:
                    connection.command(line)
            time.sleep(0.5)
            return connection.usec(*lines) / run.messages
    return bench


def megabytes(line):
    def bench(run):
        with selected(run) as connection:
            connection.command(line)
            time.sleep(0.5)
            return run.octets / connection.usec(line)
    return bench


def fresh_cache(run):
    """As a mailbox that was listed before, but of whose contents nothing is kept."""
    run.forget()
    ready(run)


def first_open(run):
    run.forget(all_of_it=True)
    with Connection(run) as connection:
        return connection.usec(b"SELECT INBOX") / 1000


def open_unchanged(run):
    ready(run)
    with Connection(run) as connection:
        return connection.usec(b"SELECT INBOX") / 1000


def visit(run):
    ready(run)
    client = Client(run.machine, run.server)
    return run.usec(lambda: client.imap_visit(run.user)) / 1000


def open_after_delivery(run):
    ready(run)
    run.deliver()
    with Connection(run) as connection:
        return connection.usec(b"SELECT INBOX") / 1000


def noop_after_delivery(run):
    with selected(run) as connection:
        connection.command(b"NOOP")
        time.sleep(1)
        run.deliver()
        return connection.usec(b"NOOP") / 1000


def qresync(run):
    with selected(run) as connection:
        data = connection.command(b"SELECT INBOX (CONDSTORE)")
        modseq, = re.search(rb"HIGHESTMODSEQ (\d+)", data).groups()
        uidvalidity, = re.search(rb"UIDVALIDITY (\d+)", data).groups()
        for n in range(5):
            connection.command(b"STORE %d -FLAGS (\\Seen)" % (n * 100 + 1))
        connection.command(b"STORE 601:605 +FLAGS (\\Deleted)")
        connection.command(b"EXPUNGE")
    run.wait_quiet()
    with Connection(run) as connection:
        connection.command(b"ENABLE QRESYNC")
        usec = connection.usec(b"SELECT INBOX (QRESYNC (%s %s))" % (uidvalidity, modseq))
        connection.command(b"UID STORE 1:1000 +FLAGS.SILENT (\\Seen)")
    return usec / 1000


def store_all(run):
    with selected(run) as connection:
        usec = connection.usec(b"STORE 1:* +FLAGS.SILENT (\\Flagged)")
        connection.command(b"STORE 1:* -FLAGS.SILENT (\\Flagged)")
    return usec / run.messages


def append(run):
    ready(run)
    message = mail.full(1).encode().replace(b"\n", b"\r\n")
    message = (message * 9)[:4096 - 2] + b"\r\n"
    with Connection(run) as connection:
        connection.append(message)
        time.sleep(0.5)
        return run.usec(lambda: [connection.append(message) for _ in range(APPENDS)]) / APPENDS


def copy(run):
    with selected(run) as connection:
        connection.command(b"CREATE Copies")
        usec = connection.usec(b"COPY 1:%d Copies" % run.messages)
        connection.command(b"DELETE Copies")
    return usec / run.messages


def move(run):
    with selected(run) as connection:
        connection.command(b"CREATE Copies")
        connection.command(b"CREATE Moved")
        connection.command(b"COPY 1:%d Copies" % run.messages)
    run.wait_quiet()
    with selected(run, b"Copies") as connection:
        usec = connection.usec(b"MOVE 1:* Moved")
        connection.command(b"UNSELECT")
        connection.command(b"DELETE Copies")
        connection.command(b"DELETE Moved")
    return usec / run.messages


def fill(run):
    fresh_cache(run)
    return per_message([b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)"], once=False)(run)


def thunderbird(run):
    """Its first sight of a mailbox: the list of messages, then the headers of all."""
    fresh_cache(run)
    return per_message([b"UID FETCH 1:* (FLAGS)", b"UID FETCH 1:* " + THUNDERBIRD], once=False)(run)


def anonymous_kib(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    return 0


def memory(run):
    """Of the process that holds the mailbox: pages of its own, not those of files, which are the page cache's."""
    ready(run)
    with selected(run) as connection:
        connection.command(b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
        time.sleep(1)
        return max(anonymous_kib(pid) for pid in run.server.pids() if run.is_users(pid)) / 1024


LARGE_BENCHES = [
    ("open-first", "SELECT of {LARGE} unknown messages", "ms", first_open),
    ("open", "SELECT of {LARGE} unchanged, new process", "ms", open_unchanged),
    ("open-visit", "login, SELECT of {LARGE} unchanged, FETCH one, logout", "ms", visit),
    ("open-new", "SELECT of {LARGE} and one new, new process", "ms", open_after_delivery),
    ("noop-new", "NOOP that finds one new among {LARGE}", "ms", noop_after_delivery),
    ("qresync", "SELECT (QRESYNC) of {LARGE} after 10 changes", "ms", qresync),
    ("uid-flags", "FETCH 1:* (UID FLAGS) on {LARGE}, a message", "us", per_message([b"FETCH 1:* (UID FLAGS)"])),
    ("search-flag", "SEARCH UNSEEN on {LARGE}, a message", "us", per_message([b"SEARCH UNSEEN"])),
    ("append", "APPEND 4 kB into {LARGE}", "us", append),
    ("store", "STORE 1:* +FLAGS on {LARGE}, a message", "us", store_all),
    ("memory", "memory of a session holding {LARGE}", "MB", memory),
]
MAIL_BENCHES = [
    ("fill", "ENVELOPE BODYSTRUCTURE from scratch, a message", "us", fill),
    ("cached", "ENVELOPE BODYSTRUCTURE again, a message", "us", per_message([b"FETCH 1:* (ENVELOPE BODYSTRUCTURE)"])),
    ("thunderbird", "first sync as Thunderbird does it, a message", "us", thunderbird),
    ("thunderbird-again", "the same headers again, a message", "us", per_message([b"UID FETCH 1:* " + THUNDERBIRD])),
    ("bodies", "UID FETCH 1:* (BODY.PEEK[])", "MB/s", megabytes(b"UID FETCH 1:* (BODY.PEEK[])")),
    ("search-since", "SEARCH SINCE, a message", "us", per_message([b"SEARCH SINCE 1-Feb-2024"])),
    ("search-subject", "SEARCH SUBJECT, a message", "us", per_message([b'SEARCH SUBJECT "no such subject"'])),
    ("search-japanese", "SEARCH SUBJECT, Japanese, a message", "us", per_message(['SEARCH CHARSET UTF-8 SUBJECT "会議"'.encode()])),
    ("search-from", "SEARCH FROM, a message", "us", per_message([b"SEARCH FROM u123@example.com"])),
    ("search-or", "SEARCH OR FROM TO, a message", "us", per_message([b"SEARCH OR FROM nobody TO nobody"])),
    ("search-sent", "SEARCH SENTSINCE, a message", "us", per_message([b"SEARCH SENTSINCE 2-Jan-2024"])),
    ("search-body", "SEARCH BODY", "MB/s", megabytes(b'SEARCH BODY "no such text"')),
    ("search-text", "SEARCH TEXT", "MB/s", megabytes(b'SEARCH TEXT "no such text"')),
    ("sort-subject", "SORT (SUBJECT), a message", "us", per_message([b"SORT (SUBJECT) UTF-8 ALL"])),
    ("sort-date", "SORT (REVERSE DATE FROM), a message", "us", per_message([b"SORT (REVERSE DATE FROM) UTF-8 ALL"])),
    ("thread", "THREAD REFERENCES, a message", "us", per_message([b"THREAD REFERENCES UTF-8 ALL"])),
    ("thread-subject", "THREAD ORDEREDSUBJECT, a message", "us", per_message([b"THREAD ORDEREDSUBJECT UTF-8 ALL"])),
    ("copy", "COPY of {MESSAGES}, a message", "us", copy),
    ("move", "MOVE of {MESSAGES}, a message", "us", move),
]
# user, messages, maker, benches
SETS = [
    ("bob", LARGE, mail.short, [(n, t.format(LARGE=LARGE), u, f) for n, t, u, f in LARGE_BENCHES]),
    ("alice", MESSAGES, mail.full, [(n, t.format(MESSAGES=MESSAGES), u, f) for n, t, u, f in MAIL_BENCHES]),
]


class Template:
    """The files of a set, made once, and linked into the Maildir of each server's user."""

    def __init__(self, machine, user, messages, maker):
        self.machine, self.user, self.messages = machine, user, messages
        self.uid = harness.USERS[user][0]
        self.directory = machine.path("template-" + user)
        os.makedirs(self.directory)
        mail.write_all(self.directory, messages, maker, self.uid)
        self.octets = sum(entry.stat().st_size for entry in os.scandir(self.directory))

    def install(self):
        home = self.machine.path("home", self.user, "Maildir")
        shutil.rmtree(home, ignore_errors=True)
        self.machine.maildir(self.user)
        mail.link_all(self.directory, os.path.join(home, "cur"))
        return home
