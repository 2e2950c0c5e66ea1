"""Messages that clients add, copy and move, by the daemon over TLS: what comes back, what is on the disk, and what Dovecot says of it."""
import glob
import imaplib
import os
import random
import re
import shutil
import subprocess
import threading
import time

import harness
from harness import SAMPLES, USERS, Server, check, equal, run

LIBEXEC = "/usr/lib/dovecot"
imaplib._MAXLINE = 1 << 24


def maildir(machine, user="alice", samples=(), mailboxes=("Sub",)):
    path = machine.path("home", user, "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    machine.maildir(user, list(samples))
    for name in mailboxes:
        for part in ("cur", "new", "tmp"):
            os.makedirs(f"{path}/.{name}/{part}", 0o700)
    run("chown", "-R", str(USERS[user][0]), path)
    return path


def message(n, lines=3):
    rng = random.Random(n)
    body = "".join(f"{rng.random()} {'x' * rng.randrange(60)}\r\n" for _ in range(lines))
    return (f"From: a@example.org\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <m{n}@example.org>\r\n"
            f"Subject: message {n}\r\n\r\n{body}").encode()


def appenduid(answer):
    found = re.match(rb"\[APPENDUID (\d+) (\d+)\]", answer[1][0])
    check(answer[0] == "OK" and found, "APPENDUID", answer)
    return int(found[2])


def body(m, uid):
    answer = m.uid("FETCH", str(uid), "(RFC822.SIZE BODY.PEEK[])")[1]
    check(isinstance(answer[0], tuple), f"message {uid}", answer)
    check(b"RFC822.SIZE %d " % len(answer[0][1]) in answer[0][0], f"size of {uid}", answer[0][0])
    return answer[0][1]


def test_octets_come_back(machine):
    path = maildir(machine)
    server = Server(machine)
    m = server.imap("alice")
    m.select("INBOX")
    large = message(0, 200000)
    check(len(large) > 10_000_000, "10 MB", len(large))
    messages = [large, message(1), b"x", b"\r\n", b"a\r\r\nb\rc\r\n\r", bytes(range(1, 10)) + bytes(range(14, 256)) + b"\r\n"]
    m.literal = None
    uids = []
    for n, text in enumerate(messages):
        imaplib.MapCRLF, kept = re.compile(rb"$^"), imaplib.MapCRLF  # octets as they are
        try:
            uids.append(appenduid(m.append("INBOX", r"(\Seen $Junk)", '"17-Jul-1996 02:44:25 -0700"', text)))
        finally:
            imaplib.MapCRLF = kept
    for uid, text in zip(uids, messages):
        check(body(m, uid) == text, f"octets of UID {uid}, {len(text)} of them")
    server.kill()
    equal(glob.glob(path + "/tmp/*"), [], "nothing is left in tmp/")
    for name in os.listdir(path + "/cur"):
        size = int(re.search(r",S=(\d+),W=\d+:2,Sa$", name)[1])
        equal(size, os.path.getsize(f"{path}/cur/{name}"), name)

    server = Server(machine)
    m = server.imap("alice")
    m.select("INBOX", readonly=True)
    equal(m.uid("SEARCH", "ALL")[1][0].split(), [b"%d" % u for u in uids], "UIDs after a kill")
    for uid, text in zip(uids, messages):
        check(body(m, uid) == text, f"octets of UID {uid} after a kill")
    check(b'"17-Jul-1996 09:44:25 +0000"' in m.uid("FETCH", "1", "INTERNALDATE")[1][0], "INTERNALDATE")
    m.logout()


def test_refused(machine):
    maildir(machine)
    server = Server(machine)
    m = server.imap("alice")
    answer = m.append("Missing", None, None, message(1))
    check(answer[0] == "NO" and answer[1][0].startswith(b"[TRYCREATE]"), "TRYCREATE", answer)
    m.send(b"big APPEND INBOX {9999999999}\r\n")
    check(m.readline().startswith(b"big NO [TOOBIG]"), "refused before it is sent")
    m.send(b"unasked APPEND Missing {100000+}\r\n" + b"x" * 100000 + b"\r\nafter NOOP\r\n")
    check(m.readline().startswith(b"unasked NO [TRYCREATE]"), "read over")
    check(m.readline().startswith(b"after OK"), "the next command")
    m.send(b"half APPEND INBOX {100000+}\r\n" + b"x" * 50000)
    half = machine.path("home/alice/Maildir/tmp/*")
    harness.wait_for(lambda: glob.glob(half), "half a message to come")
    m.shutdown()
    harness.wait_for(lambda: not glob.glob(half), "half a message to go")
    m = server.imap("alice")
    equal(m.select("INBOX")[1], [b"0"], "half a message is none")
    m.logout()


def test_curl(machine):
    maildir(machine)
    server = Server(machine)
    file = machine.path("upload.eml")
    with open(file, "wb") as f:
        f.write(message(7, 1000))
    url = f"imaps://localhost:{server.ports['imaps']}/INBOX"
    run("curl", "-sS", "--cacert", server.ca, "-u", "alice:correct horse", "-T", file, url)
    got = run("curl", "-sS", "--cacert", server.ca, "-u", "alice:correct horse", url + ";UID=1").stdout
    check(got == message(7, 1000), "what curl sent comes back")


def test_copy_and_move(machine):
    path = maildir(machine, samples=SAMPLES)
    server = Server(machine)
    m, other = server.imap("alice"), server.imap("alice")
    m.select("INBOX")
    other.select("Sub")
    n = len(SAMPLES)
    m.store("2", "+FLAGS", r"(\Flagged $Work)")
    answer = m.copy("1:3", "Sub")
    check(answer[0] == "OK" and re.match(rb"\[COPYUID \d+ 1:3 1:3\]", answer[1][0]), "COPY", answer)
    m.response("COPYUID")
    other.noop()
    equal(other.response("EXISTS")[1][-1], b"3", "the other connection learns of it")
    check(b"\\Flagged $Work" in other.fetch("2", "FLAGS")[1][0], "flags and keywords go with it")
    equal([body(other, u) for u in (1, 2, 3)], [body(m, u) for u in (1, 2, 3)], "the same octets")
    equal(os.stat(glob.glob(path + "/.Sub/cur/*")[0]).st_nlink, 2, "hard links")

    answer = m._simple_command("MOVE", "1:2", "Sub")
    equal(answer[0], "OK", "MOVE")
    check(re.match(rb"\d+ 1:2 4:5", m.response("COPYUID")[1][0]), "COPYUID of MOVE")
    equal(m.response("EXPUNGE")[1], [b"2", b"1"], "EXPUNGE of MOVE")
    equal(m.uid("SEARCH", "ALL")[1][0].split()[0], b"3")
    equal(m.noop()[0], "OK")
    equal(len(os.listdir(path + "/cur")), n - 2)
    equal(len(os.listdir(path + "/.Sub/cur")), 5)
    other.noop()
    equal(other.uid("SEARCH", "ALL")[1], [b"1 2 3 4 5"])
    equal(m.copy("1", "Missing")[1][0][:11], b"[TRYCREATE]")
    m.logout()
    other.logout()


def test_mbsync(machine):
    maildir(machine, samples=SAMPLES[:3])
    server = Server(machine)
    local = machine.path("mbsync")
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{local}/mail/{part}")
    for n in range(200):
        with open(f"{local}/mail/cur/{1700000000 + n}.{n}.host:2,{'S' if n % 2 else ''}{'T' if n == 7 else ''}", "wb") as f:
            f.write(message(n).replace(b"\r\n", b"\n"))
    rc = machine.path("mbsyncrc")
    with open(rc, "w") as f:
        f.write(f"IMAPAccount server\nHost localhost\nPort {server.ports['imaps']}\nUser alice\nPass \"correct horse\"\n"
                f"SSLType IMAPS\nCertificateFile {server.ca}\n\nIMAPStore far\nAccount server\n\n"
                f"MaildirStore near\nPath {local}/\nInbox {local}/mail\n\n"
                f"Channel all\nFar :far:INBOX\nNear :near:INBOX\nSync All\nExpunge Both\nSyncState {local}/state\n")

    def sync():
        done = run("mbsync", "-V", "-c", rc, "all", timeout=120, env={**os.environ, "HOME": machine.dir})
        return (done.stdout + done.stderr).decode()

    sync()
    m = server.imap("alice")
    m.select("INBOX")
    equal(len(m.uid("SEARCH", "ALL")[1][0].split()), 202, "messages on the server (one was deleted)")
    equal(len(m.uid("SEARCH", "SEEN")[1][0].split()), 99, "\\Seen went with them")
    equal(len(glob.glob(local + "/mail/cur/*")) + len(glob.glob(local + "/mail/new/*")), 202, "messages here")
    subjects = b" ".join(a[1] for a in m.uid("FETCH", "1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[1] if isinstance(a, tuple))
    equal(sorted(map(int, re.findall(rb"message (\d+)", subjects))), [n for n in range(200) if n != 7])
    before = m.uid("SEARCH", "ALL")[1], sorted(os.listdir(local + "/mail/cur"))
    again = sync()
    equal((m.uid("SEARCH", "ALL")[1], sorted(os.listdir(local + "/mail/cur"))), before, "a second run moves nothing: " + again)
    m.store("5", "+FLAGS", r"(\Flagged)")
    uid = m.uid("SEARCH", "FLAGGED")[1][0]
    check(uid, "one is flagged")
    sync()
    equal(len(glob.glob(local + "/mail/*/*:2,F*")), 1, "a flag comes here")
    m.logout()


class Dovecot(imaplib.IMAP4_stream):
    """Its imap program, without a daemon, on the Maildir of a user."""

    def __init__(self, machine, user, path):
        uid = USERS[user][0]
        self.uid_of_user = uid
        directory = machine.path("dovecot")
        os.makedirs(directory + "/base", exist_ok=True)
        with open(directory + "/dovecot.conf", "w") as f:
            f.write(f"base_dir = {directory}/base\nlog_path = {directory}/log\nssl = no\nprotocols = imap\n"
                    f"mail_location = maildir:{path}\nfirst_valid_uid = 1\nmail_uid = {uid}\nmail_gid = {uid}\n"
                    "mailbox_list_index = no\n")
        run("chown", "-R", f"{uid}:{uid}", directory)
        self.arguments = ["env", f"HOME={directory}", f"USER={user}", f"{LIBEXEC}/imap", "-c", directory + "/dovecot.conf"]
        super().__init__("")

    def open(self, host=None, port=None, timeout=None):
        self.host = self.port = self.sock = self.file = None
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        user=self.uid_of_user, group=self.uid_of_user, extra_groups=[])
        self.writefile, self.readfile = self.process.stdin, self.process.stdout

    def shutdown(self):
        self.readfile.close()
        self.writefile.close()
        self.process.wait()


def what_it_says(m, mailbox):
    """{UID: (flags, size, subject)}"""
    m.select(mailbox, readonly=True)
    messages = {}
    for a in m.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
        if isinstance(a, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", a[0])[1].lower().split()
            messages[int(re.search(rb"UID (\d+)", a[0])[1])] = (
                sorted(f for f in flags if f != b"\\recent"), re.search(rb"RFC822.SIZE (\d+)", a[0])[1], a[1].strip())
    return messages


def test_beside_dovecot(machine):
    """Both append, copy and move at once: each message is there once, and both say the same of it."""
    if not os.access(LIBEXEC + "/imap", os.X_OK):
        return
    path = maildir(machine)
    run("chown", "-R", f"{USERS['alice'][0]}:{USERS['alice'][0]}", path)
    server = Server(machine)
    known, errors = {}, []

    def work(make, first):
        try:
            m = make()
            m.select("INBOX")
            for n in range(first, first + 40):
                uid = appenduid(m.append("INBOX", r"(\Seen alpha)", None, message(n)))
                check(known.setdefault(uid, n) == n, f"UID {uid} was given twice")
                if n % 4 == 0:
                    equal(m.uid("COPY", str(uid), "Sub")[0], "OK", "COPY")
                if n % 5 == 0:
                    equal(m.uid("MOVE", str(uid), "Sub")[0], "OK", "MOVE")
            m.logout()
        except Exception as e:  # noqa: BLE001 - told below
            errors.append(repr(e))

    imaplib.Commands.setdefault("MOVE", ("SELECTED",))
    threads = [threading.Thread(target=work, args=(lambda: server.imap("alice"), 1000)),
               threading.Thread(target=work, args=(lambda: Dovecot(machine, "alice", path), 2000))]
    for t in threads:
        t.start()
    for t in threads:
        t.join(240)
    equal(errors, [], "while both worked")
    ours, theirs = server.imap("alice"), Dovecot(machine, "alice", path)
    for mailbox, want in (("INBOX", [n for n in known.values() if n % 5]),
                          ("Sub", [n for n in known.values() if n % 4 == 0] + [n for n in known.values() if n % 5 == 0])):
        a, b = what_it_says(ours, mailbox), what_it_says(theirs, mailbox)
        equal(sorted(a), sorted(b), f"UIDs of {mailbox}")
        equal(a, b, mailbox)
        equal(sorted(int(s.split()[-1]) for _, _, s in a.values()), sorted(want), f"messages of {mailbox}")
        if mailbox == "INBOX":
            for uid, (_, _, subject) in a.items():
                equal(int(subject.split()[-1]), known[uid], f"UID {uid} means what was told")
    ours.logout()
    theirs.logout()
    equal(glob.glob(path + "/*broken*") + glob.glob(path + "/tmp/*"), [])


TESTS = [test_octets_come_back, test_refused, test_curl, test_copy_and_move, test_mbsync, test_beside_dovecot]
if __name__ == "__main__":
    imaplib.Commands.setdefault("MOVE", ("SELECTED",))
    harness.main("append", TESTS)
