"""A client that keeps a copy of a mailbox and resynchronises it by QRESYNC (RFC 7162), while others change the mailbox, the
server is restarted or killed, and its index is lost: the copy must be right after every SELECT, with nothing fetched anew
but what the server says.
"""
import glob
import os
import random
import re
import shutil

import harness
from harness import SAMPLES, USERS, Server, check, equal

SEED = int(os.environ.get("SEED", "7162"))
ROUNDS = int(os.environ.get("ROUNDS", "30"))
FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Work", "$Junk"]


class Connection:
    """Lines and their answers; every response is given to on_response()."""

    def __init__(self, server, user="alice"):
        self.socket = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
        self.socket.settimeout(60)
        self.file = self.socket.makefile("rb")
        self.tag = 0
        self.file.readline()
        check(self.command(f'LOGIN {user} "{USERS[user][1]}"').startswith("OK"), "login")

    def on_response(self, line):
        pass

    def on_tagged(self, line):
        pass

    def command(self, text, literal=None):
        self.tag += 1
        tag = f"t{self.tag}"
        self.socket.sendall(f"{tag} {text}\r\n".encode() + (literal + b"\r\n" if literal is not None else b""))
        while True:
            line = self.file.readline()
            check(line.endswith(b"\r\n"), "the connection ended in " + text, line)
            line = line.decode().rstrip("\r\n")
            if line.startswith(tag + " "):
                self.on_tagged(line)
                return line.split(" ", 1)[1]
            self.on_response(line)

    def close(self):
        self.file.close()
        self.socket.close()


def uids_of(text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Copy:
    """What a client keeps on its own disk."""

    def __init__(self):
        self.uidvalidity = None
        self.modseq = 0
        self.uidnext = 1
        self.messages = {}


class Client(Connection):
    def __init__(self, server, copy):
        self.copy = copy
        self.seen_modseq = 0
        self.told_modseq = None
        self.fetches_new = False
        super().__init__(server)
        check(self.command("ENABLE QRESYNC").startswith("OK"), "ENABLE QRESYNC")

    def on_response(self, line):
        copy = self.copy
        if m := re.match(r"\* OK \[UIDVALIDITY (\d+)\]", line):
            if copy.uidvalidity not in (None, int(m[1])):
                copy.messages, copy.modseq = {}, 0
            copy.uidvalidity = int(m[1])
        elif m := re.match(r"\* OK \[UIDNEXT (\d+)\]", line):
            self.server_uidnext = int(m[1])
        elif m := re.match(r"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)$", line):
            for uid in uids_of(m[1]):
                if "EARLIER" not in line:
                    check(uid in copy.messages or uid >= copy.uidnext, "VANISHED of what was never told", line)
                copy.messages.pop(uid, None)
        elif m := re.match(r"\* \d+ FETCH \((.*)\)$", line):
            self.on_fetch(m[1])
        if m := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
            self.told_modseq = int(m[1])

    def on_fetch(self, items):
        uid = int(re.search(r"UID (\d+)", items)[1])
        if m := re.search(r"MODSEQ \((\d+)\)", items):
            self.seen_modseq = max(self.seen_modseq, int(m[1]))
        m = re.search(r"FLAGS \(([^)]*)\)", items)
        if m and (uid < self.copy.uidnext or self.fetches_new):  # others come with the next visit
            self.copy.messages[uid] = frozenset(m[1].split()) - {"\\Recent"}

    def on_tagged(self, line):
        """RFC 7162 section 6: what HIGHESTMODSEQ says is taken; else the highest that was seen."""
        if m := re.search(r"\[HIGHESTMODSEQ (\d+)\]", line):
            self.told_modseq = int(m[1])
        if self.told_modseq is not None:
            self.copy.modseq = self.told_modseq
        else:
            self.copy.modseq = max(self.copy.modseq, self.seen_modseq)
        self.seen_modseq, self.told_modseq = 0, None

    def sync(self, rng):
        copy = self.copy
        parameter = ""
        if copy.uidvalidity and copy.modseq:
            known = f" 1:{copy.uidnext - 1}" if copy.uidnext > 1 and rng.random() < 0.5 else ""
            match = ""
            if copy.messages and rng.random() < 0.5:
                uids = sorted(copy.messages)
                some = sorted(rng.sample(range(len(uids)), min(len(uids), 5)))
                match = " (%s %s)" % (",".join(str(i + 1) for i in some), ",".join(str(uids[i]) for i in some))
            parameter = f" (QRESYNC ({copy.uidvalidity} {copy.modseq}{known}{match}))"
        answer = self.command("SELECT INBOX" + parameter)
        check(answer.startswith("OK"), "SELECT INBOX" + parameter, answer)
        if self.server_uidnext > copy.uidnext:
            self.fetches_new = True
            check(self.command(f"UID FETCH {copy.uidnext}:* (FLAGS)").startswith("OK"), "UID FETCH")
            self.fetches_new = False
        copy.uidnext = self.server_uidnext


def truth(server):
    found = {}

    class Look(Connection):
        def on_response(self, line):
            if m := re.match(r"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)\)", line):
                found[int(m[1])] = frozenset(m[2].split()) - {"\\Recent"}

    look = Look(server)
    check(look.command("EXAMINE INBOX").startswith("OK"), "EXAMINE")
    check(look.command("UID FETCH 1:* (UID FLAGS)").startswith("OK"), "UID FETCH")
    look.close()
    return found


def change(rng, machine, path, other, n):
    """One change, by another client or by another program."""
    what = rng.randrange(10)
    uids = sorted(truth_of(other))
    if what < 3 and uids:
        some = rng.sample(uids, rng.randrange(1, min(len(uids), 6) + 1))
        other.command("UID STORE %s %sFLAGS.SILENT (%s)" % (",".join(map(str, sorted(some))), rng.choice("+-"),
                                                          " ".join(rng.sample(FLAGS, rng.randrange(1, 4)))))
    elif what < 5 and uids:
        some = ",".join(map(str, sorted(rng.sample(uids, rng.randrange(1, min(len(uids), 4) + 1)))))
        other.command(f"UID STORE {some} +FLAGS.SILENT (\\Deleted)")
        other.command(f"UID EXPUNGE {some}")
    elif what < 7:
        text = f"Subject: {n}\r\n\r\n{n}\r\n".encode()
        other.command("APPEND INBOX (%s) {%d+}" % (rng.choice(FLAGS), len(text)), text)
    elif what == 7:
        machine.deliver(path, SAMPLES[n % len(SAMPLES)], USERS["alice"][0], 100000 + n)
    else:
        files = sorted(glob.glob(path + "/cur/*"))
        if files and what == 8:
            os.unlink(rng.choice(files))
        elif files:
            name = rng.choice(files)
            base, _, letters = name.partition(":2,")
            letters = "".join(sorted(set(letters) ^ set(rng.choice(["S", "F", "R", "FS"]))))
            os.rename(name, f"{base}:2,{letters}")


def truth_of(other):
    found = set()
    old, other.on_response = other.on_response, lambda line: found.update(
        int(u) for u in re.findall(r"\d+", line[8:])) if line.startswith("* SEARCH") else None
    other.command("UID SEARCH ALL")
    other.on_response = old
    return found


def disaster(rng, server, path):
    """What befalls the server between two visits."""
    what = rng.choice(["nothing", "nothing", "restart", "kill", "index lost", "index lost", "index spoilt"])
    if what == "nothing":
        return what
    if what == "kill":
        server.kill()
    else:
        server.stop()
    index = path + "/restante.index"
    if what == "index lost":
        shutil.rmtree(index, ignore_errors=True)
    if what == "index spoilt":
        for name in glob.glob(index + "/*"):
            size = os.path.getsize(name)
            with open(name, "r+b") as f:
                f.seek(rng.randrange(max(size, 1)))
                f.write(rng.randbytes(4096))
    server.start()
    return what


def differences(got, want):
    return {uid: (sorted(got.get(uid, ["none"])), sorted(want.get(uid, ["none"])))
            for uid in got.keys() | want.keys() if got.get(uid) != want.get(uid)}


def play(machine, rounds, seed):
    rng = random.Random(seed)
    path = machine.path("home", "alice", "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    machine.maildir("alice", [SAMPLES[i % len(SAMPLES)] for i in range(20)])
    server = Server(machine)
    copy, n = Copy(), 0
    for number in range(rounds):
        client = Client(server, copy)
        client.sync(rng)
        equal(differences(copy.messages, truth(server)), {}, f"copy after SELECT of round {number} (seed {seed})")
        other = Connection(server)
        check(other.command("SELECT INBOX").startswith("OK"), "SELECT")
        online = rng.random() < 0.6
        if not online:
            client.close()
        for _ in range(rng.randrange(8)):
            n += 1
            change(rng, machine, path, other, n)
            if online:
                client.command(rng.choice(["NOOP", "CHECK", "UID FETCH 1:* (UID)", "FETCH 1:* (UID)", "SEARCH ALL"]))
                if copy.messages and rng.random() < 0.3:
                    uid = rng.choice(sorted(copy.messages))
                    client.command(f"UID STORE {uid} +FLAGS ({rng.choice(FLAGS)})")
        if online:
            client.close()
        other.close()
        disaster(rng, server, path)
    client = Client(server, copy)
    client.sync(rng)
    equal(differences(copy.messages, truth(server)), {}, "copy at the end")
    client.close()
    server.stop()


def test_copy_stays_right(machine):
    play(machine, ROUNDS, SEED)


def test_copy_stays_right_again(machine):
    play(machine, ROUNDS, SEED + 1)


TESTS = [test_copy_stays_right, test_copy_stays_right_again]
if __name__ == "__main__":
    harness.main("resync", TESTS)
