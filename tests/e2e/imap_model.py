"""A model of what IMAP connections of one user may see, which checks every response: of each connection the list of messages that
its client has, as RFC 9051 lets it know them; of each mailbox what any connection was told of it so far, in order.

A fact that a connection was told binds what others are told by commands that were sent later. Flags of one message at one
modification sequence are the same for everybody. A client's own conclusion about its last modification sequence (RFC 7162 section
6) must be sound: what it knows of a message whose MODSEQ is not higher is what there is."""
import re

import imap_grammar
from harness import Failed
from imap_grammar import numbers

SYSTEM_FLAGS = {"\\answered", "\\flagged", "\\deleted", "\\seen", "\\draft"}


class Wrong(Failed):
    pass


class Command:
    """What a client sent. All else is read from its text."""

    def __init__(self, tag, text, sent, append=None):
        self.tag, self.text, self.sent, self.append = tag, text, sent, append
        words = text.split(" ")
        self.by_uid = words[0] == "UID"
        self.verb = words[1] if self.by_uid else words[0]
        rest = words[2:] if self.by_uid else words[1:]
        self.mailbox = re.search(r'"([^"]*)"$', text)[1] if self.verb in ("COPY", "MOVE") else rest[0].strip('"') if rest else None
        self.set = rest[0] if self.verb in ("FETCH", "STORE", "COPY", "MOVE") or self.verb == "EXPUNGE" and rest else None
        self.program = self.options = None
        if self.verb in ("SEARCH", "SORT", "THREAD"):
            found = re.match(r"(?:RETURN \(([^)]*)\) )?(.*)$", " ".join(rest))
            self.options, self.program = found[1], found[2]
            if self.verb != "SEARCH":
                self.program = re.sub(r"^(\([^)]*\)|\S+) \S+ ", "", self.program)
        self.holds = not self.by_uid and self.verb in ("FETCH", "STORE", "SEARCH", "SORT", "THREAD", "COPY")
        self.changedsince = self.search("CHANGEDSINCE ([0-9]+)")
        self.unchangedsince = self.search("UNCHANGEDSINCE ([0-9]+)")
        store = re.search(r" ([+-]?)FLAGS(\.SILENT)? \(([^)]*)\)$", text) if self.verb == "STORE" else None
        self.store = (store[1], bool(store[2]), {flag.lower() for flag in store[3].split()}) if store else None
        self.wanted = None      # UIDs it names, as far as they are known
        self.answered = set()   # UIDs that were told with it
        self.flags_told = {}    # UID -> MODSEQ of when its flags were told last with it
        self.result = self.numbers = None
        self.modseq = 0         # the highest that was told
        self.highest = None     # by a response code of its own
        self.closed = False
        self.continued = False
        self.begun = False      # something came that only it can have made
        self.surely = set()     # UIDs that were told since

    def search(self, pattern):
        found = re.search(pattern, self.text)
        return int(found[1]) if found else None

    def names(self, number):
        """Whether its set can mean the number, or UID; "*" may be higher than anybody knows."""
        if self.set == "$":
            return True
        for piece in self.set.split(","):
            ends = [None if end == "*" else int(end) for end in piece.split(":")]
            fixed = [end for end in ends if end is not None]
            if None in ends and (not fixed or number >= min(fixed)) or None not in ends and min(fixed) <= number <= max(fixed):
                return True
        return "*" in self.set and number > 0 and self.star_is_low
    def touches(self, number):
        """Whether its set names the number, or UID (None: unknown); None: that depends on what "*" was."""
        if number is None:
            return None
        if "*" in self.set and self.set != "1:*":
            return True if any(piece.split(":") == [str(number)] for piece in self.set.split(",")) else None
        return self.names(number)

    star_is_low = True  # "9:*" names the last message even where that is below 9

    def __repr__(self):
        return f"{self.tag} {self.text[:300]}"


class Box:
    """What is known of one mailbox, whoever was told. Facts carry the moment at which they were told."""

    def __init__(self, mailboxid, uidvalidity):
        self.mailboxid, self.uidvalidity = mailboxid, uidvalidity
        self.gone = {}        # UID -> when first told
        self.modseqs = {}     # UID -> (highest told, when)
        self.flags_at = {}    # (UID, modseq) -> flags
        self.same = {}        # (UID, item) -> value that never changes
        self.owned = {}       # (UID, keyword that one connection alone changes) -> (is set, when) or None: under way
        self.deletable = set()  # UIDs that somebody set \Deleted on, or moved, or whose file was removed
        self.copies = {}      # UID -> (box, UID) it was copied from
        self.seen = set()     # UIDs
        self.uidnext = (0, 0)
        self.told = []        # modseqs, for commands to come back to

    def may_be_gone(self, uid, depth=0):
        if uid in self.deletable:
            return True
        source = self.copies.get(uid)
        return bool(source) and depth < 50 and source[0].may_be_gone(source[1], depth + 1)


class World:
    """One user's mailboxes."""

    def __init__(self, user):
        self.user = user
        self.boxes = {}     # MAILBOXID -> Box
        self.names = {}     # name -> Box of it when it was last seen, for mailboxes that stay
        self.validities = {}  # (name, UIDVALIDITY) -> MAILBOXID
        self.moment = 0
        self.checks = 0
        self.keywords = []  # that one connection alone changes

    def tick(self):
        self.moment += 1
        return self.moment

    def box(self, name, mailboxid, uidvalidity):
        box = self.boxes.setdefault(mailboxid, Box(mailboxid, uidvalidity))
        if box.uidvalidity != uidvalidity:
            raise Wrong(f"{name}: UIDVALIDITY {uidvalidity} was {box.uidvalidity}, MAILBOXID {mailboxid}")
        if self.validities.setdefault((name, uidvalidity), mailboxid) != mailboxid:
            raise Wrong(f"{name}: UIDVALIDITY {uidvalidity} was that of another mailbox of the name")
        self.names[name] = box
        return box


class Slot:
    __slots__ = ("uid", "flags", "modseq", "came", "new")

    def __init__(self, uid=None, came=None):
        self.uid, self.flags, self.modseq = uid, None, 0
        self.came = came   # the command with which it came
        self.new = None    # what NOTIFY asks for of new messages: "due", or perhaps told already ("may come")


class View:
    """The messages of the selected mailbox, by number; of a UIDONLY client, that is told no numbers: by UID."""

    def __init__(self, by_uid_only):
        self.slots = None if by_uid_only else []
        self.known = {}   # UID -> Slot
        self.exists = 0

    def set_exists(self, n, command, new):
        if n < self.exists:
            raise Wrong(f"EXISTS {n} but there were {self.exists}: it shrinks by EXPUNGE only")
        if self.slots is not None:
            came = [Slot(came=command) for _ in range(n - self.exists)]
            for slot in came:
                slot.new = "due" if new else None
            self.slots += came
        self.exists = n

    def all_known(self):
        return len(self.known) == self.exists

    def learn(self, number, uid):
        """The slot of a message, of which number or UID is told."""
        if self.slots is None:
            if uid not in self.known:
                if len(self.known) == self.exists:
                    raise Wrong(f"UID {uid} is told, but all {self.exists} messages are known and it is none of them")
                self.known[uid] = Slot(uid)
            return self.known[uid]
        if not 1 <= number <= self.exists:
            raise Wrong(f"message {number} of {self.exists}")
        slot = self.slots[number - 1]
        if uid is not None and slot.uid is None:
            if uid in self.known:
                raise Wrong(f"message {number} has UID {uid}, which another message has already")
            self.check_order(number, uid)
            slot.uid = uid
            self.known[uid] = slot
        if uid is not None and slot.uid != uid:
            raise Wrong(f"message {number} has UID {uid}, it had {slot.uid}")
        return slot

    def check_order(self, number, uid):
        for at in range(number - 2, -1, -1):
            if self.slots[at].uid is not None:
                if self.slots[at].uid + (number - 2 - at) >= uid:
                    raise Wrong(f"UID {uid} of message {number}, but message {at + 1} has {self.slots[at].uid}")
                break
        for at in range(number, self.exists):
            if self.slots[at].uid is not None:
                if self.slots[at].uid - (at - number) <= uid:
                    raise Wrong(f"UID {uid} of message {number}, but message {at + 1} has {self.slots[at].uid}")
                break

    def expunge(self, number):
        if not 1 <= number <= self.exists:
            raise Wrong(f"EXPUNGE of message {number} of {self.exists}")
        slot = self.slots.pop(number - 1)
        self.exists -= 1
        if slot.uid is not None:
            del self.known[slot.uid]
        return slot.uid

    def vanish(self, uid):
        slot = self.known.pop(uid, None)
        if self.exists == 0 or slot is None and len(self.known) == self.exists:
            raise Wrong(f"VANISHED {uid}: there is no such message, or it vanished before")
        self.exists -= 1
        if self.slots is None:
            return
        if slot is not None:
            self.slots.remove(slot)
            return
        low = max((at for at, other in enumerate(self.slots) if other.uid is not None and other.uid < uid), default=-1)
        high = min((at for at, other in enumerate(self.slots) if other.uid is not None and other.uid > uid), default=len(self.slots))
        if high - low < 2:
            raise Wrong(f"VANISHED {uid}: no message can have that UID")
        self.slots.pop(low + 1)
        for other in self.slots[low + 1:high - 1]:  # which of them it was is not known
            other.flags, other.modseq = None, 0

    def number_of(self, uid):
        slot = self.known.get(uid)
        return None if slot is None or self.slots is None else self.slots.index(slot) + 1

    def uids_of_numbers(self, found):
        uids = []
        for number in found:
            if not 1 <= number <= self.exists:
                raise Wrong(f"message {number} of {self.exists}")
            uids.append(self.slots[number - 1].uid)
        return uids

    def could_have(self, uid):
        return uid in self.known or len(self.known) < self.exists


class Context:
    def __init__(self, program, is_sort, text):
        self.program, self.is_sort, self.text = program, is_sort, text
        self.uids = None

    def update(self, kind, position, uids):
        if self.is_sort != (position > 0):
            raise Wrong(f"{kind} at position {position}")
        for uid in uids:
            if (kind == "ADDTO") == (uid in self.uids):
                raise Wrong(f"{kind} of UID {uid}: the result is {self.uids}")
        if kind == "ADDTO":
            at = position - 1 if self.is_sort else len(self.uids)
            if at > len(self.uids):
                raise Wrong(f"ADDTO at position {position} of {len(self.uids)}")
            self.uids[at:at] = uids
            return
        if self.is_sort and self.uids[position - 1:position - 1 + len(uids)] != uids:
            raise Wrong(f"REMOVEFROM at {position} of {uids}: the result is {self.uids}")
        self.uids = [uid for uid in self.uids if uid not in set(uids)]


class Client:
    """One connection. line() takes each response; the driver calls begin() for each command it sends, in order."""

    def __init__(self, world, name, keyword, enabled):
        self.world, self.name, self.keyword = world, name, keyword.lower()
        self.enabled = set(enabled)
        self.condstore = bool({"CONDSTORE", "QRESYNC"} & self.enabled)
        self.flight = []
        self.count = 0
        self.caches = {}   # MAILBOXID -> (UIDVALIDITY, modseq, {UID: flags})
        self.since = 0         # when the last command was sent that was answered: what comes now was told later
        self.notifying = False  # NOTIFY SET: all but EXPUNGE comes at any time
        self.notifies = False  # NOTIFY SET (SELECTED ...: EXPUNGE as well (RFC 5465 section 5.3)
        self.new_items = None  # of new messages in the selected mailbox (RFC 5465 section 5.2)
        self.others = set()    # events of other mailboxes that it asked for
        self.believed = {}     # name of another mailbox -> (MESSAGES, UIDNEXT): as NOTIFY told last, and nothing was done by this client
        self.strict = False  # nothing changes any more: what was told must be what there is
        self.byes = 0
        self.leave()

    def leave(self):
        """The mailbox is no longer selected: what is known of it is kept."""
        if getattr(self, "view", None) and self.box and self.condstore and self.modseq:
            known = {slot.uid: slot.flags for slot in self.view.known.values() if slot.flags is not None}
            known.update({uid: flags for uid, flags in self.cached.items() if flags is not None and uid not in self.view.known})
            self.caches[self.box.mailboxid] = (self.box.uidvalidity, self.modseq, known)
        self.view = self.box = self.selected = None
        self.read_only = False
        self.modseq = 0
        self.cached = {}
        self.saved = None
        self.first_new = 0  # UIDNEXT when it was selected
        self.own = set()    # UIDs of messages that this client made here
        self.told_new = set()
        self.owed = {}      # UID -> when it was found missing: to be told as expunged
        self.contexts = {}

    def wrong(self, text, response=None):
        raise Wrong(f"{self.name}: {text}\n    response {response!r:.1500}\n    commands {self.flight}\n    "
                    f"mailbox {self.selected}, {self.view.exists if self.view else None} messages: "
                    f"{[slot.uid for slot in (self.view.slots or [])][:400] if self.view else None}")

    # What is sent

    def begin(self, text, append=None):
        self.count += 1
        command = Command(f"{self.name}.{self.count}", text, self.world.tick(), append)
        if self.view:
            command.wanted = self.uids_named(command)
            if command.store and ("\\deleted" in command.store[2] and command.store[0] != "-") or command.verb == "MOVE":
                self.box.deletable |= command.wanted
            if self.touches_own(command):
                self.forget_owned(command)
        command.caches = dict(self.caches)  # what SELECT tells the server is known, though more may become known on its way
        self.flight.append(command)
        self.changes_itself(command)
        return command

    def changes_itself(self, command):
        """Of what a client does itself NOTIFY need not tell (RFC 5465 section 5), so what was told of that mailbox is no longer known."""
        if command.verb in ("APPEND", "COPY", "MOVE", "SELECT", "EXAMINE"):
            self.believed.pop(command.mailbox, None)
        if command.verb == "NOTIFY":
            self.believed = {}
        if command.verb == "CANCELUPDATE":
            self.contexts.pop(command.mailbox, None)

    def touches_own(self, command):
        """A STORE that changes the keyword which this connection alone changes; in a mailbox called Loose anybody changes all."""
        return command.store and self.selected != "Loose" and self.keyword in command.store[2]

    def forget_owned(self, command):
        """While it is under way; for good where it is not known whether it is named."""
        for uid in command.wanted:
            self.box.owned[uid, self.keyword] = None
        for uid, keyword in self.box.owned:
            if keyword == self.keyword and (command.names(uid) if command.by_uid else uid not in self.view.known or "*" in command.set):
                self.box.owned[uid, keyword] = None

    def uids_named(self, command):
        """The UIDs that a set names, of messages whose UID is known."""
        if command.set is None:
            return None
        if command.set == "$":
            return {uid for uid in self.saved or () if uid in self.view.known}
        star = max(self.view.known, default=0) if command.by_uid else self.view.exists
        found = set()
        for piece in command.set.split(","):
            if piece == "*":  # others may have come until it is run
                continue
            ends = [star if end == "*" else int(end) for end in piece.split(":")]
            low, high = min(ends), max(ends)
            if command.by_uid:
                found |= {uid for uid in self.view.known if low <= uid <= high or "*" in piece and uid >= low}
            else:
                found |= {slot.uid for slot in self.view.slots[low - 1:high] if slot.uid is not None}
        return found

    # What is received

    def line(self, data):
        try:
            response = imap_grammar.parse(data, utf8="IMAP4REV2" in self.enabled)
        except (imap_grammar.NotIMAP, UnicodeDecodeError) as e:
            self.wrong(f"not the grammar: {e}", data[:3000])
        self.world.tick()
        self.world.checks += 1
        try:
            self.take(response)
        except Wrong as e:
            if str(e).startswith(self.name + ":"):
                raise
            self.wrong(str(e), data[:3000])
        return response

    @property
    def command(self):
        return self.flight[0] if self.flight else None

    def take(self, response):
        if response.tag == b"+":
            if not self.command:
                self.wrong("continuation, but no command")
            self.command.continued = self.command.begun = True
        elif response.tag != b"*":
            self.complete(response)
        else:
            method = getattr(self, "on_" + response.name.lower(), None)
            if method:
                method(response, None if self.is_of_old(response) else self.command)
        if response.code == "HIGHESTMODSEQ" and self.view is not None and response.tag == b"*":
            if self.command and not self.is_selecting(self.command):
                self.command.highest = response.code_value
            self.highest(response.code_value)

    def needs_view(self, response):
        if self.view is None:
            self.wrong("message data, but no mailbox is selected", response)

    def highest(self, modseq):
        if modseq < self.modseq:
            self.wrong(f"HIGHESTMODSEQ {modseq}, it was {self.modseq}")
        self.modseq = modseq
        if self.box:
            self.box.told.append(modseq)

    def begin_select(self, command):
        """The first response to SELECT, or what follows CLOSED: the mailbox to come."""
        if not command.closed:
            self.leave()
            command.closed = True
            self.view = View("UIDONLY" in self.enabled)
            self.selected = command.mailbox
            self.selecting = {}

    def is_of_old(self, response):
        """NOTIFY tells of the mailbox that was selected until CLOSED."""
        return self.notifying and self.is_selecting(self.command) and not self.command.closed and self.view is not None and response.code != "CLOSED"

    def is_selecting(self, command):
        return command is not None and command.verb in ("SELECT", "EXAMINE")

    def made_after(self, command):
        """A moment before the server made the response that came: what others were told until then must hold. What NOTIFY tells may
        have been on its way when the command was sent, until something came that only the command can have made."""
        return command.sent if command and (command.begun or not self.notifying) else self.since

    def complete_notify(self, command, response):
        if response.name != "OK":
            return
        self.notifying = True
        self.notifies = "(selected (" in command.text
        new = re.search(r"\(selected\S* \(MessageNew \((.*?)\) MessageExpunge", command.text)
        self.new_items = {name.replace(".PEEK", "") for name in re.findall(r"[A-Z0-9.]+(?:\[[^]]*\])?", new[1])} if new else None
        others = re.search(r"\(personal \((.*?)\)\)", command.text)
        self.others = set(others[1].split()) if others else set()
        if " STATUS " not in command.text:
            self.believed = {}
        for slot in (self.view.slots or ()) if self.view else ():
            slot.new = "may come" if self.new_items and slot.came is command else None  # it implies a NOOP (RFC 5465 section 3.1)

    def on_ok(self, response, command):
        if response.code == "NOTIFICATIONOVERFLOW":
            self.notifies = False
            self.new_items, self.others, self.believed = None, set(), {}
        if response.code == "CLOSED":
            if self.view is None:
                self.wrong("CLOSED, but no mailbox is selected", response)
            if self.is_selecting(command):
                self.begin_select(command)
            elif command and command.verb == "DELETE":
                self.leave()
            else:
                self.wrong("CLOSED", response)
        elif self.is_selecting(command):
            if response.code in ("UIDVALIDITY", "UIDNEXT", "MAILBOXID", "HIGHESTMODSEQ", "PERMANENTFLAGS"):
                self.selecting_data(response.code, response.code_value, command)
            if response.code == "MAILBOXID":
                self.first_new = self.selecting["UIDNEXT"]
                self.box = self.world.box(self.selected, response.code_value, self.selecting["UIDVALIDITY"])
                self.take_uidnext(self.selecting["UIDNEXT"], command)
                self.take_cache(command)
        elif response.code == "COPYUID":
            command.copyuid = response.code_value
            self.take_copyuid(command)
        elif response.code == "HIGHESTMODSEQ" and not self.condstore:
            self.wrong("HIGHESTMODSEQ, but CONDSTORE is not enabled", response)

    def on_no(self, response, command):
        if response.code == "NOUPDATE":
            self.contexts.pop(response.code_value.decode(), None)

    def on_bye(self, response, command):
        self.byes += 1

    def on_flags(self, response, command):
        if self.is_selecting(command):
            if self.view is not None and not command.closed:
                self.wrong("SELECT tells of a mailbox before the one before is CLOSED", response)
            self.begin_select(command)
        self.needs_view(response)

    def selecting_data(self, code, value, command):
        if self.view is None or not command.closed:
            self.wrong(f"{code} before FLAGS")
        if code in self.selecting:
            self.wrong(f"{code} twice")
        self.selecting[code] = value

    def take_uidnext(self, uidnext, command):
        told, when = self.box.uidnext
        if when and when < command.sent and uidnext < told:
            self.wrong(f"UIDNEXT {uidnext}, it was {told}")
        if uidnext > told:
            self.box.uidnext = (uidnext, self.world.moment)

    def take_cache(self, command):
        """After SELECT (QRESYNC ...), or what a client that asks for changes itself knows: the cache holds."""
        uidvalidity, modseq, known = command.caches.get(self.box.mailboxid, (0, 0, {}))
        self.cached = {}
        if uidvalidity == self.box.uidvalidity and f"(QRESYNC ({uidvalidity} {modseq}" in command.text:
            self.cached = dict(known)
            if self.selecting["HIGHESTMODSEQ"] < modseq:
                self.wrong(f"HIGHESTMODSEQ {self.selecting['HIGHESTMODSEQ']} but {modseq} was concluded before")

    def on_exists(self, response, command):
        if self.is_selecting(command) and not command.closed:
            self.wrong("EXISTS before FLAGS", response)
        self.needs_view(response)
        self.view.set_exists(response.number, command, self.new_items and not self.is_selecting(command))

    def on_recent(self, response, command):
        self.needs_view(response)
        if "IMAP4REV2" in self.enabled:
            self.wrong("RECENT after ENABLE IMAP4rev2", response)
        if response.number > self.view.exists:
            self.wrong("RECENT is more than EXISTS", response)

    def may_expunge(self, response, command):
        self.needs_view(response)
        if command is None and not self.notifies:
            self.wrong("EXPUNGE while no command is in progress", response)
        if command is not None and (command.holds or self.is_selecting(command) or command.verb in ("CLOSE", "UNSELECT")) and (
                command.begun or not self.notifies):
            self.wrong(f"EXPUNGE with {command.verb}", response)

    def told_gone(self, uid, response):
        if uid is None:
            return
        for tag, context in self.contexts.items():
            if context.uids is not None and uid in context.uids:
                self.wrong(f"UID {uid} is expunged, but it is in the result of {tag} still", response)
        self.owed.pop(uid, None)
        self.cached.pop(uid, None)
        self.box.gone.setdefault(uid, self.world.moment)
        self.box.seen.add(uid)

    def on_expunge(self, response, command):
        self.may_expunge(response, command)
        if {"QRESYNC", "UIDONLY"} & self.enabled:
            self.wrong("EXPUNGE, but VANISHED was enabled", response)
        self.told_gone(self.view.expunge(response.number), response)

    def on_vanished(self, response, command):
        earlier, uids = response.value
        if not {"QRESYNC", "UIDONLY"} & self.enabled:
            self.wrong("VANISHED was not enabled", response)
        self.needs_view(response)
        if earlier:
            if not (self.is_selecting(command) or command and "VANISHED" in command.text):
                self.wrong("VANISHED (EARLIER) that was not asked for", response)
            for uid in uids:
                if uid in self.view.known:
                    self.wrong(f"VANISHED (EARLIER) of UID {uid}, which is in the list", response)
                self.cached.pop(uid, None)
            return
        self.may_expunge(response, command)
        for uid in uids:
            self.view.vanish(uid)
            self.told_gone(uid, response)

    def on_fetch(self, response, command):
        if "UIDONLY" in self.enabled:
            self.wrong("FETCH with UIDONLY", response)
        self.needs_view(response)
        self.take_fetch(response.number, response.value.get("UID"), response, command)

    def on_uidfetch(self, response, command):
        if "UIDONLY" not in self.enabled:
            self.wrong("UIDFETCH without UIDONLY", response)
        self.needs_view(response)
        if response.value.get("UID", response.number) != response.number:
            self.wrong("two UIDs", response)
        self.take_fetch(None, response.number, response, command)

    def take_fetch(self, number, uid, response, command):
        items = response.value
        slot = self.view.learn(number, uid)
        uid = slot.uid
        asked = command is not None and command.verb == "FETCH"
        self.was_asked(number, slot, items, response, command)
        if number is not None and "UID" not in items and (command and command.by_uid and not self.notifying or not asked and (
                "IMAP4REV2" in self.enabled or self.condstore)):
            self.wrong("FETCH without UID", response)
        if self.condstore and "MODSEQ" not in items and (not asked or command.changedsince is not None):
            self.wrong("FETCH without MODSEQ", response)
        if not self.condstore and "MODSEQ" in items:
            self.wrong("MODSEQ was not enabled", response)
        if command:
            command.modseq = max(command.modseq, items.get("MODSEQ", 0))
        if uid is None:
            if "FLAGS" in items:
                slot.flags = self.flags_of(items)
            return
        if slot.flags is None and uid in self.cached:
            slot.flags = self.cached[uid]
        if uid in self.cached:
            self.cached[uid] = None  # the slot has them
        self.check_message(uid, slot, items, response, command)
        if command:
            command.answered.add(uid)
            if self.made_after(command) == command.sent:
                command.surely.add(uid)
            if "FLAGS" in items:
                command.flags_told[uid] = items.get("MODSEQ", 0)
            # What NOTIFY tells of a new message may come before the command that was sent has begun.
            as_new = bool(self.new_items) and set(items) <= self.new_items | {"UID", "MODSEQ"}
            if asked and not as_new and command.changedsince is not None and not set(items) <= {"UID", "FLAGS", "MODSEQ"} and "MODSEQ" in items and items["MODSEQ"] <= command.changedsince:
                self.wrong(f"MODSEQ is not above {command.changedsince}", response)

    @staticmethod
    def flags_of(items):
        return frozenset(flag.lower() for flag in items["FLAGS"]) - {"\\recent"}

    def was_asked(self, number, slot, items, response, command):
        """What is not told of itself must have been asked for, of this message."""
        of_flags = set(items) <= {"UID", "FLAGS", "MODSEQ"}
        asked = command is not None and command.verb == "FETCH" and bool(command.names(slot.uid if command.by_uid else number))
        if asked and not of_flags:
            command.begun |= not self.new_items or not set(items) <= self.new_items | {"UID", "MODSEQ"}
        as_new = bool(self.new_items) and self.new_items <= set(items) <= self.new_items | {"UID", "MODSEQ"}
        if of_flags or asked:
            if as_new and slot.new == "due":
                slot.new = "may come"
        elif as_new:
            self.take_new(slot, response)
        else:
            self.wrong("FETCH that was not asked for", response)

    def take_new(self, slot, response):
        """What NOTIFY asks for of new messages, once for each (RFC 5465 section 5.2)."""
        if slot.uid in self.own:
            self.wrong("a message that this client made is told to it as new", response)
        if slot.uid in self.told_new or slot.uid is not None and slot.uid < self.first_new or self.view.slots is not None and not slot.new:
            self.wrong("FETCH that was not asked for: the message is not new", response)
        slot.new = None
        if slot.uid is not None:
            self.told_new.add(slot.uid)

    def to_be_told_new(self):
        """Numbers of messages that are new, and were not told as NOTIFY asks for."""
        slots = self.view.slots if self.view and self.view.slots else []
        return [number for number, slot in enumerate(slots, 1) if slot.new == "due" and slot.uid not in self.own]

    def check_message(self, uid, slot, items, response, command):
        box = self.box
        sent = self.made_after(command)
        if uid in box.gone and box.gone[uid] < sent:
            self.wrong(f"UID {uid} was told as expunged to somebody before this was asked", response)
        box.seen.add(uid)
        modseq = items.get("MODSEQ")
        if modseq:
            highest, when = box.modseqs.get(uid, (0, 0))
            if modseq < slot.modseq or highest > modseq and when < sent:
                self.wrong(f"MODSEQ of UID {uid} falls: {slot.modseq} here, {highest} told before", response)
            slot.modseq = modseq
            if modseq > highest:
                box.modseqs[uid] = (modseq, self.world.moment)
                box.told.append(modseq)
        if "FLAGS" in items:
            if "\\deleted" in self.flags_of(items):
                box.deletable.add(uid)
            self.check_flags(uid, slot, self.flags_of(items), modseq, response, command)
        for item, value in items.items():
            if item in ("RFC822.SIZE", "INTERNALDATE", "EMAILID", "THREADID", "SAVEDATE", "ENVELOPE", "BODYSTRUCTURE", "BODY") or item.startswith("BODY["):
                if box.same.setdefault((uid, item), value) != value:
                    self.wrong(f"{item} of UID {uid} changes: {box.same[uid, item]!r:.300}", response)

    def check_flags(self, uid, slot, flags, modseq, response, command):
        box, sent = self.box, self.made_after(command)
        if modseq and box.flags_at.setdefault((uid, modseq), flags) != flags:
            self.wrong(f"UID {uid} at MODSEQ {modseq} had {sorted(box.flags_at[uid, modseq])}", response)
        if modseq and slot.flags is not None and modseq <= self.modseq and flags != slot.flags and not self.is_selecting(command):
            self.wrong(f"UID {uid}: the client knows all up to {self.modseq}, and thought {sorted(slot.flags)}", response)
        for keyword in self.world.keywords:
            fact = box.owned.get((uid, keyword))
            if fact and (keyword == self.keyword or fact[1] < sent) and fact[0] != (keyword in flags):
                self.wrong(f"UID {uid}: {keyword} was {'set' if fact[0] else 'taken away'} before", response)
        if self.strict and slot.flags is not None and slot.flags != flags:
            self.wrong(f"nothing changes any more: UID {uid} has {sorted(flags)}, the client was told {sorted(slot.flags)}", response)
        slot.flags = flags

    # Results

    def on_search(self, response, command):
        found, modseq = response.value
        if command is None or command.verb not in ("SEARCH", "SORT"):
            self.wrong("SEARCH that nobody asked for", response)
        command.begun = True
        if command.verb == "SEARCH" and "IMAP4REV2" in self.enabled:
            self.wrong("SEARCH after ENABLE IMAP4rev2", response)
        if command.verb == "SEARCH" and found != sorted(found):
            self.wrong("not ascending", response)
        self.take_result(command, found, response)

    on_sort = on_search

    def on_thread(self, response, command):
        command.begun = True
        self.take_result(command, response.value, response)

    def take_result(self, command, found, response):
        if len(set(found)) != len(found):
            self.wrong("a message twice", response)
        uids = found if command.by_uid else self.view.uids_of_numbers(found)
        for uid in uids:
            if uid is not None and not self.view.could_have(uid):
                self.wrong(f"UID {uid} is not in the mailbox", response)
            if uid in self.box.gone and self.box.gone[uid] < command.sent:
                self.wrong(f"UID {uid} was told as expunged to somebody before this was asked", response)
        command.result, command.numbers = uids, None if command.by_uid else found

    def on_esearch(self, response, command):
        value = response.value
        tag = value.get("TAG", b"").decode()
        if value["updates"]:
            if command is not None and command.verb == "CANCELUPDATE" and command.mailbox == tag:
                return  # perhaps before it was taken
            if tag not in self.contexts:
                self.wrong("an update of no search", response)
            for kind, position, uids in value["updates"]:
                self.contexts[tag].update(kind, position, uids)
                for uid in uids:
                    if not self.view.could_have(uid):
                        self.wrong(f"{kind} of UID {uid}, which is not in the mailbox", response)
            return
        if command is None or command.tag != tag or value["UID"] != command.by_uid:
            self.wrong("ESEARCH that nobody asked for", response)
        command.begun = True
        if "ALL" in value:
            found = value["ALL"]
            if value.get("COUNT", len(found)) != len(found) or command.verb == "SEARCH" and (
                    value.get("MIN", min(found)) != min(found) or value.get("MAX", max(found)) != max(found)):
                self.wrong("COUNT, MIN, MAX and ALL say different things", response)
            self.take_result(command, found, response)
        elif "COUNT" in value:
            command.count = value["COUNT"]
            if command.count > self.view.exists:
                self.wrong("COUNT is more than EXISTS", response)
        for key in ("MIN", "MAX"):
            if key in value:
                self.take_result(command, [value[key]], response) if "ALL" not in value else None
        if command.result is None and not {"MIN", "MAX", "COUNT", "PARTIAL"} & set(value):
            command.result = []
        if tag in self.contexts:
            self.contexts[tag].uids = list(command.result)

    def on_status(self, response, command):
        name, items = response.value
        if not (command and command.verb == "STATUS" and command.mailbox == name.decode()):
            self.check_news(name.decode(), items, response, command)
        if {"MESSAGES", "UIDNEXT"} <= set(items) and self.notifying and name.decode() != self.selected:
            self.believed[name.decode()] = (items["MESSAGES"], items["UIDNEXT"])
        box = self.world.names.get(name.decode())
        if not box or box.mailboxid != items.get("MAILBOXID", box.mailboxid):
            return
        if items.get("UIDVALIDITY", box.uidvalidity) != box.uidvalidity and not name.startswith(b"scratch"):
            self.wrong(f"UIDVALIDITY was {box.uidvalidity}", response)
        if name.startswith(b"scratch"):
            return
        if "UIDNEXT" in items:
            told, when = box.uidnext
            if when < self.made_after(command) and items["UIDNEXT"] < told:
                self.wrong(f"UIDNEXT was {told}", response)
            if items["UIDNEXT"] > told:
                box.uidnext = (items["UIDNEXT"], self.world.moment)
        if items.get("UNSEEN", 0) > items.get("MESSAGES", 1 << 40) or items.get("DELETED", 0) > items.get("MESSAGES", 1 << 40):
            self.wrong("UNSEEN or DELETED is more than MESSAGES", response)

    def check_news(self, name, items, response, command):
        """Of another mailbox, as NOTIFY asks for. RFC 5465 sections 3.1, 5.1 to 5.3."""
        first = command is not None and command.verb == "NOTIFY" and " STATUS " in command.text
        if "MessageNew" not in self.others and not first:
            self.wrong("STATUS that nobody asked for", response)
        if name == self.selected and not name.startswith("scratch"):  # of those another may have the name now
            self.wrong("STATUS of the mailbox that is selected", response)
        counted = {"MESSAGES", "UIDNEXT"} <= set(items)
        if not counted and not ("FlagChange" in self.others and "UIDVALIDITY" in items and {"HIGHESTMODSEQ", "UNSEEN"} & set(items)):
            self.wrong("STATUS tells too little", response)
        if self.condstore and "HIGHESTMODSEQ" not in items and not first:
            self.wrong("STATUS without HIGHESTMODSEQ", response)

    def on_list(self, response, command):
        if not (command and command.verb in ("LIST", "LSUB", "SELECT", "EXAMINE")) and not {"MailboxName", "SubscriptionChange"} & self.others:
            self.wrong("LIST that nobody asked for", response)

    # Completion

    def complete(self, response):
        if not self.flight or response.tag.decode() != self.flight[0].tag:
            self.wrong("tagged response out of turn", response)
        command = self.flight[0]
        command.status, command.response = response.name, response
        if response.name == "BAD":
            self.wrong("BAD", response)
        if command.verb in ("SELECT", "EXAMINE"):
            self.complete_select(command, response)
        elif command.verb in ("CLOSE", "UNSELECT") and response.name == "OK":
            self.leave()
        elif self.view is not None and self.box is not None:
            getattr(self, "complete_" + command.verb.lower(), lambda *_: None)(command, response)
            self.conclude(command, response)
        if command.verb == "NOTIFY":
            self.complete_notify(command, response)
        if command.verb == "APPEND":
            self.complete_append(command, response)
        if command.verb != "NOTIFY":
            self.changes_itself(command)
        self.since = max(self.since, command.sent)
        self.flight.pop(0)

    def conclude(self, command, response):
        if self.condstore:
            if response.code == "HIGHESTMODSEQ":
                self.highest(response.code_value)
            elif command.modseq > self.modseq and command.highest is None:
                self.highest(command.modseq)
        if not command.holds and response.name == "OK":  # what is refused at once tells nothing
            late = [uid for uid, when in self.owed.items() if when < command.sent and uid in self.view.known]
            if late:
                self.wrong(f"UIDs {late} were no longer there for a command before, and are not told as expunged", response)

    def complete_select(self, command, response):
        if response.name != "OK":
            self.leave()
            return
        if not self.box or "UIDNEXT" not in self.selecting:
            self.wrong("SELECT told too little", response)
        wanted = {"SELECT": "READ-WRITE", "EXAMINE": "READ-ONLY"}[command.verb]
        if response.code != wanted:
            self.wrong(f"want {wanted}", response)
        if self.condstore != ("HIGHESTMODSEQ" in self.selecting):
            self.wrong("HIGHESTMODSEQ and CONDSTORE do not go together", response)
        self.read_only = command.verb == "EXAMINE"
        if command.modseq > self.modseq:
            self.wrong(f"MODSEQ {command.modseq} above HIGHESTMODSEQ {self.modseq}", response)

    def missing(self, command, told):
        """What it named and was not told, though it is in the list: must have been expunged, which is told later."""
        for uid in (command.wanted or set()) - told:
            if uid in self.view.known:
                self.owed.setdefault(uid, self.world.moment)

    def complete_fetch(self, command, response):
        if response.name == "OK" or response.code == "EXPUNGEISSUED":
            if command.changedsince is None:
                self.missing(command, command.answered)
            else:
                self.missing(command, command.answered | {uid for uid in command.wanted or () if not self.changed_before(
                    uid, command.changedsince, command.sent)})
        if self.cached and self.view.all_known() and command.set == "1:*" and command.changedsince is None:
            left = [uid for uid in self.cached if uid not in self.view.known]
            if left:
                self.wrong(f"UIDs {left} are known from before, are not there any more, and were not told as VANISHED", response)
            self.cached = {}

    def changed_before(self, uid, modseq, sent):
        told, when = self.box.modseqs.get(uid, (0, 0))
        return told > modseq and when < sent

    def complete_store(self, command, response):
        modified = set()
        if response.code == "MODIFIED":
            found = response.code_value
            modified = set(found if command.by_uid else self.view.uids_of_numbers(found)) - {None}
            if command.unchangedsince is None or not all(command.names(number) for number in found):
                self.wrong("MODIFIED of what was not to be stored", response)
            for uid in modified:
                if self.box.modseqs.get(uid, (1 << 63, 0))[0] <= command.unchangedsince:
                    self.wrong(f"UID {uid} is MODIFIED, but its MODSEQ as told is {self.box.modseqs[uid][0]}", response)
                if uid not in self.box.modseqs:
                    self.wrong(f"UID {uid} is MODIFIED, and its MODSEQ was never told", response)
        operation, silent, flags = command.store
        done = response.name == "OK" or response.code in ("MODIFIED", "EXPUNGEISSUED")
        for uid in command.wanted - modified:
            # With + and - it is about the flags that are named: others may have changed (RFC 7162 3.1.12).
            if command.unchangedsince is not None and operation == "" and uid in command.wanted and done and uid in self.view.known \
                    and self.changed_before(uid, command.unchangedsince, command.sent) and uid in command.surely:
                self.wrong(f"UID {uid} is not MODIFIED, though MODSEQ {self.box.modseqs[uid][0]} was told before", response)
        if done and silent:
            for number, slot in enumerate(self.view.slots if self.view.slots is not None else self.view.known.values(), 1):
                if slot.flags is None or slot.uid in modified:
                    continue
                touched = command.touches(slot.uid if command.by_uid else number)
                changed = None if touched is None else self.changed(slot.flags, operation, flags) if touched else slot.flags
                if slot.uid in command.flags_told and changed != slot.flags:  # before the change, or behind it
                    if not self.condstore:
                        changed = None
                    elif slot.modseq == command.flags_told[slot.uid]:
                        changed = slot.flags
                slot.flags = changed
            for uid in self.cached:
                if uid not in self.view.known and (not command.by_uid or command.touches(uid) is not False):
                    self.cached[uid] = None
        if done and not silent:
            self.missing(command, set(command.flags_told) | modified)
        for uid in command.wanted:
            self.settle(uid, command, done and uid not in modified)

    @staticmethod
    def changed(flags, operation, change):
        return flags | change if operation == "+" else flags - change if operation == "-" else frozenset(change)

    def settle(self, uid, command, done):
        if not self.touches_own(command):
            return
        others = [other for other in self.flight[1:] if self.touches_own(other) and uid in (other.wanted or ())]
        if done and not others:
            self.box.owned[uid, self.keyword] = (command.store[0] != "-", self.world.moment)
        elif not others:
            self.box.owned.pop((uid, self.keyword), None)

    def complete_search(self, command, response):
        if command.tag in self.contexts and response.name != "OK":
            del self.contexts[command.tag]
        if response.name != "OK":
            return
        if command.result is not None:
            if command.numbers:  # UIDs may have been told since
                command.result = self.view.uids_of_numbers(command.numbers)
            self.check_complete(command, response)
        if command.options and "SAVE" in command.options:
            self.saved = command.result if command.result is None or None not in command.result else None
        if command.tag in self.contexts and self.contexts[command.tag].uids is None:
            self.contexts[command.tag].uids = list(command.result or [])

    complete_sort = complete_thread = complete_search

    def check_complete(self, command, response):
        """What must be in the result, of messages that are known: those that were there all the time."""
        if command.options and "ALL" not in command.options:
            return
        known = set(self.view.known)
        if command.program == "ALL":
            must = known
        elif command.program == f"KEYWORD {self.keyword}":
            must = {uid for uid in known if (self.box.owned.get((uid, self.keyword)) or (0,))[0]}
            for uid in command.result:
                fact = self.box.owned.get((uid, self.keyword))
                if fact and not fact[0]:
                    self.wrong(f"UID {uid} has not {self.keyword}", response)
        elif command.program == "$" and self.saved is not None:
            must = set(self.saved) & known
            if set(command.result) - set(self.saved) - {None}:
                self.wrong(f"more than the saved {self.saved}", response)
        elif re.match(r"MODSEQ \d+$", command.program):
            modseq = int(command.program.split()[1])
            must = {uid for uid in known if self.changed_before(uid, modseq - 1, command.sent)}
        else:
            return
        command.wanted = must & known
        self.missing(command, set(command.result))

    def is_selected(self, name, uidvalidity):
        """By whatever name: others may have renamed it since."""
        return self.selected is not None and (self.selected == name or (self.box and self.box.uidvalidity == uidvalidity))

    def take_copyuid(self, command):
        uidvalidity, sources, copies = command.copyuid
        if command.verb == "MOVE":
            self.box.deletable |= set(sources)
        if command.by_uid and not all(command.names(uid) for uid in sources):
            self.wrong("COPYUID of messages that were not named")
        if len(set(copies)) != len(copies) or copies != sorted(copies):
            self.wrong("COPYUID: not ascending")
        if self.is_selected(command.mailbox, uidvalidity):
            self.own |= set(copies)
        target = self.world.names.get(command.mailbox)
        if not target or target.uidvalidity != uidvalidity:
            return
        for source, copy in zip(sources, copies):
            if copy in target.copies or (copy, "X-APPENDED") in target.same:
                self.wrong(f"COPYUID: UID {copy} is another message already")
            if copy < target.uidnext[0] and target.uidnext[1] < command.sent:
                self.wrong(f"COPYUID: UID {copy} below UIDNEXT {target.uidnext[0]}")
            target.copies[copy] = (self.box, source)
            for item in ("RFC822.SIZE", "EMAILID", "BODY[HEADER.FIELDS (X-ID)]", "BODY[HEADER.FIELDS (X-Id)]"):
                if (source, item) in self.box.same:
                    value = self.box.same[source, item]
                    if target.same.setdefault((copy, item), value) != value:
                        self.wrong(f"the copy {copy} of UID {source} is another message: {item}")

    def complete_copy(self, command, response):
        if response.code == "COPYUID":
            command.copyuid = response.code_value
            self.take_copyuid(command)

    def complete_move(self, command, response):
        if response.name == "OK" and hasattr(command, "copyuid"):
            left = [uid for uid in command.copyuid[1] if uid in self.view.known]
            if left:
                self.wrong(f"MOVE: UIDs {left} are moved, and are not told as expunged", response)

    def complete_append(self, command, response):
        if response.name != "OK":
            return
        if response.code != "APPENDUID":
            self.wrong("want APPENDUID", response)
        uidvalidity, uids = response.code_value
        if self.is_selected(command.mailbox, uidvalidity):
            self.own |= set(uids)
        box = self.world.names.get(command.mailbox)
        if len(uids) != len(command.append) or uids != sorted(set(uids)):
            self.wrong(f"APPENDUID for {len(command.append)} messages", response)
        if not box or box.uidvalidity != uidvalidity:
            return
        for uid, xid in zip(uids, command.append):
            if box.same.setdefault((uid, "X-APPENDED"), xid) != xid:
                self.wrong(f"UID {uid} is message {box.same[uid, 'X-APPENDED']} already", response)
            value = b"X-Id: %d\r\n\r\n" % xid
            if box.same.setdefault((uid, "BODY[HEADER.FIELDS (X-Id)]"), value) != value:
                self.wrong(f"UID {uid} is {box.same[uid, 'BODY[HEADER.FIELDS (X-Id)]']}", response)
            if uid < box.uidnext[0] and box.uidnext[1] < command.sent:
                self.wrong(f"APPENDUID {uid} below UIDNEXT {box.uidnext[0]}", response)
