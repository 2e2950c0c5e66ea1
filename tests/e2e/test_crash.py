"""kill -9 at random moments of a mixed load: what was acknowledged is there, once, under its UID, and service goes on.

A client appends, copies, moves, stores, expunges, makes, renames and deletes mailboxes, deletes by POP3, while mail is
delivered; somewhere in it the session of the user is killed, at times a front, at times the master (which is started
again). Then a new login looks at everything, and compares it with what it was told: a command that was answered is
done, one that was not is done or not, message by message; a MOVE that was not answered, or a RENAME of INBOX, leaves
each message in one of the two mailboxes.

CRASH_KILLS (default 25) is how often, CRASH_SEED where the dice begin.
"""
import collections
import os
import poplib
import random
import re
import shutil
import signal
import ssl
import threading
import time

import harness
from harness import USERS, Server, check, equal, wait_for

KILLS = int(os.environ.get("CRASH_KILLS", "25"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
USER = "alice"
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Forwarded"] + [f"key{n}" for n in range(32)]
MOST = 40  # messages in a mailbox


class Dead(Exception):
    """The connection ended before the answer."""


class Client:
    """One IMAP connection, as little as is needed."""

    def __init__(self, server):
        try:
            self.s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
            self.s.settimeout(30)
            self.data = b""
            self.tag = 0
            self.selected = None
            self.trail = []
            check(self.line().startswith(b"* OK"), "greeting")
            self.ok(f'LOGIN {USER} "{USERS[USER][1]}"')
        except (OSError, ssl.SSLError) as e:
            raise Dead(f"login: {e}") from None

    def line(self):
        while b"\n" not in self.data:
            self.more()
        line, self.data = self.data.split(b"\n", 1)
        return line + b"\n"

    def more(self):
        try:
            piece = self.s.recv(65536)
        except TimeoutError:
            raise harness.Failed("no answer, and no end of the connection") from None
        except (OSError, ssl.SSLError) as e:
            raise Dead(str(e)) from None
        if not piece:
            raise Dead("end of the connection")
        self.data += piece

    def response(self):
        """One response, with its literals."""
        text = self.line()
        while found := re.search(rb"\{(\d+)\}\r\n\Z", text):
            while len(self.data) < int(found[1]):
                self.more()
            text += self.data[:int(found[1])]
            self.data = self.data[int(found[1]):]
            text += self.line()
        return text

    def command(self, text):
        self.tag += 1
        tag = b"c%d " % self.tag
        try:
            self.s.sendall(tag + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        except (OSError, ssl.SSLError) as e:
            raise Dead(str(e)) from None
        untagged = []
        while True:
            response = self.response()
            if response.startswith(tag):
                self.trail.append((text, response[:80]))
                return response[len(tag):], untagged
            if response.startswith(b"* BYE"):
                raise Dead(response.decode(errors="replace"))
            untagged.append(response)

    def ok(self, text):
        answer, untagged = self.command(text)
        check(answer.startswith(b"OK"), f"{text!r:.100}", answer, untagged[-3:])
        return answer, untagged

    def select(self, name):
        if self.selected != name:
            self.selected = None
            self.ok(f'SELECT "{name}"')
            self.selected = name

    def close(self):
        self.s.close()


Message = collections.namedtuple("Message", "text flags")


class Mailbox:
    def __init__(self, uidvalidity=None):
        self.uidvalidity = uidvalidity
        self.messages = {}
        self.top = 0  # the highest UID ever told
        self.told = set()  # all UIDs ever told
        self.expect = []  # messages that are there under UIDs that were not told: of RENAME INBOX
        self.was_inbox = False  # deliveries may be here, too


def message(text):
    return f"Subject: {text}\r\n\r\nThis is {text}.\r\n{'x' * (sum(text.encode()) % 300)}\r\n".encode()


class Load:
    """What the client does, what it was told, and what it does not know."""

    def __init__(self, machine, rng):
        self.machine, self.rng = machine, rng
        self.path = machine.path("home", USER, "Maildir")
        self.mailboxes = {"INBOX": Mailbox()}
        self.subscribed = set()
        self.used = set()  # every UIDVALIDITY there ever was
        self.delivered = set()  # texts whose UID nobody has asked for yet
        self.count = 0
        self.flight = None  # the operation that was not answered
        self.done = collections.Counter()
        self.trail = []  # what was asked, and answered, since the last look

    def new_text(self):
        self.count += 1
        return f"m{self.count}"

    def pick(self, least=0):
        names = [n for n, m in self.mailboxes.items() if len(m.messages) >= least]
        return self.rng.choice(sorted(names)) if names else None

    def uids(self, name, most=6):
        known = sorted(self.mailboxes[name].messages)
        return sorted(self.rng.sample(known, min(len(known), self.rng.randint(1, most))))

    def flags(self):
        return frozenset(self.rng.sample(FLAGS, self.rng.randint(0, 3)))

    # Each operation sets self.flight before it asks, and writes down what it was told.

    def append(self, c):
        name = self.pick()
        texts = [(self.new_text(), self.flags()) for _ in range(self.rng.choice([1, 1, 1, 2, 5]))]
        self.flight = ("add", name, [t for t, _ in texts])
        parts = b"".join(b" (%s) {%d+}\r\n%s" % (" ".join(f).encode(), len(message(t)), message(t)) for t, f in texts)
        answer, _ = c.ok(f'APPEND "{name}"'.encode() + parts)
        first = int(re.search(rb"APPENDUID \d+ (\d+)", answer)[1])
        self.added(name, first, [Message(t, f) for t, f in texts])

    def added(self, name, first, messages):
        box = self.mailboxes[name]
        for n, m in enumerate(messages):
            check(first + n not in box.messages and first + n > box.top, f"UID {first + n} of {name} is new")
            box.messages[first + n] = m
        box.top = max([box.top, *box.messages])
        box.told.update(box.messages)

    def copy(self, c, move=False):
        name, target = self.pick(1), self.pick()
        if not name or len(self.mailboxes[target].messages) > MOST or (move and name == target):
            return
        uids = self.uids(name)
        messages = [self.mailboxes[name].messages[u] for u in uids]
        c.select(name)
        self.flight = ("move" if move else "add", target, [m.text for m in messages], name, uids)
        answer, untagged = c.ok(f'UID {"MOVE" if move else "COPY"} {",".join(map(str, uids))} "{target}"')
        told = re.search(rb"COPYUID \d+ \S+ (\d+)", b"".join(untagged) + answer)
        check(told, "COPYUID", answer, untagged)
        self.added(target, int(told[1]), messages)
        if move:
            for uid in uids:
                del self.mailboxes[name].messages[uid]

    def move(self, c):
        self.copy(c, True)

    def store(self, c):
        name = self.pick(1)
        if not name:
            return
        uids, flags, sign = self.uids(name), self.flags(), self.rng.choice(["", "+", "-"])
        box = self.mailboxes[name]
        after = {}
        for uid in uids:
            old = box.messages[uid].flags
            after[uid] = flags if sign == "" else old | flags if sign == "+" else old - flags
        c.select(name)
        self.flight = ("store", name, after)
        c.ok(f'UID STORE {",".join(map(str, uids))} {sign}FLAGS ({" ".join(flags)})')
        for uid in uids:
            box.messages[uid] = Message(box.messages[uid].text, after[uid])

    def expunge(self, c):
        name = self.pick(MOST // 4)
        if not name:
            return
        uids = self.uids(name, len(self.mailboxes[name].messages))
        box = self.mailboxes[name]
        c.select(name)
        self.flight = ("store", name, {u: box.messages[u].flags | {"\\Deleted"} for u in uids})
        wanted = ",".join(map(str, uids))
        c.ok(f"UID STORE {wanted} +FLAGS (\\Deleted)")
        for uid in uids:
            box.messages[uid] = Message(box.messages[uid].text, box.messages[uid].flags | {"\\Deleted"})
        self.flight = ("remove", name, uids)
        c.ok(f"UID EXPUNGE {wanted}")
        for uid in uids:
            del box.messages[uid]

    def create(self, c):
        if len(self.mailboxes) > 8:
            return
        parent = self.rng.choice([n for n in self.mailboxes if n != "INBOX"] + [""])
        name = (parent + "/" if parent and parent.count("/") < 3 else "") + f"T{self.count}"
        self.count += 1
        self.flight = ("create", name)
        c.ok(f'CREATE "{name}"')
        self.mailboxes[name] = Mailbox()

    def delete(self, c):
        names = [n for n, m in self.mailboxes.items() if n != "INBOX" and not m.was_inbox and len(self.mailboxes) > 5]
        if not names:
            return
        name = self.rng.choice(names)
        c.select("INBOX")
        self.flight = ("delete", name)
        c.ok(f'DELETE "{name}"')
        del self.mailboxes[name]

    def rename(self, c):
        names = [n for n in self.mailboxes if n != "INBOX"]
        if not names:
            return
        name, new = self.rng.choice(names), f"R{self.count}"
        self.count += 1
        pairs = {n: new + n[len(name):] for n in names if n == name or n.startswith(name + "/")}
        c.select("INBOX")
        self.flight = ("rename", pairs)
        c.ok(f'RENAME "{name}" "{new}"')
        for old, name in pairs.items():
            self.mailboxes[name] = self.mailboxes.pop(old)

    def rename_inbox(self, c):
        if len(self.mailboxes) > 8 or self.rng.random() > 0.3:
            return
        new, inbox = f"I{self.count}", self.mailboxes["INBOX"]
        self.count += 1
        self.flight = ("rename INBOX", new)
        c.ok(f'RENAME INBOX "{new}"')
        self.mailboxes[new] = Mailbox()
        self.mailboxes[new].was_inbox = True
        # Which UIDs they have, and whether the latest deliveries are among them, is not told.
        self.mailboxes[new].expect = [m for m in inbox.messages.values()]
        inbox.messages = {}

    def subscribe(self, c):
        name = self.pick()
        self.flight = ("subscribe", name)
        c.ok(f'{"UNSUBSCRIBE" if name in self.subscribed else "SUBSCRIBE"} "{name}"')
        self.subscribed ^= {name}

    def pop3(self, c):
        """DELE and QUIT: what QUIT did not answer is removed or not."""
        inbox = self.mailboxes["INBOX"]
        if len(inbox.messages) < 5:
            return
        self.flight = None
        try:
            p = self.server.pop3(USER)
            by_uid = {int(line.split()[1][:8], 16): int(line.split()[0]) for line in p.uidl()[1]}
            uids = [u for u in self.uids("INBOX", 3) if u in by_uid]
            for uid in uids:
                p.dele(by_uid[uid])
            self.flight = ("remove", "INBOX", uids)
            p.quit()
        except (OSError, EOFError) as e:
            raise Dead(str(e)) from None
        except poplib.error_proto as e:
            # The end of a connection looks like this to poplib, too; a refusal does not come without a reason.
            check(b"-ERR" in e.args[0] if e.args and isinstance(e.args[0], bytes) else True, "POP3", e)
            raise Dead(str(e)) from None
        for uid in uids:
            del inbox.messages[uid]

    def deliver(self, c):
        text = self.new_text()
        name = f"{1700000000 + self.count}.M{self.count}P{os.getpid()}.agent"
        tmp = f"{self.path}/tmp/{name}"
        with open(tmp, "wb") as f:
            f.write(message(text).replace(b"\r\n", b"\n"))
        os.chown(tmp, USERS[USER][0], USERS[USER][0])
        os.rename(tmp, f"{self.path}/new/{name}")
        self.delivered.add(text)
        c.trail.append(("deliver", text))

    def run(self, c):
        """Until the connection ends. Returns what was not answered."""
        todo = [self.append] * 6 + [self.copy] * 3 + [self.move] * 4 + [self.store] * 5 + [self.expunge] * 3
        todo += [self.create, self.delete, self.rename, self.rename, self.rename_inbox, self.subscribe, self.pop3]
        todo += [self.deliver] * 3
        self.flight, self.trail = None, c.trail
        try:
            while True:
                operation = self.rng.choice(todo)
                operation(c)
                self.flight = None
                self.done[operation.__name__] += 1
        except Dead:
            return self.flight


def look(c):
    """Everything there is: {name: Mailbox}, subscriptions."""
    names = [re.search(rb'"/" "?([^"\r\n]*)"?\r\n', r)[1].decode() for r in c.ok('LIST "" "*"')[1]
             if r.startswith(b"* LIST") and b"\\NonExistent" not in r and b"\\Noselect" not in r]
    subscribed = {re.search(rb'"/" "?([^"\r\n]*)"?\r\n', r)[1].decode() for r in c.ok('LSUB "" "*"')[1]
                  if r.startswith(b"* LSUB")}
    found = {}
    for name in names:
        _, untagged = c.ok(f'EXAMINE "{name}"')
        all_of_it = b"".join(untagged)
        box = Mailbox(int(re.search(rb"UIDVALIDITY (\d+)", all_of_it)[1]))
        box.uidnext = int(re.search(rb"UIDNEXT (\d+)", all_of_it)[1])
        for r in c.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])")[1]:
            if b"FETCH" not in r[:30]:
                continue
            uid = int(re.search(rb"UID (\d+)", r)[1])
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", r)[1].decode().split()) - {"\\Recent"}
            body = re.search(rb"BODY\[\] \{\d+\}\r\n(.*)\r\n.*?\)\r\n\Z", r, re.S)
            text = re.match(rb"Subject: (\w+)\r\n", body[1])
            check(text and message(text[1].decode()) in body[1] + b"\r\n", f"message {uid} of {name} is whole", r)
            box.messages[uid] = Message(text[1].decode(), flags)
        box.top = max([box.uidnext - 1, *box.messages])
        box.told = set(box.messages)
        found[name] = box
    return found, subscribed


def texts(mailboxes):
    return collections.Counter(m.text for box in mailboxes.values() for m in box.messages.values())


class Comparison:
    """What is there, beside what was told."""

    def __init__(self, load, found, subscribed, flight):
        self.load, self.found, self.subscribed = load, found, subscribed
        self.flight = flight or ("nothing",)
        self.kind = self.flight[0]

    def names(self):
        """The mailboxes known, by the names they have now."""
        known = dict(self.load.mailboxes)
        if self.kind == "rename":
            for old, new in self.flight[1].items():
                if new in self.found:
                    check(old not in self.found, f"{old} and {new} are both there")
                    known[new] = known.pop(old)
        if self.kind == "delete" and self.flight[1] not in self.found:
            del known[self.flight[1]]
        return known

    def may_be_new(self):
        if self.kind in ("create", "rename INBOX"):
            return {self.flight[1]}
        return set()

    def compare(self):
        known = self.names()
        equal(set(known) - set(self.found), set(), "mailboxes that are gone")
        extra = set(self.found) - set(known)
        check(extra <= self.may_be_new(), "mailboxes out of nowhere", extra)
        for name, box in known.items():
            self.compare_mailbox(name, box)
        for name in extra:
            check(self.found[name].uidvalidity not in self.load.used, f"UIDVALIDITY of {name} is new")
        self.compare_counts(known)
        different = self.subscribed ^ self.load.subscribed
        check(different <= ({self.flight[1]} if self.kind == "subscribe" else set()), "subscriptions", different)

    def compare_mailbox(self, name, box):
        got = self.found[name]
        if box.uidvalidity is None:
            check(got.uidvalidity not in self.load.used, f"UIDVALIDITY of {name} is new")
        else:
            equal(got.uidvalidity, box.uidvalidity, f"UIDVALIDITY of {name}")
        for uid, told in box.messages.items():
            if uid not in got.messages:
                check(self.may_be_gone(name, uid), f"message {uid} ({told.text}) of {name} is gone", self.flight)
                continue
            equal(got.messages[uid].text, told.text, f"message {uid} of {name}")
            flags = [told.flags]
            if self.kind == "store" and self.flight[1] == name:
                flags.append(self.flight[2].get(uid, told.flags))
            check(self.are_between(got.messages[uid].flags, flags), f"flags of {uid} in {name}",
                  got.messages[uid].flags, flags, self.flight)
        for uid, message_there in got.messages.items():
            # Mail that was delivered, or came by RENAME INBOX, has UIDs that were not told.
            untold = uid not in box.told and (message_there.text in self.load.delivered or box.expect)
            new = uid > box.top or untold
            check(uid in box.messages or new, f"UID {uid} of {name} was that of another message once",
                  message_there, box.top)

    @staticmethod
    def are_between(flags, sets):
        """Letters and keywords beyond them lie in two files: a change that was not answered is done flag by flag."""
        return frozenset.intersection(*sets) <= flags <= frozenset.union(*sets)

    def may_be_gone(self, name, uid):
        return (self.kind == "remove" and self.flight[1] == name and uid in self.flight[2]
                or self.kind == "move" and self.flight[3] == name and uid in self.flight[4]
                or self.kind == "rename INBOX" and name == "INBOX")

    def compare_counts(self, known):
        """Nothing is lost or doubled: text by text, over all mailboxes."""
        told, got = texts(known), texts(self.found)
        for box in known.values():
            told.update(m.text for m in box.expect)
        told.update(self.load.delivered)
        low, high = collections.Counter(told), collections.Counter(told)
        if self.kind == "add":
            high.update(self.flight[2])
        elif self.kind == "remove":
            low.subtract(known[self.flight[1]].messages[u].text for u in self.flight[2])
        for text in set(low) | set(got):
            check(low[text] <= got[text] <= high[text], f"{text} is there {got[text]} times, not {low[text]} to {high[text]}",
                  self.flight, [n for n, b in self.found.items() if text in {m.text for m in b.messages.values()}])


def adopt(load, found, subscribed):
    """From here on, what is there is what was told."""
    for name, box in found.items():
        for old in load.mailboxes.values():
            if old.uidvalidity == box.uidvalidity:
                box.top = max(box.top, old.top)
                box.told |= old.told
        load.used.add(box.uidvalidity)
    load.mailboxes, load.subscribed, load.delivered = found, subscribed, set()


def session_pids(server):
    found = []
    for pid in server.processes().get("session", []):
        try:
            status = open(f"/proc/{pid}/status").read()
        except OSError:
            continue
        if f"Uid:\t{USERS[USER][0]}\t" in status:
            found.append(pid)
    return found


class Killer(threading.Thread):
    def __init__(self, pids, delay):
        super().__init__()
        self.pids, self.delay = pids, delay

    def run(self):
        time.sleep(self.delay)
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)


def victims(server, number):
    """Mostly the session; a front now and then; the master seldom."""
    if number % 23 == 22:
        return "master", [server.process.pid]
    if number % 7 == 6:
        return "front", server.processes()["front"]
    return "session", session_pids(server)


def log_in(server, who):
    """
    A new front or master may take a moment. A session is gone at once; one that is on its way out may still be given the
    connection, and then the answer is to try again.
    """
    end = time.monotonic() + (2 if who == "session" else 40)
    while True:
        try:
            return Client(server)
        except (Dead, harness.Failed, OSError):
            check(time.monotonic() < end, f"no login after the death of the {who}")
            time.sleep(0.05)


def restart(server):
    pids = [pid for pid, _, _ in server.descendants()]
    server.process.wait(20)
    wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), "the roles to follow the master")
    server.start()


def crash_once(load, server, number):
    c = log_in(server, "front")
    who, pids = victims(server, number)
    check(pids, f"nobody to kill: {who}")
    killer = Killer(pids, load.rng.uniform(0, load.rng.choice([0.03, 0.3])))
    killer.start()
    flight = load.run(c)
    killer.join()
    c.close()
    if who == "master":
        restart(server)
    start = time.monotonic()
    c = log_in(server, who)
    if who != "session":
        time.sleep(0.1)  # what the session was doing for the lost connection is given up there
    found, subscribed = look(c)
    check(time.monotonic() - start < 30, "service again at once")
    Comparison(load, found, subscribed, flight).compare()
    adopt(load, found, subscribed)
    c.close()
    return who


def test_kill_9(machine):
    rng = random.Random(SEED)
    load = Load(machine, rng)
    shutil.rmtree(load.path, ignore_errors=True)
    machine.maildir(USER)
    server = load.server = Server(machine)
    kills = collections.Counter()
    c = Client(server)
    adopt(load, *look(c))
    for name in ("A", "A/B", "A/B/C", "D"):
        c.ok(f'CREATE "{name}"')
    adopt(load, *look(c))
    c.close()
    for number in range(KILLS):
        try:
            kills[crash_once(load, server, number)] += 1
        except BaseException:
            print(f"seed {SEED}, kill {number}, flight {load.flight!r:.300}\n{server.log_text()[-1500:]}")
            print("\n".join(f"{asked!r:.200} {answer}" for asked, answer in load.trail))
            raise
    print(f"{dict(kills)} kills; answered: {dict(load.done)}; left in tmp/: {len(os.listdir(load.path + '/tmp'))}")
    check(".broken-" not in server.log_text(), "a uidlist was broken")
    check_uidlists(load.path)


def check_uidlists(path):
    """Every line is one, and UIDs ascend."""
    for directory, _, files in os.walk(path):
        if "dovecot-uidlist" not in files:
            continue
        with open(os.path.join(directory, "dovecot-uidlist")) as f:
            lines = f.read().split("\n")
        equal(lines.pop(), "", "the last line is whole")
        uids = [int(line.split()[0]) for line in lines[1:]]
        check(uids == sorted(set(uids)), f"UIDs of {directory}")
        bases = [line.split(" :", 1)[1] for line in lines[1:]]
        equal(len(bases), len(set(bases)), f"names in {directory}")


if __name__ == "__main__":
    harness.main("test_crash", [test_kill_9])
