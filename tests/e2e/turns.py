"""Servers that take turns over one Maildir, and a model of what must be in it after each step.

What is said about keywords. A mailbox has letters for 26 of them, in dovecot-keywords: every server knows those, and
they are compared exactly. The rest have no place in the Maildir that all servers know: restante keeps those set by
restante, exactly, whatever Dovecot does with the message meanwhile but for copying it; Dovecot shows at most those
that were set by Dovecot. Neither can know the other's.
"""
import glob
import hashlib
import os
import random
import re
import time

from harness import Failed, check, equal
from peers import Gone, Imap, expand

NIHONGO = "&ZeVnLIqe-"
TOPS = ["a", "b", "c", NIHONGO]
SYSTEM_FLAGS = ["\\seen", "\\answered", "\\flagged", "\\draft", "\\deleted"]
INFO_FLAGS = {"S": "\\seen", "R": "\\answered", "F": "\\flagged", "D": "\\draft", "T": "\\deleted"}
USUAL_KEYWORDS = ["alpha", "beta", "gamma", "$forwarded", "nonjunk"]
KEYWORDS = USUAL_KEYWORDS + [f"kw{n}" for n in range(40)]
LETTERS = 26


def digest(text):
    return hashlib.sha256(re.sub(rb"\r?\n", b"\n", text)).hexdigest()[:16]


class Message:
    def __init__(self, text_digest, size, date=None):
        self.digest, self.size, self.date = text_digest, size, date
        self.flags = set()   # and keywords that have letters
        self.ours = set()    # keywords without letters, set by restante
        self.theirs = set()  # set by Dovecot
        self.uidl = None

    def copy(self):
        return Message(self.digest, self.size, self.date)


class Mailbox:
    def __init__(self, name, uidvalidity, incarnation):
        self.name, self.uidvalidity, self.incarnation = name, uidvalidity, incarnation
        self.messages = {}
        self.pending = []  # Messages that have no UID yet
        self.highest = 0   # UID ever seen
        self.letters = {}


class Turns:
    def __init__(self, mail, peers, seed, owner):
        self.mail, self.peers, self.owner = mail, peers, owner
        self.seed = seed
        self.rng = random.Random(seed)
        self.mailboxes = {}
        self.subscriptions = set()
        self.steps = []
        self.made = 0
        self.incarnations = 0
        self.meant = {}          # (UIDVALIDITY, UID) -> digest, for ever
        self.mailbox_of = {}     # UIDVALIDITY -> incarnation
        self.read_by = set()     # (peer, UIDVALIDITY, UID): bodies that were compared
        self.touched = set()
        self.late = 0            # how often Dovecot had to be asked again
        self.add_mailbox("INBOX")

    # Of files

    def directory(self, name):
        return self.mail if name == "INBOX" else os.path.join(self.mail, "." + name.replace("/", "."))

    def read_letters(self, box):
        """The keywords that have letters; a letter never changes its meaning."""
        letters = {}
        try:
            with open(os.path.join(self.directory(box.name), "dovecot-keywords")) as f:
                for line in f:
                    number, _, name = line.rstrip("\n").partition(" ")
                    letters[int(number)] = name.lower()
        except FileNotFoundError:
            pass
        for number, name in box.letters.items():
            equal(letters.get(number), name, f"dovecot-keywords of {box.name}, number {number}")
        check(all(number < LETTERS for number in letters), f"dovecot-keywords of {box.name}", letters)
        box.letters = letters
        return set(letters.values())

    def base_names(self, box):
        with open(os.path.join(self.directory(box.name), "dovecot-uidlist"), errors="surrogateescape") as f:
            next(f)
            return {int(line.split(" ", 1)[0]): line.rstrip("\n").split(" :", 1)[1] for line in f if " :" in line}

    def text(self):
        self.made += 1
        lines = "".join(f"line {n} {'x' * self.rng.randrange(70)}\r\n" for n in range(self.rng.randrange(30)))
        return (f"From: a@example.org\r\nMessage-ID: <{self.made}.{self.seed}@example.org>\r\nX-Id: {self.made}\r\n"
                f"Subject: message {self.made}\r\n\r\n{lines}").encode()

    def put_in_new(self, name, text, crlf):
        """As a mail transfer agent does."""
        directory = self.directory(name)
        base = f"{int(time.time())}.M{self.rng.randrange(10**6)}P{os.getpid()}Q{self.made}.mta"
        tmp = os.path.join(directory, "tmp", base)
        with open(tmp, "wb") as f:
            f.write(text if crlf else text.replace(b"\r\n", b"\n"))
        os.chown(tmp, self.owner, self.owner)
        os.rename(tmp, os.path.join(directory, "new", base))

    # Of the model

    def add_mailbox(self, name):
        self.incarnations += 1
        self.mailboxes[name] = Mailbox(name, None, self.incarnations)

    def set_uidvalidity(self, box, uidvalidity):
        if box.uidvalidity is None:
            check(self.mailbox_of.setdefault(uidvalidity, box.incarnation) == box.incarnation,
                  f"UIDVALIDITY {uidvalidity} of {box.name} was another mailbox's")
            box.uidvalidity = uidvalidity
        equal(uidvalidity, box.uidvalidity, f"UIDVALIDITY of {box.name}")

    def arrive(self, box, uid, message):
        """A message that never was in the mailbox is there under a new UID."""
        check(uid > box.highest, f"{box.name}: new UID {uid}, but {box.highest} was given before")
        box.highest = uid
        box.messages[uid] = message
        self.means(box, uid, message.digest)

    def means(self, box, uid, text_digest):
        equal(text_digest, self.meant.setdefault((box.uidvalidity, uid), text_digest), f"what UID {uid} of {box.name} means")

    def give(self, box, message, words, peer):
        letters = self.read_letters(box)
        for word in words:
            if word.startswith("\\") or word in letters:
                message.flags.add(word)
            elif peer.keeps_all_keywords:
                message.ours.add(word)
            else:
                message.theirs.add(word)

    def take(self, message, words, peer):
        message.flags -= words
        if peer.keeps_all_keywords:
            message.ours -= words
        else:
            message.theirs -= words

    # Choices

    def did(self, text):
        self.steps.append(text)

    def pick_box(self, filled=False):
        names = sorted(name for name, box in self.mailboxes.items() if box.messages or not filled)
        return self.mailboxes[self.rng.choice(names)] if names else None

    def pick_uids(self, uids, most=4):
        uids = sorted(uids)
        return sorted(self.rng.sample(uids, min(len(uids), 1 + self.rng.randrange(most))))

    def pick_words(self):
        words = set(self.rng.sample(SYSTEM_FLAGS, self.rng.randrange(3)))
        if self.rng.randrange(2):
            words.add(self.rng.choice(USUAL_KEYWORDS))
        if self.rng.randrange(3) == 0:
            words |= set(self.rng.sample(KEYWORDS, 1 + self.rng.randrange(3)))
        return words

    def client(self, peer, box=None, number=None):
        """One of the peer's connections; with the mailbox selected, if one is given."""
        client = peer.client(self.rng.randrange(2) if number is None else number)
        if client.selected and client.incarnation != getattr(self.mailboxes.get(client.selected), "incarnation", None):
            client = self.leave_removed(peer, client)
        if box and client.selected != box.name:
            self.enter(client, box)
        return client

    def leave_removed(self, peer, client):
        """Its mailbox was removed or renamed: it may end, and may be told anything but another mailbox's messages."""
        try:
            self.look_at_removed(client)
            client.ask("UNSELECT")  # if it has not told that there is nothing selected any more
            client.selected = None
        except Gone:
            pass
        return peer.client(peer.clients.index(client))

    def informed(self, client, box):
        """The UIDs the client knows of: it is told of all, or goes by what it was told before."""
        if self.rng.randrange(2) or not client.known & set(box.messages):
            client.must("NOOP")
            client.known = set(box.messages)
        return client.known & set(box.messages)

    def enter(self, client, box):
        uidnext = client.select(box.name)
        client.known = set(box.messages)
        client.incarnation = box.incarnation
        self.set_uidvalidity(box, client.uidvalidity)
        check(uidnext > box.highest, f"{client.name}: UIDNEXT of {box.name}", uidnext, box.highest)

    def look_at_removed(self, client):
        client.ask("NOOP")
        answer = client.ask("UID FETCH 1:* (UID BODY.PEEK[])")
        for line in answer.untagged:
            uid = re.search(r"\bUID (\d+)", line.text)
            if uid and line.literals:
                meant = self.meant.get((client.uidvalidity, int(uid[1])))
                check(meant in (None, digest(line.literals[0])), f"{client.name}: UID {uid[1]} of a mailbox that is gone is another message")

    # Steps

    def append(self, peer, box, count):
        client = self.client(peer)
        pieces, messages = [f'APPEND "{box.name}"'], []
        for _ in range(count):
            text, words = self.text(), self.pick_words()
            message = Message(digest(text), len(text))
            piece = " (" + " ".join(sorted(words)) + ")" if words else ""
            if self.rng.randrange(2):
                message.date = 1000000000 + self.rng.randrange(7 * 10**8)
                piece += time.strftime(' "%d-%b-%Y %H:%M:%S +0000"', time.gmtime(message.date))
            pieces += [piece + " ", text]
            messages.append((message, words))
        self.did(f"{client.name}: append {[m.digest for m, _ in messages]} to {box.name}, flags {[sorted(w) for _, w in messages]}")
        answer = client.must(*pieces)
        uidvalidity, uids = Imap.code(answer, "APPENDUID").split()
        self.set_uidvalidity(box, int(uidvalidity))
        equal(len(expand(uids)), count, "APPENDUID")
        for uid, (message, words) in zip(expand(uids), messages):
            self.arrive(box, uid, message)
            self.give(box, message, words, peer)
        self.touched.add(box.name)

    def step_append(self, peer):
        self.append(peer, self.pick_box(), 1)

    def step_multiappend(self, peer):
        self.append(peer, self.pick_box(), 2 + self.rng.randrange(3))

    def copy(self, peer, verb, box, to, uids=None):
        client = self.client(peer, box)
        uids = uids or self.pick_uids(self.informed(client, box))
        self.did(f"{client.name}: {verb} {uids} from {box.name} to {to.name}")
        if peer.keeps_all_keywords:
            known = {uid: box.messages[uid].flags | box.messages[uid].ours for uid in uids}
        else:
            client.must("NOOP")
            known = {uid: values[0] for uid, values in client.messages().items()}
        uidset = ",".join(map(str, uids))
        answer = client.must(f'UID {verb} {uidset} "{to.name}"')
        uidvalidity, sources, copies = Imap.code(answer, "COPYUID").split()
        self.set_uidvalidity(to, int(uidvalidity))
        equal(sorted(expand(sources)), uids, "COPYUID")
        for source, uid in zip(expand(sources), expand(copies)):
            old = box.messages[source]
            message = old.copy()
            self.arrive(to, uid, message)
            self.give(to, message, known[source], peer)
            if verb == "MOVE":
                del box.messages[source]
        self.touched |= {box.name, to.name}

    def step_copy(self, peer):
        box = self.pick_box(filled=True)
        if box:
            self.copy(peer, "COPY", box, self.pick_box())

    def step_move(self, peer):
        box, to = self.pick_box(filled=True), self.pick_box()
        if box and box != to:
            self.copy(peer, "MOVE", box, to)

    def step_store(self, peer):
        box = self.pick_box(filled=True)
        if not box:
            return
        client = self.client(peer, box)
        uids, how = self.pick_uids(self.informed(client, box), 8), self.rng.choice(["+", "-", ""])
        self.store(peer, client, (box, uids), how, self.pick_words())

    def store(self, peer, client, messages, how, words):
        box, uids = messages
        self.did(f"{client.name}: store {uids} of {box.name} {how}{sorted(words)}")
        silent = self.rng.choice(["", ".SILENT"])
        client.must(f"UID STORE {','.join(map(str, uids))} {how}FLAGS{silent} ({' '.join(sorted(words))})")
        for uid in uids:
            message = box.messages[uid]
            if how == "-":
                self.take(message, words, peer)
                continue
            if how == "":
                self.take(message, message.flags | message.ours | message.theirs, peer)
            self.give(box, message, words, peer)
        self.touched.add(box.name)

    def step_expunge(self, peer):
        self.expunge(peer, uid_expunge=False)

    def step_uid_expunge(self, peer):
        self.expunge(peer, uid_expunge=True)

    def expunge(self, peer, uid_expunge):
        box = self.pick_box(filled=True)
        if not box:
            return
        client = self.client(peer, box)
        client.must("NOOP")
        uids, among = self.pick_uids(box.messages, 3), self.pick_uids(box.messages, 8)
        self.did(f"{client.name}: {'uid ' if uid_expunge else ''}expunge {uids} of {box.name}, {among}")
        client.must(f"UID STORE {','.join(map(str, uids))} +FLAGS.SILENT (\\Deleted)")
        client.must(f"UID EXPUNGE {','.join(map(str, among))}" if uid_expunge else "EXPUNGE")
        for uid in uids:
            box.messages[uid].flags.add("\\deleted")
        for uid in sorted(box.messages):
            if "\\deleted" in box.messages[uid].flags and (uid in among or not uid_expunge):
                del box.messages[uid]
        self.touched.add(box.name)

    def new_name(self):
        tops = self.rng.choice(TOPS)
        return tops if self.rng.randrange(2) else f"{tops}/{self.rng.choice('xyz')}"

    def step_create(self, peer):
        self.create(peer, self.new_name())

    def create(self, peer, name):
        self.did(f"{peer.name}: create {name}")
        status = self.client(peer).ask(f'CREATE "{name}"').status
        equal(status, "NO" if name in self.mailboxes else "OK", f"CREATE {name}")
        if status == "OK":
            self.add_mailbox(name)
            self.touched.add(name)

    def step_delete(self, peer):
        name = self.pick_box().name
        if name == "INBOX" or len(self.mailboxes) < 4:
            return
        self.did(f"{peer.name}: delete {name}")
        self.client(peer).must(f'DELETE "{name}"')
        del self.mailboxes[name]

    def step_rename(self, peer):
        name, to = self.pick_box().name, self.new_name()
        if name == "INBOX" or to.startswith(name + "/") or any(f"{other}/".startswith(f"{to}/") for other in self.mailboxes):
            return
        self.did(f"{peer.name}: rename {name} {to}")
        self.client(peer).must(f'RENAME "{name}" "{to}"')
        for old in sorted(other for other in self.mailboxes if f"{other}/".startswith(f"{name}/")):
            box = self.mailboxes.pop(old)
            box.name = to + old[len(name):]
            self.mailboxes[box.name] = box
            self.touched.add(box.name)

    def step_subscribe(self, peer):
        name = self.pick_box().name
        self.did(f"{peer.name}: subscribe {name}")
        self.client(peer).must(f'SUBSCRIBE "{name}"')
        self.subscriptions.add(name)

    def step_unsubscribe(self, peer):
        if not self.subscriptions:
            return
        name = self.rng.choice(sorted(self.subscriptions))
        self.did(f"{peer.name}: unsubscribe {name}")
        self.client(peer).must(f'UNSUBSCRIBE "{name}"')
        self.subscriptions.remove(name)

    def step_arrival(self, _):
        box = self.pick_box()
        count = 1 + self.rng.randrange(3)
        self.did(f"{count} delivered into new/ of {box.name}")
        for _ in range(count):
            text = self.text()
            self.put_in_new(box.name, text, crlf=self.rng.randrange(2))
            box.pending.append(Message(digest(text), len(text)))
        self.touched.add(box.name)

    def step_lda(self, peer):
        if not hasattr(peer, "deliver"):
            return
        box, text = self.pick_box(), self.text()
        self.did(f"dovecot-lda into {box.name}")
        peer.deliver(box.name.replace(NIHONGO, "日本語"), text.replace(b"\r\n", b"\n"))
        box.pending.append(Message(digest(text), len(text)))
        self.touched.add(box.name)

    def step_reader(self, _):
        """A mail reader on this machine changes the flags in a file's name."""
        box = self.pick_box(filled=True)
        if not box:
            return
        uid = self.rng.choice(sorted(box.messages))
        letters = set(self.rng.sample(sorted(INFO_FLAGS), 1 + self.rng.randrange(2)))
        self.did(f"a local reader: letters {sorted(letters)} of UID {uid} of {box.name} the other way")
        directory, base = self.directory(box.name), self.base_names(box)[uid]
        files = glob.glob(os.path.join(glob.escape(directory), "cur", glob.escape(base) + ":2,*"))
        files += glob.glob(os.path.join(glob.escape(directory), "new", glob.escape(base)))  # a copy by Dovecot, before anyone looked
        equal(len(files), 1, f"files of UID {uid} of {box.name}")
        info = files[0].partition(base)[2].removeprefix(":2,")
        os.rename(files[0], os.path.join(directory, "cur", base + ":2," + "".join(sorted(set(info) ^ letters))))
        box.messages[uid].flags ^= {INFO_FLAGS[letter] for letter in letters}
        self.touched.add(box.name)

    def step_pop3(self, peer):
        """Only what the maildrop holds is removed, whatever the order."""
        box = self.mailboxes["INBOX"]
        client = peer.pop3()
        uids = self.check_maildrop(client)
        chosen = self.pick_uids(box.messages, 3) if box.messages else []
        self.did(f"{client.name}: dele {chosen}")
        for uid in chosen:
            client.ask(f"DELE {uids.index(uid) + 1}")
            del box.messages[uid]
        client.quit()
        self.touched.add("INBOX")

    WEIGHTS = {"append": 8, "multiappend": 3, "copy": 6, "move": 6, "store": 14, "expunge": 3, "uid_expunge": 3, "create": 4, "delete": 2,
               "rename": 2, "subscribe": 2, "unsubscribe": 1, "arrival": 8, "lda": 4, "reader": 5, "pop3": 3}

    def every_kind(self):
        """Each kind of change by each server."""
        for kind in self.WEIGHTS:
            for peer in self.peers:
                if kind == "lda" and not hasattr(peer, "deliver"):
                    continue
                for _ in range(100):
                    if kind == "unsubscribe" and not self.subscriptions:
                        self.step_subscribe(peer)
                    if kind == "delete" and len(self.mailboxes) < 4:
                        self.step_create(peer)
                    before = len(self.steps)
                    getattr(self, "step_" + kind)(peer)
                    if len(self.steps) > before:
                        break
                check(len(self.steps) > before, f"{kind} by {peer.name}: nothing to do it with")
                self.compare()

    def step(self):
        peer = self.rng.choice(self.peers)
        kind = self.rng.choices(list(self.WEIGHTS), self.WEIGHTS.values())[0]
        if self.rng.randrange(4) == 0 and kind != "lda":  # nobody was asked in between
            getattr(self, "step_" + kind)(peer)
            if not any(box.pending for box in self.mailboxes.values()):
                kind, peer = self.rng.choice(["append", "store", "uid_expunge", "reader"]), self.rng.choice(self.peers)
                getattr(self, "step_" + kind)(peer)
        else:
            getattr(self, "step_" + kind)(peer)
        self.compare()

    # What everybody did at once

    def adopt(self, at_once):
        """Messages that were checked there are part of the model from now on."""
        self.subscriptions |= at_once.tree
        for name in at_once.RIVAL_MAILBOXES:  # nobody can know which of them there are
            if os.path.isdir(self.directory(name)):
                self.client(self.peers[0]).must(f"DELETE {name}")
        for name in at_once.tree:
            self.add_mailbox(name)
        reader = next(peer for peer in self.peers if peer.keeps_all_keywords).imap()
        for name in at_once.MAILBOXES:
            box = self.mailboxes[name]
            reader.select(name)
            letters = self.read_letters(box)
            found = reader.messages()
            gone = sorted(set(box.messages) - set(found))
            at_once.suspects |= {(name, uid) for uid in gone}
            equal(gone, [], f"messages of before that are gone from {name}")
            for uid, text in sorted(reader.bodies(sorted(found)).items()):
                self.means(box, uid, digest(text))
                if uid not in box.messages:
                    self.arrive(box, uid, Message(digest(text), len(text)))
                message = box.messages[uid]
                message.flags = {word for word in found[uid][0] if word.startswith("\\") or word in letters}
                message.ours = set(found[uid][0]) - message.flags
                message.theirs |= set(at_once.keywords)
            self.touched.add(name)
        reader.close()

    # Comparison

    def compare(self, everything=False):
        everything = everything or len(self.steps) % 25 == 0
        if everything:
            self.touched = set(self.mailboxes)
        for peer in sorted(self.peers, key=lambda _: self.rng.random()):
            self.compare_tree(peer)
            for name in sorted(self.touched & set(self.mailboxes)):
                self.compare_mailbox(peer, self.mailboxes[name])
            if "INBOX" in self.touched:
                client = peer.pop3()
                self.check_maildrop(client)
                client.quit()
        self.touched = set()

    def patiently(self, peer, client, compared):
        """restante tells all at the next NOOP. Dovecot is late where cur/ changed twice within a second, by it and another."""
        tries = peer.tries_to_tell
        while True:
            client.must("NOOP")
            tries -= 1
            try:
                return compared()
            except Failed:
                if tries == 0:
                    raise
                self.late += 1
                time.sleep(0.2)

    def compare_tree(self, peer):
        client = self.client(peer, number=len(self.steps) % 2)
        self.patiently(peer, client, lambda: self.compare_names(peer, client))
        for name, box in self.mailboxes.items():
            self.patiently(peer, client, lambda box=box: self.compare_status(peer, client, box))

    def compare_names(self, peer, client):
        names = []
        for line in client.must('LIST "" "*"').untagged:
            found = re.match(r'\* LIST \(([^)]*)\) "/" "?(.*?)"?$', line.text)
            if found and not re.search(r"(?i)\\noselect|\\nonexistent", found[1]):
                names.append(found[2])
        equal(sorted(names), sorted(self.mailboxes), f"{peer.name}: mailboxes")
        found = [re.match(r'\* LSUB \([^)]*\) "/" "?(.*?)"?$', line.text) for line in client.must('LSUB "" "*"').untagged]
        equal(sorted(f[1] for f in found if f), sorted(self.subscriptions), f"{peer.name}: subscriptions")

    def compare_status(self, peer, client, box):
        line = client.must(f'STATUS "{box.name}" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)').untagged[-1].text
        values = dict(re.findall(r"(MESSAGES|UIDNEXT|UIDVALIDITY|UNSEEN) (\d+)", line))
        self.set_uidvalidity(box, int(values["UIDVALIDITY"]))
        wanted = list(box.messages.values()) + box.pending
        equal(int(values["MESSAGES"]), len(wanted), f"{peer.name}: MESSAGES of {box.name}")
        equal(int(values["UNSEEN"]), len([m for m in wanted if "\\seen" not in m.flags]), f"{peer.name}: UNSEEN of {box.name}")
        if not box.pending:
            check(int(values["UIDNEXT"]) > box.highest, f"{peer.name}: UIDNEXT of {box.name}", values, box.highest)

    def compare_mailbox(self, peer, box):
        client = self.client(peer, box)
        self.patiently(peer, client, lambda: self.compare_messages(peer, client, box))

    def compare_messages(self, peer, client, box):
        found = client.messages()
        new = sorted(set(found) - set(box.messages))
        equal(len(new), len(box.pending), f"{client.name}, {box.name}: new messages {new}, want {[m.digest for m in box.pending]}")
        for uid, text in client.bodies(new).items():
            match = [m for m in box.pending if m.digest == digest(text)]
            check(match, f"{client.name}, {box.name}: UID {uid} is no message that was delivered", text[:300])
            box.pending.remove(match[0])
            self.arrive(box, uid, match[0])
        equal(sorted(found), sorted(box.messages), f"{client.name}: UIDs of {box.name}")
        self.read_letters(box)
        for uid, values in found.items():
            self.compare_message(peer, client, (box, uid), values)
        client.known = set(found)
        self.compare_bodies(peer, client, box)

    def compare_message(self, peer, client, where, values):
        box, uid = where
        message, (flags, date, size) = box.messages[uid], values
        text = f"{client.name}, {box.name}, UID {uid}: "
        if message.date is None:
            message.date = date
        equal((date, size), (message.date, message.size), text + "INTERNALDATE, RFC822.SIZE")
        if peer.keeps_all_keywords:
            equal(sorted(flags), sorted(message.flags | message.ours), text + "FLAGS")
        else:
            check(message.flags <= flags, text + "FLAGS", sorted(flags), sorted(message.flags))
            check(flags - message.flags <= message.theirs, text + "FLAGS", sorted(flags), sorted(message.flags), sorted(message.theirs))

    def compare_bodies(self, peer, client, box):
        if self.rng.randrange(40) == 0:
            self.read_by = {entry for entry in self.read_by if entry[:2] != (peer.name, box.uidvalidity)}
        uids = [uid for uid in box.messages if (peer.name, box.uidvalidity, uid) not in self.read_by]
        bodies = client.bodies(uids)
        equal(sorted(bodies), sorted(uids), f"{client.name}: bodies of {box.name}")
        for uid, text in bodies.items():
            self.means(box, uid, digest(text))
            equal(len(text), box.messages[uid].size, f"{client.name}: octets of UID {uid} of {box.name}")
            self.read_by.add((peer.name, box.uidvalidity, uid))

    def check_maildrop(self, client):
        """UIDLs and sizes. Returns the UIDs in the order of message numbers."""
        box = self.mailboxes["INBOX"]
        uidls = [line.split()[1] for line in client.lines("UIDL")]
        sizes = [int(line.split()[1]) for line in client.lines("LIST")]
        uids = sorted(box.messages)
        if box.pending:  # no UID is known of yet: those are compared afterwards
            return uids
        equal(sizes, [box.messages[uid].size for uid in uids], f"{client.name}: sizes")
        for uid, uidl in zip(uids, uidls):
            message = box.messages[uid]
            message.uidl = message.uidl or uidl
            equal(uidl, message.uidl, f"{client.name}: UIDL of UID {uid}")
        equal(len(set(uidls)), len(uids), f"{client.name}: UIDLs")
        return uids

    def told(self, error):
        """What a failure says: enough to play it again."""
        last = "\n".join(f"  {number}. {step}" for number, step in list(enumerate(self.steps, 1))[-200:])
        return Failed(f"RESTANTE_SEED={self.seed}, step {len(self.steps)}: {error}\nthe last steps:\n{last}\n{self.now(str(error))}{self.logs()}"
                      f"again: {error}")

    def logs(self):
        """What servers that have a log of their own complain of."""
        return "".join(f"log of {peer.name}: {line}\n" for peer in self.peers if hasattr(peer, "log")
                       for line in peer.log().splitlines()[-5000:] if re.search("Error|Warning|Panic|Fatal", line))

    def now(self, error):
        """What new connections and the directories say of the mailboxes that the error names."""
        said = ""
        for name in sorted(name for name in self.mailboxes if re.search(rf"[ ']{re.escape(name)}([ ,:']|$)", error)):
            for peer in self.peers:
                try:
                    client = peer.imap()
                    client.select(name)
                    messages = "".join(f"\n    {uid} {sorted(m[0])} {m[1:]}" for uid, m in sorted(client.messages().items()))
                    said += f"{peer.name} now, {name}:{messages}\n"
                    client.close()
                except (Failed, Gone, OSError) as e:
                    said += f"{peer.name} now, {name}: {e}\n"
            for part in ("cur", "new"):
                said += f"{part}/ of {name}: {sorted(os.listdir(os.path.join(self.directory(name), part)))}\n"
        return said
