#!/usr/bin/env python3
"""One Maildir, served by a real Dovecot and read by maildir_dump in turns: both must say the same of every message.

Dovecot runs as its imap and pop3 programs on standard input and output, without a daemon. Without Dovecot: skipped.
"""
import imaplib
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DUMP = os.path.join(ROOT, os.environ.get("B", "build"), "tests", "maildir_dump")
LIBEXEC = "/usr/lib/dovecot"
STEPS = int(os.environ.get("DOVECOT_STEPS", "120"))
SEED = int(os.environ.get("DOVECOT_SEED", "7"))


def become_user():
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)


class Place:
    """A directory with a Maildir and Dovecot's configuration."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="restante-dovecot-")
        self.dump_program = shutil.copy(DUMP, self.dir)  # where any user may run it
        self.maildir = os.path.join(self.dir, "Maildir")
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(self.maildir, part), 0o700)
        os.mkdir(os.path.join(self.dir, "base"))
        ids = "mail_uid = 65534\nmail_gid = 65534\n" if os.getuid() == 0 else ""
        with open(os.path.join(self.dir, "dovecot.conf"), "w") as f:
            f.write(f"base_dir = {self.dir}/base\nlog_path = {self.dir}/log\nssl = no\nprotocols = imap pop3\n"
                    f"mail_location = maildir:{self.maildir}\nfirst_valid_uid = 1\n{ids}"
                    "mailbox_list_index = no\n")
        self.count = 0
        self.own()

    def own(self):
        if os.getuid() == 0:
            for top, dirs, files in os.walk(self.dir):
                for name in dirs + files + [""]:
                    os.chown(os.path.join(top, name), 65534, 65534, follow_symlinks=False)

    def program(self, name):
        user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        return (["env", f"HOME={self.dir}", f"USER={user}", f"{LIBEXEC}/{name}", "-c", f"{self.dir}/dovecot.conf"])

    def imap(self):
        return Imap(self)

    def pop3(self):
        """UIDL and LIST: [(uidl, size)] in the order of message numbers."""
        out = subprocess.run(self.program("pop3"), input=b"UIDL\r\nLIST\r\nQUIT\r\n", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, preexec_fn=become_user, timeout=60).stdout.decode()
        lists = re.findall(r"^\+OK[^\n]*\n(.*?)^\.\r?\n", out, re.S | re.M)
        uidls = [line.split(" ", 1)[1].strip() for line in lists[-2].splitlines() if re.match(r"\d+ ", line)]
        sizes = [int(line.split()[1]) for line in lists[-1].splitlines() if re.match(r"\d+ ", line)]
        return list(zip(uidls, sizes))

    def dump(self, *command):
        """What maildir_dump says: (header dict, {uid: message dict}, [uid in POP3 order])."""
        run = subprocess.run([self.dump_program, self.maildir, *command], capture_output=True, preexec_fn=become_user, timeout=120)
        if run.returncode != 0:
            raise AssertionError(f"maildir_dump {command}: {run.stderr.decode()}")
        lines = run.stdout.decode().splitlines()
        header = dict(f.split("=") for f in lines[0].split())
        messages = {}
        for line in lines[1:-1]:
            m = re.match(r"(\d+) size=(\d+) date=(\d+) uidl=(\S+) flags=(.*)$", line)
            messages[int(m[1])] = {"size": int(m[2]), "date": int(m[3]), "uidl": m[4],
                                   "flags": sorted(f.lower() for f in m[5].split())}
        return header, messages, [int(u) for u in lines[-1].split()[1:]]

    def deliver(self, name=None, crlf=False, directory="new", info=""):
        self.count += 1
        name = name or f"{int(time.time())}.M{self.count:06d}P{os.getpid()}.host"
        end = "\r\n" if crlf else "\n"
        text = f"Subject: message {self.count}{end}{end}body {'x' * (self.count % 50)}{end}"
        tmp = os.path.join(self.maildir, "tmp", name)
        with open(tmp, "w", newline="") as f:
            f.write(text)
        if os.getuid() == 0:
            os.chown(tmp, 65534, 65534)
        os.rename(tmp, os.path.join(self.maildir, directory, name + info))

    def read(self, name):
        with open(os.path.join(self.maildir, name)) as f:
            return f.read()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Stream(imaplib.IMAP4_stream):
    def open(self, host=None, port=None, timeout=None):
        self.host = self.port = self.sock = self.file = None
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, preexec_fn=become_user)
        self.writefile, self.readfile = self.process.stdin, self.process.stdout

    def shutdown(self):
        self.readfile.close()
        self.writefile.close()
        self.process.wait()


class Imap:
    """An IMAP connection to Dovecot with INBOX selected."""

    def __init__(self, place):
        self.c = Stream(place.program("imap"))
        self.c.command = place.program("imap")
        self.select()

    def select(self):
        ok, _ = self.c.select("INBOX")
        assert ok == "OK", ok
        self.uidvalidity = int(self.c.response("UIDVALIDITY")[1][0])
        self.uidnext = int(self.c.response("UIDNEXT")[1][0])

    def messages(self):
        ok, answer = self.c.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE)")
        assert ok == "OK", answer
        messages = {}
        for line in answer:
            if line is None:
                continue
            text = line.decode()
            if "INTERNALDATE" not in text:
                continue  # flags told unasked
            flags = re.search(r"FLAGS \(([^)]*)\)", text)[1].lower().split()
            date = time.strptime(re.search(r'INTERNALDATE "([^"]*)"', text)[1].strip(), "%d-%b-%Y %H:%M:%S %z")
            messages[int(re.search(r"UID (\d+)", text)[1])] = {
                "size": int(re.search(r"RFC822.SIZE (\d+)", text)[1]),
                "date": int(time.mktime(date) - time.timezone - date.tm_gmtoff) if date.tm_gmtoff is not None else 0,
                "flags": sorted(f for f in flags if f != "\\recent"),
            }
        return messages

    def store(self, uid, how, flags):
        ok, answer = self.c.uid("STORE", str(uid), how + "FLAGS.SILENT", "(" + " ".join(flags) + ")")
        assert ok == "OK", answer

    def subjects(self):
        ok, answer = self.c.uid("FETCH", "1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        assert ok == "OK", answer
        return {int(re.search(rb"UID (\d+)", a[0])[1]): a[1].strip() for a in answer if isinstance(a, tuple)}

    def close(self):
        self.c.logout()


def same(place, what):
    """Compare what both say. Dovecot is asked twice: with IMAP and POP3."""
    header, ours, order = place.dump()
    c = place.imap()
    theirs = c.messages()
    assert int(header["uidvalidity"]) == c.uidvalidity, f"{what}: UIDVALIDITY {header} {c.uidvalidity}"
    assert int(header["uidnext"]) == c.uidnext, f"{what}: UIDNEXT {header} {c.uidnext}"
    c.close()
    assert sorted(ours) == sorted(theirs), f"{what}: UIDs {sorted(ours)} {sorted(theirs)}"
    for uid in ours:
        for key in ("size", "date", "flags"):
            assert ours[uid][key] == theirs[uid][key], f"{what}: UID {uid} {key}: {ours[uid]} {theirs[uid]}"
    return header, ours, order


def same_pop3(place, what):
    _, ours, order = same(place, what)
    want = place.pop3()
    got = [(ours[uid]["uidl"], ours[uid]["size"]) for uid in order]
    assert got == want, f"{what}: POP3 {got} {want}"


def test_dovecot_first(place):
    for name in ("1700000002.M1P2.host", "1700000001.M30P1.a", "1700000001.M4P9.host", "1700000001.b", "abc",
                 "1700000001.a", "17.V8I2M777.z", "1700000001.M5P9.host", "1700000001.M5P10.host"):
        place.deliver(name, crlf=len(name) % 2 == 0)
    place.deliver("1600000000.odd", directory="cur", info=":2,SXd")
    c = place.imap()
    c.store("1", "+", ["$Forwarded", "foo", "bar"])
    c.store("2:3", "+", ["\\Seen", "\\Answered", "\\Draft", "foo"])
    c.store("4", "+", ["\\Deleted", "\\Flagged"])
    c.close()
    place.pop3()  # lets it write W fields
    same_pop3(place, "after Dovecot")


def test_ours_first(place):
    for name in ("1700000002.M1P2.host", "1700000001.M30P1.a", "1700000001.M4P9.host", "1700000001.b", "abc"):
        place.deliver(name)
    place.dump("flags", "2", "+", "\\Seen,$Forwarded,mine,other")
    place.dump("flags", "3", "+", "other,\\Flagged")
    before = place.read("dovecot-uidlist")
    same(place, "after us")
    assert place.read("dovecot-uidlist") == before, "Dovecot found something to mend"
    assert place.read("dovecot-keywords") == "0 mine\n1 other\n2 $Forwarded\n", place.read("dovecot-keywords")
    same_pop3(place, "after us, POP3")


def test_same_order(place):
    """Both give UIDs in the same order, whoever sees the files first."""
    rng = random.Random(SEED)
    names = [f"{1700000000 + rng.randrange(3)}{rng.choice(['.M%dP1.h' % rng.randrange(200), '.%d.h' % rng.randrange(50)])}"
             for _ in range(60)]
    result = []
    for first in ("dovecot", "us"):
        other = Place()
        for name in sorted(set(names)):
            other.deliver(name)
        if first == "dovecot":
            other.imap().close()
        else:
            other.dump()
        result.append([line.split(":", 1)[1] for line in other.read("dovecot-uidlist").splitlines()[1:]])
        other.remove()
    assert result[0] == result[1], result


def test_pop3_fields(place):
    for name in ("1.a", "2.b", "3.c", "4.d"):
        place.deliver(name)
    place.imap().close()
    lines = place.read("dovecot-uidlist").splitlines()
    lines[0] += " Zkeep"
    lines[1] = lines[1].replace(" :", " Pold-one O9 :")
    lines[2] = lines[2].replace(" :", " P :")
    lines[3] = lines[3].replace(" :", " O3 Gsomeguid :")
    with open(os.path.join(place.maildir, "dovecot-uidlist"), "w") as f:
        f.write("\n".join(lines) + "\n")
    for name in os.listdir(place.maildir):
        if name.startswith("dovecot.index"):
            os.unlink(os.path.join(place.maildir, name))
    same_pop3(place, "P and O")
    place.deliver("5.e")
    place.dump()
    same_pop3(place, "P and O, one more")
    assert " Zkeep" in place.read("dovecot-uidlist").splitlines()[0]


FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "alpha", "Beta", "gamma", "NonJunk"]


def random_step(place, rng, uids):
    what = rng.randrange(12)
    uid = rng.choice(uids) if uids else 0
    flags = rng.sample(FLAGS, 1 + rng.randrange(3))
    how = rng.choice(["+", "-", ""])
    if what == 0 or not uids:
        for _ in range(1 + rng.randrange(3)):
            place.deliver(crlf=rng.randrange(2) == 0)
        return "deliver"
    if what in (1, 2):
        place.dump("flags", str(uid), how or "=", ",".join(flags))
        return f"our flags {uid} {how} {flags}"
    if what == 3:
        place.dump("expunge", str(uid))
        return f"our expunge {uid}"
    if what == 9:
        place.count += 1
        place.dump("append", ",".join(flags), f"Subject: message {place.count}||ours|")
        return f"our append {flags}"
    if what in (10, 11):
        place.dump("copy" if what == 10 else "move", str(uid), "INBOX")
        return f"our {'copy' if what == 10 else 'move'} {uid}"
    c = place.imap()
    if what in (4, 5):
        c.store(uid, how, flags)
        did = f"their flags {uid} {how} {flags}"
    elif what == 6:
        c.store(uid, "+", ["\\Deleted"])
        c.c.uid("EXPUNGE", str(uid))
        did = f"their expunge {uid}"
    elif what == 7:
        c.c.append("INBOX", "(\\Seen alpha)", '"01-Jan-2020 01:02:03 +0000"', b"Subject: appended\r\n\r\nbody\r\n")
        did = "their append"
    else:
        c.c.uid("COPY", str(uid), "INBOX")
        did = f"their copy {uid}"
    c.close()
    return did


def test_in_turns(place):
    rng = random.Random(SEED)
    place.imap().close()
    uids = []
    for step in range(STEPS):
        did = random_step(place, rng, uids)
        _, ours, _ = same(place, f"seed {SEED}, step {step}, {did}")
        uids = sorted(ours)


def test_at_the_same_time(place):
    """Deliveries, Dovecot and maildir_dump all at once: nothing lost, no UID ever means another message."""
    stop = threading.Event()
    errors = []

    def deliveries():
        for _ in range(150):
            place.deliver()
            time.sleep(0.01)
        stop.set()

    def theirs():
        try:
            c = place.imap()
            n = 0
            while not stop.is_set():
                c.c.noop()
                uids = sorted(c.messages())
                if uids:
                    c.store(uids[n % len(uids)], "+-"[n % 2], ["\\Flagged", "alpha"])
                n += 1
            c.close()
        except Exception:  # noqa: BLE001 - reported below
            errors.append("Dovecot:\n" + traceback.format_exc())

    known, appended = {}, []

    def ours():
        try:
            n = 0
            while not stop.is_set():
                _, messages, _ = place.dump()
                for uid, message in messages.items():
                    if known.setdefault(uid, message["size"]) != message["size"]:
                        errors.append(f"UID {uid} changed")
                if n % 5 == 0 and len(appended) < 20:
                    appended.append(n)
                    place.dump("append", "\\Seen,beta", f"Subject: appended {n}||{'y' * (n % 40)}|")
                if messages:
                    place.dump("flags", str(sorted(messages)[n % len(messages)]), "+-"[n % 2], "\\Seen,beta")
                n += 1
        except Exception:  # noqa: BLE001
            errors.append("we:\n" + traceback.format_exc())

    place.imap().close()
    threads = [threading.Thread(target=t) for t in (deliveries, theirs, ours)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(240)
    assert not errors, "\n".join(errors)
    _, messages, _ = same(place, "afterwards")
    assert len(messages) == 150 + len(appended), (len(messages), len(appended))
    c = place.imap()
    subjects = c.subjects()
    c.close()
    assert len(set(subjects.values())) == 150 + len(appended)
    for uid, size in known.items():
        assert messages[uid]["size"] == size, uid
    assert not os.path.exists(os.path.join(place.maildir, "dovecot-uidlist.lock"))
    assert not [n for n in os.listdir(place.maildir) if "broken" in n]


def main():
    tests = [t for name, t in globals().items() if name.startswith("test_")]
    if not os.access(f"{LIBEXEC}/imap", os.X_OK) or not os.access(f"{LIBEXEC}/pop3", os.X_OK):
        print("Dovecot is not installed: skipped")
        print("test_uidlist_dovecot: 0 passed, 0 failed")
        return 0
    passed = failed = 0
    for test in tests:
        place = Place()
        try:
            test(place)
            passed += 1
        except Exception:  # noqa: BLE001 - a test program reports every failure
            failed += 1
            print(f"FAIL {test.__name__}")
            traceback.print_exc(file=sys.stdout)
            log = os.path.join(place.dir, "log")
            if os.path.exists(log):
                with open(log) as f:
                    print(f.read()[-2000:])
        finally:
            place.remove()
    print(f"test_uidlist_dovecot: {passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
