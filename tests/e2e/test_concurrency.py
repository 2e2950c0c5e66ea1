#!/usr/bin/env python3
"""Eight connections of one user and four of another do everything at once, at random; others deliver and change flags in the files.
imap_model.py checks every response; now and then all is left to rest, and then what every client believes, what the server
says and what lies in the files must be the same.

CONCURRENCY_SECONDS (12)  how long it runs      CONCURRENCY_SEED (1)  what is done
A run that fails names the file that has all it sent and received, in order.
For ten minutes under AddressSanitizer:
    make asan TESTS=layers; B=build-asan CONCURRENCY_SECONDS=600 CONCURRENCY_SEED=7 python3 tests/e2e/test_concurrency.py
Last line: "concurrency: N passed, N failed"."""
import json
import os
import random
import re
import select
import ssl
import time

import harness
import imap_grammar
from harness import Failed, Server, check, check_log_clean
from imap_model import Client, World

SECONDS = float(os.environ.get("CONCURRENCY_SECONDS", "12"))
SEED = int(os.environ.get("CONCURRENCY_SEED", "1"))
MAILBOXES = ["INBOX", "Box", "Box/Sub", "Loose"]
SCRATCH = ["scratch-a", "scratch-b", "scratch-a/c"]
LETTERS = {"D": "\\draft", "F": "\\flagged", "P": "$forwarded", "R": "\\answered", "S": "\\seen", "T": "\\deleted"}
ENABLED = [[], ["CONDSTORE"], ["QRESYNC"], ["IMAP4rev2"], ["IMAP4rev2", "QRESYNC"], ["IMAP4rev2", "UIDONLY"],
           ["QRESYNC", "UIDONLY"], [], ["QRESYNC"], ["CONDSTORE"], [], ["IMAP4rev2"]]
QUIET_EVERY = 400
MOST_MESSAGES = 120


def message(xid):
    """The text of a message: always the same for its number."""
    rng = random.Random(f"message {xid}")
    lines = rng.choice([1, 3, 20, 3000 if xid % 7 == 0 else 40])
    return (f"From: sender{xid % 5}@example.org\r\nTo: you@example.org\r\nSubject: {rng.choice(['Re: ', '', 'Fwd: '])}subject {xid % 9}\r\n"
            f"Date: Tue, 14 Nov 2023 22:{xid % 60:02}:20 +0000\r\nMessage-ID: <{xid}@example.org>\r\nX-Id: {xid}\r\n\r\n"
            + f"line of message {xid}, and what else may stand in it\r\n" * lines).encode()


class Connection:
    """A client over TLS that never blocks."""

    def __init__(self, run, number, user, enabled):
        self.run, self.number, self.user, self.enabled = run, number, user, enabled
        self.world = run.worlds[user]
        self.keyword = f"own{number}"
        self.generation = 0
        self.caches = {}
        self.open()

    def open(self):
        self.generation += 1
        server = self.run.server
        self.socket = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
        self.socket.settimeout(60)
        name = f"c{self.number}" + (f"g{self.generation}" if self.generation > 1 else "")
        self.client = Client(self.world, name, self.keyword, [word.upper() for word in self.enabled])
        self.client.caches = self.caches
        self.input, self.output = bytearray(), bytearray()
        self.paused_until = 0
        self.todo = []
        self.ended = self.idle_done = False
        self.await_line(b"* OK")
        password = server.password(self.user).replace("\\", "\\\\").replace('"', '\\"')
        self.socket.sendall(f'x LOGIN {self.user} "{password}"\r\n'.encode())
        self.await_line(b"x OK")
        if self.enabled:
            self.socket.sendall(f'y ENABLE {" ".join(self.enabled)}\r\n'.encode())
            self.await_line(b"y OK")
        self.socket.setblocking(False)

    def await_line(self, start):
        while not harness.recv_line(self.socket).startswith(start):
            pass

    def send(self, event):
        """event: text, append; symbols stand for what is known when it is sent."""
        text = re.sub(r"\{(m|q|k):([^}]*)\}", self.symbol, event["text"])
        if text == "DONE":
            self.idle_done = True
            self.output += b"DONE\r\n"
            return
        command = self.client.begin(text, event.get("append"))
        if command.program is not None and command.options and "UPDATE" in command.options:
            from imap_model import Context
            self.client.contexts[command.tag] = Context(command.program, command.verb == "SORT", text)
        data = f"{command.tag} {text}".encode()
        for xid in event.get("append") or ():
            body = message(xid)
            flags = " (\\Seen)" if xid % 3 == 0 else ""
            data += f"{flags} {{{len(body)}+}}\r\n".encode() + body
        self.output += data + b"\r\n"
        self.idle_done = False
        self.flush()

    def symbol(self, found):
        kind, value = found[1], found[2]
        if kind == "m":
            told = self.client.box.told if self.client.box else []
            return str(told[-int(value)]) if int(value) <= len(told) else "1"
        box = self.world.names.get(value)
        uidvalidity, modseq, known = self.client.caches.get(box.mailboxid if box else None, (0, 0, None))
        if not known:
            return ""
        uids = " " + ",".join(map(str, sorted(known))) if kind == "k" else ""
        return f" (QRESYNC ({uidvalidity} {modseq}{uids}))"

    def flush(self):
        try:
            while self.output:
                n = self.socket.send(bytes(self.output[:65536]))
                del self.output[:n]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (ConnectionError, ssl.SSLError):
            self.ended = True

    def receive(self):
        """Take what is there. Returns whether there was anything."""
        any_came = False
        try:
            while len(self.input) < 1 << 22:
                piece = self.socket.recv(65536)
                if not piece:
                    self.ended = True
                    break
                self.input += piece
                any_came = True
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (ConnectionError, ssl.SSLError):
            self.ended = True
        at = 0
        while (end := imap_grammar.split(self.input, at)) is not None:
            line = bytes(self.input[at:end])
            at = end
            self.run.note("R", self.number, repr(line[:400]))
            self.client.line(line)
            if line.split(b" ", 1)[0] not in (b"*", b"+"):
                self.completed()
        del self.input[:at]
        if self.ended and (not self.client.byes or not self.may_end()):
            self.client.wrong("the connection ended")
        return any_came

    def may_end(self):
        """What was selected was deleted by somebody."""
        names = [self.client.selected] + [command.mailbox for command in self.client.flight]
        return any(name and name.startswith("scratch") for name in names)

    def completed(self):
        pass

    @property
    def idles(self):
        return self.client.command is not None and self.client.command.verb == "IDLE"


class Chooser:
    """What a connection does next."""

    def __init__(self, rng, connection):
        self.rng, self.connection, self.client = rng, connection, connection.client
        self.by_uid = "UIDONLY" in self.client.enabled or self.client.notifies or rng.randrange(2) == 0
        self.view = self.client.view

    def uid(self, text):
        return "UID " + text if self.by_uid else text

    def set(self):
        rng = self.rng
        if self.by_uid:
            known = sorted(self.view.known)
            if rng.randrange(8) == 0 or not known:
                return rng.choice(["1:*", "*", "1:4294967295", "3,7:9"])
            picked = sorted(rng.sample(known, min(len(known), rng.choice([1, 1, 2, 5, 12]))))
            if rng.randrange(3) == 0:
                return f"{picked[0]}:{picked[-1]}"
            return ",".join(map(str, picked))
        n = self.view.exists
        if rng.randrange(8) == 0:
            return rng.choice(["1:*", "*", f"{n}:1"])
        low = 1 + rng.randrange(n)
        return rng.choice([f"{low}", f"{low}:{min(n, low + rng.randrange(9))}", f"{low},{1 + rng.randrange(n)}", f"{low}:*"])

    def next(self):
        """The event, or None where nothing can be sent now."""
        client, rng = self.client, self.rng
        if client.flight:
            verbs = [command.verb for command in client.flight]
            if len(client.flight) > 3 or not {"FETCH", "STORE", "SEARCH", "NOOP", "STATUS", "COPY", "LIST"} >= set(verbs):
                return None
            if not self.by_uid and not all(command.holds for command in client.flight):
                self.by_uid = True
        if self.view is None or not client.box:
            if client.flight:
                return None
            return rng.choice([self.select, self.select, self.select, self.status, self.tree, self.append])()
        kinds = [self.fetch] * 6 + [self.store] * 6 + [self.search] * 4 + [self.noop] * 3 + [self.status, self.list, self.append, self.copy]
        if not client.flight:
            kinds += [self.copy, self.move, self.expunge, self.expunge, self.uid_expunge, self.append, self.select, self.select, self.close,
                      self.idle, self.idle, self.sort, self.context, self.tree, self.saved, self.cancel]
            if self.connection.number % 3:  # of the others nothing may be told but with commands
                kinds += [self.notify]
        return rng.choice(kinds)()

    def select(self):
        name = self.rng.choice(MAILBOXES * 3 + SCRATCH)
        verb = self.rng.choice(["SELECT", "SELECT", "SELECT", "EXAMINE"])
        tail = ""
        if "QRESYNC" in self.client.enabled and self.rng.randrange(4):
            tail = "{%s:%s}" % (self.rng.choice("qqk"), name)
        if self.rng.randrange(6):
            fetch = "FETCH 1:* (UID FLAGS%s)" % (" MODSEQ" if self.client.condstore else "")
            self.connection.todo = [{"text": "UID " + fetch if self.by_uid else fetch}]
        return {"text": f'{verb} "{name}"{tail}'}

    def fetch(self):
        if not self.by_uid and not self.view.exists:
            return self.noop()
        items = self.rng.choice(["(FLAGS)", "(UID FLAGS)", "(UID RFC822.SIZE INTERNALDATE)", "(UID ENVELOPE FLAGS)", "(UID BODY.PEEK[])", "(UID BODY[])",
                                 "(UID BODY.PEEK[HEADER.FIELDS (X-Id)])", "(BODYSTRUCTURE EMAILID THREADID)", "(UID FLAGS BODY.PEEK[] RFC822.SIZE)",
                                 "(UID BODY.PEEK[]<5.20> SAVEDATE PREVIEW)", "FAST", "ALL"])
        tail = ""
        if self.client.condstore:
            if self.rng.randrange(3) == 0:
                items = self.rng.choice(["(UID FLAGS MODSEQ)", "(MODSEQ)", "(FLAGS BODY.PEEK[] MODSEQ)", "(UID BODY[] MODSEQ FLAGS)"])
            if self.rng.randrange(3) == 0:
                tail = " (CHANGEDSINCE {m:%d})" % self.rng.choice([1, 2, 5, 20, 60])
                if self.by_uid and "QRESYNC" in self.client.enabled and self.rng.randrange(2):
                    tail = tail[:-1] + " VANISHED)"
        return {"text": self.uid(f"FETCH {self.set()} {items}{tail}")}

    def store(self):
        if not self.by_uid and not self.view.exists or self.client.read_only and self.rng.randrange(5):
            return self.fetch()
        rng = self.rng
        flags = rng.choice([self.connection.keyword] * 4 + ["\\Seen", "\\Flagged", "\\Answered \\Draft", "\\Deleted", "\\Deleted", f"{self.connection.keyword} \\Seen"])
        operation = rng.choice("+-") if self.client.selected != "Loose" else rng.choice(["+", "-", ""])
        unchanged = ""
        if self.client.condstore and rng.randrange(3) == 0:
            unchanged = "(UNCHANGEDSINCE {m:%d}) " % rng.choice([1, 1, 2, 5, 20, 60])
        silent = rng.choice(["", ".SILENT"])
        if "Deleted" in flags and operation != "-":  # who may expunge which is checked: named one by one
            if not self.view.known:
                return self.noop()
            picked = sorted(rng.sample(sorted(self.view.known), min(len(self.view.known), rng.choice([1, 2, 6]))))
            return {"text": f"UID STORE {','.join(map(str, picked))} {unchanged}{operation}FLAGS{silent} ({flags})"}
        return {"text": self.uid(f"STORE {self.set()} {unchanged}{operation}FLAGS{silent} ({flags})")}

    def program(self):
        choices = ["ALL", "UNSEEN", f"KEYWORD {self.connection.keyword}", "DELETED", "SUBJECT 3", "OR FLAGGED ANSWERED", "LARGER 1000 NOT SEEN"]
        if self.client.condstore:
            choices += ["MODSEQ {m:%d}" % self.rng.choice([1, 5, 30])]
        return self.rng.choice(choices)

    def search(self):
        returns = self.rng.choice(["", "", "RETURN (ALL COUNT) ", "RETURN (MIN MAX) ", "RETURN (SAVE ALL) ", "RETURN (COUNT) "])
        return {"text": self.uid(f"SEARCH {returns}{self.program()}")}

    def saved(self):
        if self.client.saved is None:
            return self.search()
        self.by_uid = True
        return {"text": self.rng.choice(["UID FETCH $ (UID FLAGS)", "UID SEARCH RETURN (ALL) $", "UID SEARCH $"])}

    def sort(self):
        if self.rng.randrange(3) == 0:
            return {"text": self.uid(f"THREAD {self.rng.choice(['REFERENCES', 'ORDEREDSUBJECT', 'REFS'])} UTF-8 {self.program()}")}
        returns = self.rng.choice(["", "RETURN (ALL COUNT) "])
        return {"text": self.uid(f"SORT {returns}({self.rng.choice(['ARRIVAL', 'SUBJECT', 'REVERSE SIZE', 'FROM DATE'])}) UTF-8 {self.program()}")}

    def context(self):
        if len(self.client.contexts) > 3:
            return self.cancel()
        verb = self.rng.choice(["SEARCH RETURN (UPDATE ALL) ", "SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 ", "SORT RETURN (UPDATE ALL) (REVERSE ARRIVAL) UTF-8 "])
        program = self.rng.choice(["ALL", "UNSEEN", "DELETED", f"KEYWORD {self.connection.keyword}", "OR FLAGGED ANSWERED"])
        return {"text": f"UID {verb}{program}"}

    def cancel(self):
        if not self.client.contexts:
            return self.noop()
        tag = self.rng.choice(sorted(self.client.contexts))
        return {"text": f'CANCELUPDATE "{tag}"'}

    def noop(self):
        return {"text": self.rng.choice(["NOOP", "NOOP", "CHECK"])}

    def status(self):
        items = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN" + self.rng.choice(["", " SIZE", " DELETED", " MAILBOXID"])
        if self.client.condstore:
            items += " HIGHESTMODSEQ"
        return {"text": f'STATUS "{self.rng.choice(MAILBOXES)}" ({items})'}

    def list(self):
        return {"text": self.rng.choice(['LIST "" "*"', 'LIST "" %', 'LSUB "" "*"', "NAMESPACE"])}

    def append(self):
        run = self.connection.run
        xids = [run.new_xid() for _ in range(self.rng.choice([1, 1, 1, 3]))]
        return {"text": f'APPEND "{self.rng.choice(MAILBOXES + SCRATCH[:1])}"', "append": xids}

    def copy(self, verb="COPY"):
        if not self.by_uid and not self.view.exists or not self.view.known:
            return self.noop()
        if self.view.exists > MOST_MESSAGES:
            return self.expunge()
        self.by_uid |= verb == "MOVE" and not self.view.all_known()
        picked = self.set() if self.rng.randrange(12) == 0 or not self.by_uid else ",".join(map(str, self.rng.sample(sorted(self.view.known), min(3, len(self.view.known)))))
        if verb == "MOVE" and ("*" in picked or "4294967295" in picked):
            picked, self.by_uid = str(max(self.view.known)), True
        to = self.rng.choice([name for name in MAILBOXES + SCRATCH[:1] if verb == "COPY" or name != self.client.selected])
        return {"text": self.uid(f'{verb} {picked} "{to}"')}

    def move(self):
        if self.client.read_only:
            return self.noop()
        return self.copy("MOVE")

    def expunge(self):
        return self.noop() if self.client.read_only else {"text": "EXPUNGE"}

    def uid_expunge(self):
        if self.client.read_only or not self.view.known:
            return self.noop()
        self.by_uid = True
        return {"text": f"UID EXPUNGE {self.set()}"}

    def close(self):
        return {"text": self.rng.choice(["CLOSE", "UNSELECT"])}

    def idle(self):
        return {"text": "IDLE"}

    def notify(self):
        """Never together with numbers of messages where EXPUNGE may come at any time: what they mean is not known then. Never NONE:
        of flags it is told nothing then (RFC 5465 section 3.1), and what a client believes could not be compared."""
        self.connection.todo = []
        selected = self.rng.choice(["selected", "selected-delayed"])
        new = self.rng.choice(["MessageNew", "MessageNew (UID FLAGS)", "MessageNew (UID BODY.PEEK[HEADER.FIELDS (X-Id)])"])
        others = self.rng.choice(["", " (personal (MessageNew MessageExpunge))", " (personal (MessageNew MessageExpunge MailboxName))",
                                  " (personal (MessageNew MessageExpunge FlagChange))"])
        status = self.rng.choice(["", " STATUS"])
        return {"text": f"NOTIFY SET{status} ({selected} ({new} MessageExpunge FlagChange)){others}"}

    def tree(self):
        a, b = self.rng.sample(SCRATCH, 2)
        return {"text": self.rng.choice([f'CREATE "{a}"', f'CREATE "{a}"', f'DELETE "{a}"', f'RENAME "{a}" "{b}"', f'SUBSCRIBE "{a}"', f'UNSUBSCRIBE "{a}"'])}


class Files:
    """The Maildir of one user, as others change it."""

    def __init__(self, machine, user):
        self.machine, self.user, self.uid = machine, user, harness.USERS[user][0]
        self.root = machine.path("home", user, "Maildir")

    def directory(self, mailbox):
        return self.root if mailbox == "INBOX" else os.path.join(self.root, "." + mailbox.replace("/", "."))

    def deliver(self, mailbox, xid):
        directory, name = self.directory(mailbox), f"1700000{xid:06}.M{xid}.mta"
        path = os.path.join(directory, "tmp", name)
        with open(path, "wb") as f:
            f.write(message(xid).replace(b"\r\n", b"\n"))
        os.chown(path, self.uid, self.uid)
        os.rename(path, os.path.join(directory, "new", name))

    def uids(self, mailbox):
        """{base name: UID}."""
        with open(os.path.join(self.directory(mailbox), "dovecot-uidlist")) as f:
            lines = f.read().splitlines()[1:]
        return {line.split(" :", 1)[1]: int(line.split(" ", 1)[0]) for line in lines if " :" in line}

    def names(self, mailbox):
        for sub in ("cur", "new"):
            for name in os.listdir(os.path.join(self.directory(mailbox), sub)):
                yield sub, name

    def find(self, mailbox, uid):
        base = {number: name for name, number in self.uids(mailbox).items()}.get(uid)
        return next(((sub, name) for sub, name in self.names(mailbox) if base and name.split(":2,")[0] == base), None)

    def change(self, mailbox, uid, letter):
        """Returns whether it was done."""
        try:
            sub, name = self.find(mailbox, uid) or (None, None)
            if not name:
                return False
            directory = self.directory(mailbox)
            stem, _, info = name.partition(":2,")
            if letter == "-":
                os.unlink(os.path.join(directory, sub, name))
            else:
                os.rename(os.path.join(directory, sub, name), os.path.join(directory, "cur", stem + ":2," + "".join(sorted(set(info) ^ {letter}))))
            return True
        except FileNotFoundError:
            return False

    def messages(self, mailbox):
        """{UID: flags}, as the files say."""
        keywords = {}
        try:
            with open(os.path.join(self.directory(mailbox), "dovecot-keywords")) as f:
                for line in f.read().splitlines():
                    number, _, name = line.partition(" ")
                    keywords[chr(ord("a") + int(number))] = name.lower()
        except FileNotFoundError:
            pass
        uids, found = self.uids(mailbox), {}
        for _, name in self.names(mailbox):
            stem, _, info = name.partition(":2,")
            check(stem in uids, f"{name} of {mailbox} has no UID")
            check(uids[stem] not in found, f"{stem} of {mailbox} is there twice")
            found[uids[stem]] = frozenset(LETTERS.get(letter) or keywords[letter] for letter in info)
        return found


class Run:
    def __init__(self, machine, server, users):
        self.machine, self.server = machine, server
        self.rng = random.Random(SEED)
        self.xid = 0
        self.steps = self.quiets = 0
        self.trace_path = os.path.join(harness.BUILD, f"concurrency-{SEED}.trace")
        self.trace = open(self.trace_path, "w")
        self.worlds = {user: World(user) for user in users}
        self.files = {user: Files(machine, user) for user in users}
        numbers = iter(range(100))
        self.connections = []
        for user, count in users.items():
            for _ in range(count):
                number = next(numbers)
                self.connections.append(Connection(self, number, user, ENABLED[number % len(ENABLED)]))
        self.auditors = {user: Connection(self, 50 + n, user, []) for n, user in enumerate(users)}
        for connection in self.connections:
            connection.world.keywords.append(connection.keyword)

    def note(self, *words):
        self.trace.write(" ".join(map(str, words)) + "\n")

    def new_xid(self):
        self.xid += 1
        return self.xid

    def everybody(self):
        return self.connections + list(self.auditors.values())

    def send(self, connection, event):
        self.note("S", connection.number, json.dumps(event))
        connection.send(event)

    def pump(self, seconds=0.0, only=None):
        """Move bytes. Returns whether any came."""
        connections = [c for c in self.everybody() if c.paused_until <= self.steps]
        for connection in connections:
            connection.flush()
        readable = [c for c in connections if c.socket.pending()]
        if not readable:
            ready, _, _ = select.select([c.socket for c in connections], [], [], seconds)
            readable = [c for c in connections if c.socket in ready]
        any_came = False
        for connection in readable:
            any_came |= connection.receive()
            if connection.ended:
                self.note("O", connection.number)
                connection.client.leave()
                connection.open()
        return any_came

    def wait(self, condition, what):
        end = time.monotonic() + (180 if harness.SANITIZED else 90)
        while not condition():
            if not self.pump(0.2):
                check(time.monotonic() < end, f"no answer: {what() if callable(what) else what}", [(c.client.name, c.client.flight, bytes(c.input[:200])) for c in self.everybody() if c.client.flight])

    def step(self):
        self.steps += 1
        if self.rng.randrange(12) == 0:
            self.change_files()
            return
        connection = self.rng.choice(self.connections)
        if connection.paused_until > self.steps:
            return
        if self.rng.randrange(60) == 0:
            connection.paused_until = self.steps + self.rng.randrange(60)
        if connection.idles:
            if connection.client.command.continued and not connection.idle_done and self.rng.randrange(3) == 0:
                self.send(connection, {"text": "DONE"})
            return
        if connection.todo and not connection.client.flight:
            event = connection.todo.pop(0)
            if connection.client.view is None or connection.client.view.exists == 0 and not event["text"].startswith("UID"):
                return
        else:
            event = Chooser(self.rng, connection).next()
        if event:
            self.send(connection, event)

    def change_files(self):
        user = self.rng.choice(sorted(self.worlds))
        mailbox = self.rng.choice(MAILBOXES)
        box = self.worlds[user].names.get(mailbox)
        if self.rng.randrange(3) == 0 or not box:
            if not box or len(box.seen) - len(box.gone) < MOST_MESSAGES:
                self.file_event({"user": user, "mailbox": mailbox, "deliver": self.new_xid()})
            return
        uids = sorted(box.seen - set(box.gone))
        if uids:
            letter = self.rng.choice("FFSSRRDDT-")
            self.file_event({"user": user, "mailbox": mailbox, "change": self.rng.choice(uids), "letter": letter})

    def file_event(self, event):
        files, world = self.files[event["user"]], self.worlds[event["user"]]
        self.note("F", json.dumps(event))
        if "deliver" in event:
            files.deliver(event["mailbox"], event["deliver"])
            return
        if event["letter"] in "T-" and event["mailbox"] in world.names:
            world.names[event["mailbox"]].deletable.add(event["change"])
        files.change(event["mailbox"], event["change"], event["letter"])

    # Rest: all must agree

    def finish_flights(self):
        for connection in self.connections:
            connection.paused_until = 0
        self.wait(lambda: all(not c.idles or c.client.command.continued for c in self.connections), "IDLE")
        for connection in self.connections:
            if connection.idles and not connection.idle_done:
                self.send(connection, {"text": "DONE"})
        self.wait(lambda: not any(c.client.flight for c in self.everybody()), "commands under way")

    def ask(self, connection, text):
        self.send(connection, {"text": text})
        command = connection.client.flight[-1]
        self.wait(lambda: not connection.client.flight, text)
        return command

    def quiet(self):
        self.quiets += 1
        self.note("Q")
        self.finish_flights()
        for connection in self.connections:
            if connection.client.view is not None:
                self.ask(connection, "NOOP")
        for user in self.worlds:
            for mailbox in MAILBOXES:
                self.compare(user, mailbox)
        for connection in self.connections:
            self.await_new(connection)

    def compare(self, user, mailbox):
        auditor = self.auditors[user]
        command = self.ask(auditor, f'EXAMINE "{mailbox}"')
        check(command.status == "OK", f"EXAMINE {mailbox}", command.response)
        told = self.audit(auditor)
        there = self.files[user].messages(mailbox)
        self.same(told, there, f"{user} {mailbox}: the server", "the files")
        for connection in self.connections:
            client = connection.client
            if connection.user == user and client.box is auditor.client.box:
                self.same(self.audit(connection), there, f"{client.name} {mailbox}: the client", "the files")
                self.check_contexts(connection)
            if connection.user == user and client.others:
                self.await_believed(connection, mailbox, (auditor.client.view.exists, auditor.client.selecting["UIDNEXT"]))
        lost = [uid for uid in auditor.client.box.seen if uid not in there and not auditor.client.box.may_be_gone(uid)]
        check(not lost, f"{user} {mailbox}: messages are gone that nobody expunged", lost)

    def await_new(self, connection):
        """NOTIFY tells between commands. Of a message that is gone meanwhile it need not: NOOP tells that."""
        client = connection.client
        if client.to_be_told_new():
            self.ask(connection, "NOOP")
            self.ask(connection, "UID FETCH 1:* (UID)")  # which of them are its own
        self.wait(lambda: not client.to_be_told_new(), lambda: f"{client.name}: NOTIFY does not fetch the new messages {client.to_be_told_new()}")

    def await_believed(self, connection, mailbox, now):
        """What NOTIFY told last of a mailbox that is not selected is what there is."""
        believed = connection.client.believed
        self.wait(lambda: believed.get(mailbox, now) == now,
                  lambda: f"{connection.client.name}: NOTIFY told {believed[mailbox]} (MESSAGES, UIDNEXT) of {mailbox}, there are {now}")

    def audit(self, connection):
        """What the client has now; what it was told before must not have been otherwise."""
        client = connection.client
        if not client.view.exists:
            return {}
        client.strict = True
        self.ask(connection, "UID FETCH 1:* (UID FLAGS%s)" % (" MODSEQ" if client.condstore else ""))
        client.strict = False
        check(client.view.all_known(), f"{client.name}: not all messages were told", client.view.exists, sorted(client.view.known))
        return {uid: slot.flags for uid, slot in client.view.known.items()}

    def same(self, a, b, name_a, name_b):
        differing = {uid: (sorted(a[uid]) if uid in a else None, sorted(b[uid]) if uid in b else None) for uid in set(a) | set(b) if a.get(uid) != b.get(uid)}
        check(not differing, f"{name_a} and {name_b} differ in UIDs", differing)

    def check_contexts(self, connection):
        for tag, context in list(connection.client.contexts.items()):
            command = self.ask(connection, context.text.replace("UPDATE ", ""))
            found, kept = list(command.result or []), list(context.uids)
            check(found == kept if context.is_sort else set(found) == set(kept), f"{connection.client.name}: the result of {tag} {context.text}",
                  f"now {found}", f"as it was told {kept}")

    def run(self):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            self.step()
            self.pump(0.001 if self.rng.randrange(4) else 0.0)
            if self.steps % QUIET_EVERY == 0:
                self.quiet()
        self.quiet()


def all_at_once(machine):
    users = {"alice": 8, "bob": 4}
    for user in users:
        machine.maildir(user)
        for mailbox in MAILBOXES[1:]:
            directory = os.path.join(machine.path("home", user, "Maildir"), "." + mailbox.replace("/", "."))
            machine.maildir(user, path=directory)
    server = Server(machine)
    run = Run(machine, server, users)
    try:
        run.run()
        for connection in run.everybody():
            connection.socket.close()
        check_log_clean(server)
    except BaseException:
        run.trace.flush()
        print(f"seed {SEED}, step {run.steps}: what was sent and received is in {run.trace_path}")
        raise
    checks = sum(world.checks for world in run.worlds.values())
    print(f"seed {SEED}: {run.steps} steps, {checks} responses checked, {run.quiets} times all compared")
    check(checks > 500 and run.quiets > 0, "too little was done", checks, run.quiets)
    run.trace.close()
    os.unlink(run.trace_path)


# What the model must not let pass. Each begins with a mailbox of three messages; "C: " is sent, all else comes. The last line is wrong.
FLAGS, DONE = "* FLAGS (\\Seen)", "t OK done"
SELECT = ["C: SELECT \"INBOX\"", FLAGS, "* 3 EXISTS", "* OK [UIDVALIDITY 5] x", "* OK [UIDNEXT 9] x"]
SELECTED = ["* OK [MAILBOXID (m1)] x", "t OK [READ-WRITE] x", "C: FETCH 1:* (UID FLAGS)", "* 1 FETCH (UID 2 FLAGS ())", "* 2 FETCH (UID 4 FLAGS (\\Seen))",
            "* 3 FETCH (UID 6 FLAGS ())", DONE]
MODSEQS = ["* OK [HIGHESTMODSEQ 50] x"]
NOTIFY = ["C: NOTIFY SET (selected (MessageNew (UID BODY.PEEK[TEXT]) MessageExpunge)) (personal (MessageNew MessageExpunge))", DONE]
WRONG = [
    ([], ["C: NOOP", "* 4 EXPUNGE"], "EXPUNGE of message 4 of 3"),
    ([], ["* 1 EXPUNGE"], "no command is in progress"),
    ([], ["C: FETCH 1 (FLAGS)", "* 1 EXPUNGE"], "EXPUNGE with FETCH"),
    ([], ["C: STORE 1 +FLAGS (a)", "* 1 EXPUNGE"], "EXPUNGE with STORE"),
    ([], ["C: SEARCH ALL", "* 1 EXPUNGE"], "EXPUNGE with SEARCH"),
    ([], ["C: NOOP", "* 2 EXISTS"], "it shrinks"),
    ([], ["C: NOOP", "* 4 EXISTS", "* 4 FETCH (UID 5 FLAGS ())"], "UID 5 of message 4"),
    ([], ["C: NOOP", "* 1 FETCH (UID 3 FLAGS ())"], "has UID 3, it had 2"),
    ([], ["C: NOOP", "* 4 FETCH (FLAGS ())"], "message 4 of 3"),
    ([], ["C: NOOP", "* 1 FETCH (FLAGS () BODY[] {2}", "ab)"], "not asked for"),
    ([], ["C: UID FETCH 4 (FLAGS)", "* 2 FETCH (FLAGS ())"], "FETCH without UID"),
    ([], ["C: FETCH 1:2 (RFC822.SIZE)", "* 1 FETCH (RFC822.SIZE 9)", DONE, "C: NOOP", DONE], "not told as expunged"),
    ([], ["C: NOOP", "* VANISHED 2"], "VANISHED was not enabled"),
    ([], ["C: NOOP", "* 1 EXPUNGE", DONE, "C: UID SEARCH ALL", "* SEARCH 2"], "not in the mailbox"),
    ([], ["C: UID SEARCH ALL", "* SEARCH 2 4", DONE, "C: NOOP", DONE], "UIDs [6]"),
    ([], ["C: SEARCH ALL", "* SEARCH 1 3 2"], "not ascending"),
    ([], ["C: UID SEARCH RETURN (ALL COUNT) ALL", '* ESEARCH (TAG "t") UID COUNT 3 ALL 2,4'], "different things"),
    ([], ["C: NOOP", "* 1 FETCH (FLAGS (\\Seen)  UID 2)"], "not the grammar"),
    ([], ["C: NOOP", "* 01 EXPUNGE"], "not the grammar"),
    ([], ["C: UID STORE 2 +FLAGS.SILENT (own)", DONE, "C: UID FETCH 2 (FLAGS)", "* 1 FETCH (UID 2 FLAGS ())"], "own was set"),
    ([], ["C: UID MOVE 2 \"x\"", "* OK [COPYUID 9 2 1] x", DONE], "not told as expunged"),
    ([], ["C: NOOP", "x OK done"], "out of turn"),
    (["QRESYNC"], ["C: NOOP", "* VANISHED 4", "* VANISHED 4"], "vanished before"),
    (["QRESYNC"], ["C: NOOP", "* 1 EXPUNGE"], "VANISHED was enabled"),
    (["QRESYNC"], ["C: NOOP", "* VANISHED (EARLIER) 2"], "not asked for"),
    (["QRESYNC"], ["C: NOOP", "* 1 FETCH (FLAGS () MODSEQ (60))"], "FETCH without UID"),
    (["CONDSTORE"], ["C: NOOP", "* 1 FETCH (UID 2 FLAGS ())"], "FETCH without MODSEQ"),
    (["CONDSTORE"], ["C: NOOP", "* 1 FETCH (UID 2 FLAGS () MODSEQ (60))", "* 1 FETCH (UID 2 FLAGS () MODSEQ (55))"], "falls"),
    (["CONDSTORE"], ["C: NOOP", "* 1 FETCH (UID 2 FLAGS () MODSEQ (60))", "* 1 FETCH (UID 2 FLAGS (\\Draft) MODSEQ (60))"], "at MODSEQ 60 had"),
    (["CONDSTORE"], ["C: NOOP", "* 1 FETCH (UID 2 FLAGS (\\Draft) MODSEQ (40))"], "knows all up to 50"),
    (["CONDSTORE"], ["C: NOOP", "t OK [HIGHESTMODSEQ 49] x"], "it was 50"),
    (["CONDSTORE"], ["C: UID STORE 2 (UNCHANGEDSINCE 60) +FLAGS.SILENT (a)", "* 1 FETCH (UID 2 MODSEQ (59))", "t OK [MODIFIED 2] x"], "its MODSEQ as told is 59"),
    (["CONDSTORE"], ["C: UID STORE 2 (UNCHANGEDSINCE 60) +FLAGS.SILENT (a)", "t OK [MODIFIED 4] x"], "not to be stored"),
    ([], NOTIFY + ["* 1 FETCH (UID 2 BODY[TEXT] {2}", "ab)"], "not new"),
    ([], NOTIFY + ["* 4 EXISTS", "* 4 FETCH (UID 9 BODY[TEXT] {2}", "ab)", "* 4 FETCH (UID 9 BODY[TEXT] {2}", "ab)"], "not new"),
    ([], NOTIFY + ["* 4 EXISTS", "* 4 FETCH (UID 9 BODY[HEADER] {2}", "ab)"], "not asked for"),
    ([], NOTIFY + ["C: APPEND \"INBOX\"", "* 4 EXISTS", "t OK [APPENDUID 5 9] x", "* 4 FETCH (UID 9 BODY[TEXT] {2}", "ab)"], "this client made"),
    ([], NOTIFY + ["C: FETCH 1:3 (RFC822.SIZE)", "* 1 FETCH (RFC822.SIZE 3)", "* 1 EXPUNGE"], "EXPUNGE with FETCH"),
    ([], ["C: NOTIFY SET (selected-delayed (MessageNew MessageExpunge))", DONE, "* 1 EXPUNGE"], "no command is in progress"),
    ([], NOTIFY + ["* STATUS INBOX (MESSAGES 3 UIDNEXT 9)"], "mailbox that is selected"),
    ([], NOTIFY + ["* STATUS a (MESSAGES 3)"], "too little"),
    ([], NOTIFY + ["* LIST () \"/\" a"], "LIST that nobody"),
    ([], ["C: NOTIFY SET (selected (MessageNew MessageExpunge))", DONE, "* STATUS a (MESSAGES 3 UIDNEXT 9)"], "STATUS that nobody"),
    (["CONDSTORE"], NOTIFY + ["* STATUS a (MESSAGES 3 UIDNEXT 9)"], "STATUS without HIGHESTMODSEQ"),
    (["CONDSTORE"], NOTIFY + ["* 4 EXISTS", "* 4 FETCH (UID 9 BODY[TEXT] {2}", "ab)"], "FETCH without MODSEQ"),
    (["IMAP4REV2"], ["C: NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge))", DONE, "* 4 EXISTS", "* 4 FETCH (FLAGS ())"], "FETCH without UID"),
    (["IMAP4REV2"], ["C: NOOP", "* 1 RECENT"], "RECENT after ENABLE"),
    (["IMAP4REV2"], ["C: SEARCH ALL", "* SEARCH 1"], "SEARCH after ENABLE"),
]


def model_notices(_):
    for enabled, lines, text in WRONG:
        world = World("somebody")
        world.keywords.append("own")
        client = Client(world, "c", "own", enabled)
        modseqs = {"CONDSTORE", "QRESYNC"} & set(enabled)
        begin = [line.replace("FLAGS ())", "FLAGS () MODSEQ (9))").replace("n))", "n) MODSEQ (9))") if modseqs else line for line in SELECTED]
        lines = SELECT + (MODSEQS if modseqs else []) + begin + lines
        try:
            for number, line in enumerate(lines):
                if line.startswith("C: "):
                    client.begin(line[3:], [1] if "APPEND" in line else None)
                elif line == "ab)":
                    continue
                else:
                    more = b"\r\nab)" if line.endswith("{2}") else b""
                    tag = client.flight[0].tag if client.flight else "x"
                    client.line(re.sub(r'^t |"t"', lambda found: found[0].replace("t", tag), line).encode() + more + b"\r\n")
        except Failed as e:
            check(number >= len(lines) - 1 - (lines[-1] == "ab)") and text in str(e), f"{lines[-3:]}: want {text!r} of the last line", str(e), number)
            continue
        check(False, f"{lines[-2:]} was let pass", text)


if __name__ == "__main__":
    harness.main("concurrency", [model_notices, all_at_once])
