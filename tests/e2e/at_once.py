"""Everybody at once over one Maildir: connections to every server, deliveries, a local mail reader, POP3.

Each message has a number, and one worker that may move, copy or remove it; each worker has a keyword of its own, which it
alone sets and removes, on any message. So what must be there afterwards is known, whatever the order was.
"""
import glob
import os
import random
import re
import shutil
import socket
import threading
import time
import traceback

import harness
from harness import Failed, check, equal
from journal import LOCK, Journal
from peers import USER, Gone, Imap, expand
from turns import Turns, digest

MAILBOXES = ["INBOX", "a", "b"]
RIVAL_MAILBOXES = ["r", "s", "t"]


class Worker:
    def __init__(self, at_once, name, seed):
        self.at_once, self.name = at_once, name
        self.rng = random.Random(seed)
        self.steps = []

    def number(self):
        return self.at_once.number()

    def text(self, number):
        lines = "".join(f"{'y' * self.rng.randrange(70)}\r\n" for _ in range(self.rng.randrange(20)))
        return f"From: a@example.org\r\nX-Id: {number}\r\nSubject: message {number}\r\n\r\n{lines}".encode()

    def run(self):
        try:
            while not self.at_once.stop.is_set():
                self.step()
            self.end()
        except Exception:  # noqa: BLE001 - told when all have ended
            self.at_once.stop.set()
            self.at_once.errors.append(f"{self.name}:\n{traceback.format_exc()}last: {self.steps[-6:]}")

    def end(self):
        pass


class ImapWorker(Worker):
    def __init__(self, at_once, peer, name, seed):
        super().__init__(at_once, name, seed)
        self.peer = peer
        self.keyword = f"worker-{name.rpartition('-')[2]}"  # the same each time: a mailbox has 64 at most
        self.client = peer.imap()
        self.validities = {}
        self.mine = {}  # (mailbox, UID) -> number
        self.names = set()
        self.count = 0

    def step(self):
        self.count += 1
        kinds = ["append"] * 3 + ["store"] * 4 + ["look"] * 2 + ["copy", "move", "expunge", "tree"]
        getattr(self, self.rng.choice(kinds))()

    def enter(self, mailbox):
        if self.client.selected != mailbox or self.rng.randrange(8) == 0:
            self.client.select(mailbox)
            equal(self.validities.setdefault(mailbox, self.client.uidvalidity), self.client.uidvalidity, f"UIDVALIDITY of {mailbox}")

    def append(self):
        numbers = [self.number() for _ in range(self.rng.choice((1, 1, 3)))]
        mailbox = self.rng.choice(MAILBOXES)
        self.steps.append(f"append {numbers} to {mailbox}")
        pieces = [f'APPEND "{mailbox}"']
        for number in numbers:
            text = self.text(number)
            self.at_once.digests[number] = digest(text)
            pieces += [" (\\Seen) ", text]
        self.keep(mailbox, expand(Imap.code(self.client.must(*pieces), "APPENDUID").split()[1]), numbers)

    def keep(self, mailbox, uids, numbers):
        equal(len(uids), len(numbers), "UIDs told")
        for uid, number in zip(uids, numbers):
            self.mine[mailbox, uid] = number
            self.at_once.means(mailbox, uid, number)

    def copy(self, verb="COPY"):
        if not self.mine:
            return
        mailbox, _ = self.rng.choice(sorted(self.mine))
        uids = sorted(uid for name, uid in self.mine if name == mailbox)
        uids = sorted(self.rng.sample(uids, min(len(uids), 3)))
        to = self.rng.choice([name for name in MAILBOXES if name != mailbox])
        self.steps.append(f"{verb} {uids} from {mailbox} to {to}")
        self.enter(mailbox)
        answer = self.client.must(f'UID {verb} {",".join(map(str, uids))} "{to}"')
        _, sources, copies = Imap.code(answer, "COPYUID").split()
        self.at_once.suspects |= {(mailbox, uid) for uid in set(uids) - set(expand(sources))}
        equal(sorted(expand(sources)), uids, f"{verb}: COPYUID")
        self.keep(to, expand(copies), [self.mine[mailbox, uid] for uid in expand(sources)])
        if verb == "MOVE":
            self.forget(mailbox, uids)

    def move(self):
        self.copy("MOVE")

    def forget(self, mailbox, uids):
        for uid in uids:
            del self.mine[mailbox, uid]

    def expunge(self):
        if len(self.mine) < 4:
            return
        mailbox, uid = self.rng.choice(sorted(self.mine))
        self.steps.append(f"expunge {uid} of {mailbox}")
        self.enter(mailbox)
        self.client.must(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.client.must(self.rng.choice([f"UID EXPUNGE {uid}", "EXPUNGE"]))
        self.forget(mailbox, [uid])

    def store(self):
        mailbox = self.rng.choice(MAILBOXES)
        self.enter(mailbox)
        self.client.must("NOOP")
        uids = sorted(self.client.fetch("1:*", "FLAGS"))
        if not uids:
            return
        uids = sorted(self.rng.sample(uids, min(len(uids), 1 + self.rng.randrange(4))))
        how = self.rng.choice("+-")
        self.steps.append(f"store {uids} of {mailbox} {how}")
        self.client.must(f"UID STORE {','.join(map(str, uids))} {how}FLAGS ({self.keyword})")
        for uid in uids:
            self.at_once.stored[mailbox, uid, self.keyword] = how == "+"

    def look(self):
        mailbox = self.rng.choice(MAILBOXES)
        self.steps.append(f"look at {mailbox}")
        self.enter(mailbox)
        self.client.must("NOOP")
        for uid, line in self.client.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (X-Id)]").items():
            if line.literals and line.literals[0].strip():
                self.at_once.means(mailbox, uid, int(line.literals[0].split()[1]))

    def tree(self):
        name = f"{self.name}-{self.count}"
        self.steps.append(f"create, subscribe {name}")
        self.client.must(f'CREATE "{name}"')
        self.client.must(f'SUBSCRIBE "{name}"')
        self.names.add(name)
        if len(self.names) > 2:
            old = self.rng.choice(sorted(self.names))
            self.steps.append(f"delete, unsubscribe {old}")
            self.client.must(f'DELETE "{old}"')
            self.client.must(f'UNSUBSCRIBE "{old}"')
            self.names.remove(old)

    def end(self):
        self.client.close()
        with self.at_once.lock:
            for (mailbox, _), number in self.mine.items():
                self.at_once.wanted.setdefault(mailbox, []).append(number)
            self.at_once.tree |= self.names


class Rival(Worker):
    """Moves messages that all rivals move: from anywhere to anywhere, also into the mailbox itself, if a move is one step
    for all peers (maildir/copy.c). Dovecot links and removes: what another moves on meanwhile is there twice, and with
    several who do it more and more often; so beside it they are moved out of INBOX, and not on."""

    def __init__(self, at_once, peer, name, seed):
        super().__init__(at_once, name, seed)
        self.client = peer.imap()

    def choose(self):
        if self.at_once.moves_are_one_step():
            return self.rng.choice(MAILBOXES), self.rng.choice(MAILBOXES)
        return "INBOX", self.rng.choice(["a", "b"])

    def step(self):
        mailbox, to = self.choose()
        if self.rng.randrange(self.at_once.moves_a_message) == 0:
            self.at_once.deliver_contested(1)
        self.client.select(mailbox)
        found = {}
        for uid, line in self.client.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (X-Id)]").items():
            if line.literals and line.literals[0].strip():
                number = int(line.literals[0].split()[1])
                if number in self.at_once.contested:
                    found[uid] = number
        if not found:
            return
        uids = sorted(self.rng.sample(sorted(found), min(len(found), self.rng.choice((1, 3, 10)))))
        self.steps.append(f"MOVE {uids} from {mailbox} to {to}")
        answer = self.client.ask(f'UID MOVE {",".join(map(str, uids))} "{to}"')
        check(answer.status == "OK" or "EXPUNGEISSUED" in answer.text, "MOVE", answer)
        self.check_copyuid(answer, found, to)

    def check_copyuid(self, answer, found, to):
        if not any("[COPYUID " in line.text for line in answer.untagged):
            return  # others were faster
        _, sources, copies = Imap.code(answer, "COPYUID").split()
        sources, copies = expand(sources), expand(copies)
        equal(len(sources), len(copies), "MOVE: COPYUID")
        for uid, copy in zip(sources, copies):
            self.at_once.means(to, copy, found[uid])

    def end(self):
        self.client.close()


class TreeRival(Worker):
    """Makes, renames and deletes mailboxes that all rivals make, rename and delete: any of it may come too late."""

    def __init__(self, at_once, peer, name, seed):
        super().__init__(at_once, name, seed)
        self.peer = peer
        self.client = peer.imap()

    def step(self):
        name, to = self.rng.sample(RIVAL_MAILBOXES, 2)
        command = self.rng.choice([f"CREATE {name}", f"CREATE {name}", f"DELETE {name}", f"RENAME {name} {to}", f"SELECT {name}"])
        self.steps.append(command)
        try:
            answer = self.client.ask(command)
        except Gone:  # what was selected is deleted
            self.client = self.peer.imap()
            return
        check(answer.status in ("OK", "NO"), command, answer)
        check(not (self.peer.keeps_all_keywords and "UNAVAILABLE" in answer.text), command, answer)
        time.sleep(0.01)

    def end(self):
        self.client.close()


class Deliverer(Worker):
    def step(self):
        mailbox, number = self.rng.choice(MAILBOXES), self.number()
        text = self.text(number)
        self.at_once.digests[number] = digest(text)
        self.steps.append(f"{number} into {mailbox}")
        self.at_once.put_in_new(mailbox, number, text)
        with self.at_once.lock:
            self.at_once.wanted.setdefault(mailbox, []).append(number)
        time.sleep(0.02)


class Lda(Worker):
    def __init__(self, at_once, peer, name, seed):
        super().__init__(at_once, name, seed)
        self.peer = peer

    def step(self):
        mailbox, number = self.rng.choice(MAILBOXES), self.number()
        text = self.text(number)
        self.at_once.digests[number] = digest(text)
        self.steps.append(f"{number} into {mailbox}")
        self.peer.deliver(mailbox, text)
        with self.at_once.lock:
            self.at_once.wanted.setdefault(mailbox, []).append(number)
        time.sleep(0.1)


class Reader(Worker):
    """Only it changes \\Flagged.

    Dovecot, even alone, believes what one reading of cur/ tells it. A file that is renamed meanwhile may show under neither
    name, where the directory takes more than one piece to read (some 500 files): its message is expunged, and comes back
    under a new UID ("Locking, locking, locking" in its maildir-sync.c). Against other Dovecots, and restante, it has the lock of
    the uidlist while it reads. So, where there is a Dovecot, this reader renames under that lock; mail readers on a host do
    not, and there Dovecot loses UIDs. restante must not, so beside restante alone there is no lock.
    """

    def __init__(self, at_once, name, seed):
        super().__init__(at_once, name, seed)
        self.locks = not all(peer.keeps_all_keywords for peer in at_once.turns.peers)

    def step(self):
        mailbox = self.rng.choice(MAILBOXES)
        if not self.locks:
            self.change_one(mailbox)
        elif self.lock(mailbox):
            try:
                self.change_one(mailbox)
            finally:
                os.unlink(os.path.join(self.at_once.turns.directory(mailbox), LOCK))
        time.sleep(0.005)

    def lock(self, mailbox):
        """Whether it could be had. It names its holder from the first moment."""
        directory = self.at_once.turns.directory(mailbox)
        made = os.path.join(directory, "tmp", f"reader.{os.getpid()}")
        with open(made, "w") as f:
            f.write(f"{os.getpid()}:{socket.gethostname()}")
        os.chown(made, self.at_once.turns.owner, self.at_once.turns.owner)
        try:
            os.link(made, os.path.join(directory, LOCK))
            return True
        except FileExistsError:
            return False
        finally:
            os.unlink(made)

    def change_one(self, mailbox):
        names = [name for name in os.listdir(os.path.join(self.at_once.turns.directory(mailbox), "cur")) if ":2," in name]
        if names:
            self.change(mailbox, self.rng.choice(sorted(names)))

    def change(self, mailbox, name):
        stem, _, info = name.partition(":2,")
        cur = os.path.join(self.at_once.turns.directory(mailbox), "cur")
        self.steps.append(f"{mailbox} {name}")
        try:
            os.rename(os.path.join(cur, name), os.path.join(cur, stem + ":2," + "".join(sorted(set(info) ^ {"F"}))))
            self.at_once.flagged[mailbox, stem] = "F" not in info
        except FileNotFoundError:
            pass  # another was faster


class Pop3Worker(Worker):
    """Delivers, and removes some of its own by POP3, at one server after the other."""

    def __init__(self, at_once, peers, name, seed):
        super().__init__(at_once, name, seed)
        self.peers = peers
        self.mine = set()

    def step(self):
        for _ in range(2):
            number = self.number()
            text = self.text(number)
            self.at_once.digests[number] = digest(text)
            self.at_once.put_in_new("INBOX", number, text)
            self.mine.add(number)
        client = self.rng.choice(self.peers).pop3()
        self.steps.append(client.name)
        removed = set()
        for msgno, uidl in enumerate(client.lines("UIDL"), 1):
            number = self.at_once.number_of_uidl(client, msgno, uidl.split()[1])
            if number in self.mine and self.rng.randrange(2):
                client.ask(f"DELE {msgno}")
                removed.add(number)
        client.quit()
        self.steps.append(f"dele {removed}")
        self.mine -= removed

    def end(self):
        with self.at_once.lock:
            self.at_once.wanted.setdefault("INBOX", []).extend(self.mine)


class AtOnce:
    MAILBOXES = MAILBOXES
    RIVAL_MAILBOXES = RIVAL_MAILBOXES

    def __init__(self, turns, seconds, number):
        self.turns, self.seconds = turns, seconds
        self.lock = threading.Lock()
        self.stop = threading.Event()
        self.errors = []
        self.numbers = 0
        self.digests = {}
        self.uids = {}     # (mailbox, UID) -> number, as anybody ever saw it
        self.suspects = set()  # (mailbox, UID) of what is missed
        self.uidls = {}
        self.stored = {}   # (mailbox, UID, keyword) -> the last STORE set it
        self.flagged = {}  # (mailbox, base name) -> the last rename set F
        self.wanted = {}   # mailbox -> numbers
        self.tree = set()
        seed = turns.seed * 1000 + number
        self.workers = [ImapWorker(self, peer, f"w{seed}-{n}{which}", f"{seed} {n} {peer.name}")
                        for n, peer in enumerate(turns.peers) for which in "xy"]
        self.keywords = {worker.keyword: worker.peer.keeps_all_keywords for worker in self.workers}
        self.workers.append(Deliverer(self, "MTA", seed))
        self.workers += [Rival(self, peer, f"rival {n} of {peer.name}", f"{seed} {n} {peer.name}")
                         for peer in turns.peers for n in range(2 if self.moves_are_one_step() else 1)]
        self.workers += [TreeRival(self, peer, f"tree rival of {peer.name}", f"{seed} {peer.name}") for peer in turns.peers]
        self.contested = {}  # number -> how often it is seen
        self.moves_a_message = 3 if self.moves_are_one_step() else 1
        self.workers.append(Reader(self, "local reader", seed))
        self.workers.append(Pop3Worker(self, turns.peers, "POP3", seed))
        self.workers += [Lda(self, peer, "LDA", seed) for peer in turns.peers if hasattr(peer, "deliver")]

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.turns.made + self.numbers

    def means(self, mailbox, uid, number):
        with self.lock:
            equal(number, self.uids.setdefault((mailbox, uid), number), f"the message of UID {uid} of {mailbox}")

    def number_of_uidl(self, client, msgno, uidl):
        if uidl not in self.uidls:
            try:
                header = b"\n".join(client.lines(f"TOP {msgno} 0"))
            except Failed:
                return None  # removed since
            self.uidls[uidl] = int(re.search(rb"X-Id: (\d+)", header)[1])
        return self.uidls[uidl]

    def put_in_new(self, mailbox, number, text):
        directory = self.turns.directory(mailbox)
        base = f"{int(time.time())}.M{number}P{os.getpid()}.mta"
        tmp = os.path.join(directory, "tmp", base)
        with open(tmp, "wb") as f:
            f.write(text)
        os.chown(tmp, self.turns.owner, self.turns.owner)
        os.rename(tmp, os.path.join(directory, "new", base))

    def run(self):
        self.deliver_contested(12)
        threads = [threading.Thread(target=worker.run, daemon=True) for worker in self.workers]
        for thread in threads:
            thread.start()
        self.stop.wait(self.seconds)
        self.stop.set()
        for thread in threads:
            thread.join(240)
        check(not any(thread.is_alive() for thread in threads), "a worker hangs")
        check(not self.errors, "\n".join(self.errors))
        self.turns.did(f"{self.seconds} s at once: {self.numbers} messages, {len(self.stored)} keywords on messages")
        self.turns.made += self.numbers

    def deliver_contested(self, count):
        for _ in range(count):
            number = self.number()
            text = f"From: a@example.org\r\nX-Id: {number}\r\nSubject: message {number}\r\n\r\n".encode()
            self.digests[number] = digest(text)
            self.contested[number] = 0
            self.put_in_new("INBOX", number, text)

    def compare(self, peer):
        """Every message once, where it must be, with the keywords it must have."""
        client = peer.imap()
        self.contested = dict.fromkeys(self.contested, 0)
        for mailbox in MAILBOXES:
            client.select(mailbox)
            found, numbers = client.messages(), []
            for uid, text in client.bodies(sorted(found)).items():
                number = int(re.search(rb"X-Id: (\d+)", text)[1])
                if number in self.digests:
                    self.means(mailbox, uid, number)
                    equal(digest(text), self.digests[number], f"{client.name}: message {number}")
                    if number in self.contested:
                        self.contested[number] += 1
                    else:
                        numbers.append(number)
            missing = set(self.wanted.get(mailbox, [])) - set(numbers)
            self.suspects |= {key for key, number in self.uids.items() if number in missing}
            equal(sorted(numbers), sorted(self.wanted.get(mailbox, [])), f"{client.name}: messages of {mailbox}")
            letters = self.turns.read_letters(self.turns.mailboxes[mailbox])
            for (name, uid, keyword), wanted in self.stored.items():
                if name == mailbox and uid in found and (keyword in letters or peer.keeps_all_keywords and self.keywords[keyword]):
                    equal(keyword in found[uid][0], wanted, f"{client.name}: {keyword} of UID {uid} of {mailbox}")
            self.compare_flagged(client, mailbox, found)
        client.close()
        self.check_contested(peer)

    def moves_are_one_step(self):
        return all(peer.keeps_all_keywords for peer in self.turns.peers)

    def check_contested(self, peer):
        """Exactly once. Dovecot moves by a link and an expunge: what another moves meanwhile is in both places then. It is never lost."""
        exact = self.moves_are_one_step()
        wrong = {number: seen for number, seen in self.contested.items() if seen < 1 or exact and seen > 1}
        equal(wrong, {}, f"{peer.name}: messages that several moved, and how often they are there")

    def compare_flagged(self, client, mailbox, found):
        """Dovecot, even alone, now and then undoes what a local reader did while it changed the same message: not with it."""
        if not all(peer.keeps_all_keywords for peer in self.turns.peers):
            return
        for uid, base in self.turns.base_names(self.turns.mailboxes[mailbox]).items():
            if uid in found and (mailbox, base) in self.flagged:
                equal("\\flagged" in found[uid][0], self.flagged[mailbox, base], f"{client.name}: \\Flagged of UID {uid} of {mailbox}")


class Place:
    """A fresh Maildir, servers over it, and the model. An error is told with all that is needed to play it again."""

    def __init__(self, machine, seed):
        self.machine = machine
        self.owner = harness.USERS[USER][0]
        self.mail = machine.path("home", USER, "Maildir")
        for entry in os.listdir(machine.path("home", USER)):
            shutil.rmtree(machine.path("home", USER, entry))
        machine.maildir(USER)
        self.turns = Turns(self.mail, self.servers(), seed, self.owner)

    def __enter__(self):
        return self.turns

    def __exit__(self, kind, error, _):
        for peer in self.turns.peers:
            peer.close()
        if isinstance(error, Exception):
            raise self.turns.told(f"{kind.__name__}: {error}") from error
        for peer in self.turns.peers:
            peer.ended()
        left = [name for pattern in ("*broken*", "*.lock*", "tmp/*", ".*/*broken*", ".*/*.lock*", ".*/tmp/*")
                for name in glob.glob(os.path.join(self.mail, pattern))]
        equal(left, [], "left behind")


def randomly(place, steps, steps_at_once, seconds):
    """So many steps in turns; after each steps_at_once of them, and at the end, everybody at once."""
    with place as turns:
        for number in range(1, steps + 1):
            turns.step()
            if number % steps_at_once == 0 or number == steps:
                everybody_at_once(turns, seconds, number)
        print(f"     seed {turns.seed}: {len(turns.steps)} steps, {turns.made} messages, {len(turns.meant)} UIDs, "
              f"Dovecot asked again {turns.late} times", flush=True)


class Contest(AtOnce):
    """Nothing but moves of few messages by many, and a local reader that renames them."""

    def __init__(self, turns, seconds, number):
        super().__init__(turns, seconds, number)
        seed = f"{turns.seed} {number}"
        self.workers = [Rival(self, peer, f"rival {n} of {peer.name}", f"{seed} {n} {peer.name}")
                        for peer in turns.peers for n in range(4)]
        self.workers.append(Reader(self, "local reader", seed))
        self.moves_a_message = 1000


def everybody_at_once(turns, seconds, number, how=AtOnce):
    for name in MAILBOXES:
        if name not in turns.mailboxes:
            turns.client(turns.peers[0]).must(f'CREATE "{name}"')
            turns.add_mailbox(name)
        box = turns.mailboxes[name]
        client = turns.client(turns.peers[0], box)
        client.must("NOOP")
        if box.messages:  # EXPUNGE of one is everybody's
            client.must("UID STORE 1:* -FLAGS.SILENT (\\Deleted)")
        for message in box.messages.values():
            message.flags.discard("\\deleted")
    turns.compare(everything=True)
    at_once = how(turns, seconds, number)
    journal = Journal({name: turns.directory(name) for name in MAILBOXES})
    try:
        at_once.run()
        if not all(peer.keeps_all_keywords for peer in turns.peers):
            time.sleep(2.5)  # Dovecot finds what changed in the second of its own change when that is two seconds old
        for peer in turns.peers:
            at_once.compare(peer)
        turns.adopt(at_once)
        turns.compare(everything=True)
    except Exception as e:
        raise Failed(f"{e}\n{journal.told_of(at_once.suspects)}") from e
    finally:
        journal.close()
