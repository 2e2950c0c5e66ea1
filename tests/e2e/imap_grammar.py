"""Responses of an IMAP server, read by a strict grammar (RFC 9051 section 9, 3501 section 9, and those of the extensions).

parse(data) takes one whole response with its literals and gives a Response; anything that is not the syntax is NotIMAP:
nothing is skipped, no blank too many, no number with a leading zero."""
import re

ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
TAG = re.compile(rb'[^\x00-\x20(){%*"\\+\x7f-\xff]+')
ASTRING = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]+')
FLAG = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]+')
NUMBER = re.compile(rb"0|[1-9][0-9]*")
NZ_NUMBER = re.compile(rb"[1-9][0-9]*")
TEXT = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\xff]+")
QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
LITERAL = re.compile(rb"\{(0|[1-9][0-9]*)\}\r\n")
LITERAL8 = re.compile(rb"~\{(0|[1-9][0-9]*)\}\r\n")
SEQ = rb"(?:[1-9][0-9]*)(?::[1-9][0-9]*)?"
SET = re.compile(SEQ + rb"(?:," + SEQ + rb")*")
OBJECTID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
DATE_TIME = re.compile(rb'"(?: [1-9]|0[1-9]|[12][0-9]|3[01])-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{4} '
                       rb'[0-2][0-9]:[0-5][0-9]:[0-6][0-9] [+-][01][0-9][0-5][0-9]"')
SECTION = re.compile(rb"BODY\[((?:[1-9][0-9]*)(?:\.[1-9][0-9]*)*(?:\.(?:MIME|TEXT|HEADER))?|TEXT|HEADER|)\](<(?:0|[1-9][0-9]*)>)?", re.I)
SECTION_FIELDS = re.compile(rb"BODY\[((?:[1-9][0-9]*(?:\.[1-9][0-9]*)*\.)?HEADER\.FIELDS(?:\.NOT)?) ", re.I)
BINARY = re.compile(rb"BINARY(\.SIZE)?\[([1-9][0-9.]*|)\](<(?:0|[1-9][0-9]*)>)?", re.I)
MAX32, MAX63 = 0xffffffff, 0x7fffffffffffffff


class NotIMAP(Exception):
    pass


class Response:
    """tag: b"*", b"+", or a tag; name: FETCH, EXISTS, OK, ...; number of message-data; value as the name has it; code and its
    arguments of a resp-text."""

    def __init__(self, tag, name, value=None, number=None):
        self.tag, self.name, self.value, self.number = tag, name, value, number
        self.code = self.code_value = None

    def __repr__(self):
        number = "" if self.number is None else f" {self.number}"
        code = f" [{self.code} {self.code_value}]" if self.code else ""
        return f"<{self.tag.decode()}{number} {self.name}{code} {self.value!r:.300}>"


def numbers(text):
    """Of a sequence-set, in the order in which they stand."""
    found = []
    for piece in text.split(b"," if isinstance(text, bytes) else ","):
        first, _, last = piece.partition(b":" if isinstance(text, bytes) else ":")
        a, b = int(first), int(last or first)
        if abs(b - a) > 10000000:
            raise NotIMAP(f"a range of that many: {text!r}")
        found += range(a, b + 1) if a <= b else range(a, b - 1, -1)
    return found


class Reader:
    def __init__(self, data, utf8=False):
        self.data, self.at, self.utf8 = data, 0, utf8

    def fail(self, wanted):
        raise NotIMAP(f"{wanted} expected at {self.at}: {self.data[max(0, self.at - 60):self.at]!r} HERE {self.data[self.at:self.at + 60]!r}")

    def take(self, pattern, wanted):
        found = pattern.match(self.data, self.at)
        if not found:
            self.fail(wanted)
        self.at = found.end()
        return found

    def peek(self, text):
        return self.data[self.at:self.at + len(text)].upper() == text.upper()

    def skip(self, text):
        if self.peek(text):
            self.at += len(text)
            return True
        return False

    def must(self, text):
        if not self.skip(text):
            self.fail(repr(text))

    def sp(self):
        self.must(b" ")

    def atom(self):
        return self.take(ATOM, "an atom")[0].decode().upper()

    def number(self, most=MAX32, pattern=NUMBER):
        value = int(self.take(pattern, "a number")[0])
        if value > most:
            self.fail(f"a number up to {most}")
        return value

    def nz_number(self, most=MAX32):
        return self.number(most, NZ_NUMBER)

    def modseq(self):
        return self.nz_number(MAX63)

    def set(self):
        text = self.take(SET, "a sequence-set")[0]
        return numbers(text)

    def literal(self, pattern):
        n = int(self.take(pattern, "a literal")[1])
        value = self.data[self.at:self.at + n]
        if len(value) != n:
            self.fail(f"{n} bytes of a literal")
        self.at += n
        return value

    def string(self):
        if self.peek(b"{"):
            value = self.literal(LITERAL)
            if b"\0" in value:
                self.fail("a literal without NUL")
            return value
        value = re.sub(rb"\\(.)", rb"\1", self.take(QUOTED, "a quoted string")[1])
        if not value.isascii() and not self.utf8:
            self.fail("a quoted string without 8-bit characters")
        if self.utf8:
            value.decode()
        return value

    def nstring(self):
        return None if self.skip(b"NIL") else self.string()

    def nstring8(self):
        return self.literal(LITERAL8) if self.peek(b"~{") else self.nstring()

    def astring(self):
        if self.peek(b'"') or self.peek(b"{"):
            return self.string()
        return self.take(ASTRING, "an astring")[0]

    def list_of(self, item, empty=True):
        self.must(b"(")
        found = []
        if empty and self.skip(b")"):
            return found
        while True:
            found.append(item())
            if self.skip(b")"):
                return found
            self.sp()

    def flag(self):
        return self.take(FLAG, "a flag")[0].decode()

    def flag_perm(self):
        return "\\*" if self.skip(b"\\*") else self.flag()

    def flags(self):
        found = self.list_of(self.flag)
        if len({flag.lower() for flag in found}) != len(found):
            self.fail("flags, each once")
        return found

    def text(self):
        return self.take(TEXT, "text")[0]

    # ENVELOPE, BODYSTRUCTURE

    def address(self):
        self.must(b"(")
        value = [self.nstring()]
        for _ in range(3):
            self.sp()
            value.append(self.nstring())
        self.must(b")")
        return value

    def addresses(self):
        if self.skip(b"NIL"):
            return None
        self.must(b"(")
        found = [self.address()]
        while not self.skip(b")"):
            found.append(self.address())
        return found

    def envelope(self):
        self.must(b"(")
        value = [self.nstring()]
        self.sp()
        value.append(self.nstring())
        for _ in range(6):
            self.sp()
            value.append(self.addresses())
        for _ in range(2):
            self.sp()
            value.append(self.nstring())
        self.must(b")")
        return value

    def parameters(self):
        if self.skip(b"NIL"):
            return None
        found = self.list_of(self.string, empty=False)
        if len(found) % 2:
            self.fail("pairs of parameters")
        return found

    def disposition(self):
        if self.skip(b"NIL"):
            return None
        self.must(b"(")
        value = [self.string()]
        self.sp()
        value.append(self.parameters())
        self.must(b")")
        return value

    def languages(self):
        return self.list_of(self.string, empty=False) if self.peek(b"(") else self.nstring()

    def extensions(self, first):
        """body-ext-1part, body-ext-mpart: as far as they are there."""
        found = []
        for item in (first, self.disposition, self.languages, self.nstring):
            if self.peek(b")"):
                return found
            self.sp()
            found.append(item())
        return found

    def body(self, extended, depth=0):
        self.must(b"(")
        value = self.multipart(extended, depth) if self.peek(b"(") else self.one_part(extended, depth)
        self.must(b")")
        return value

    def multipart(self, extended, depth):
        value = []
        while self.peek(b"("):
            value.append(self.body(extended, depth + 1))
        self.sp()
        value.append(self.string())
        return value + (self.extensions(self.parameters) if extended else [])

    def one_part(self, extended, depth):
        value = [self.string()]
        for item in (self.string, self.parameters, self.nstring, self.nstring, self.string, self.number):
            self.sp()
            value.append(item())
        kind = value[0].upper(), value[1].upper()
        if kind in ((b"MESSAGE", b"RFC822"), (b"MESSAGE", b"GLOBAL")):
            self.sp()
            value.append(self.envelope())
            self.sp()
            value.append(self.body(extended, depth + 1))
        if kind[0] == b"TEXT" or len(value) == 9:
            self.sp()
            value.append(self.number(MAX63))
        return value + (self.extensions(self.nstring) if extended else [])

    # Response codes

    def code(self):
        self.must(b"[")
        name = self.atom()
        value = None
        if name in ("UIDVALIDITY", "UIDNEXT", "UNSEEN"):
            self.sp()
            value = self.nz_number()
        elif name == "HIGHESTMODSEQ":
            self.sp()
            value = self.modseq()
        elif name == "PERMANENTFLAGS":
            self.sp()
            value = self.list_of(self.flag_perm)
        elif name == "APPENDUID":
            self.sp()
            value = [self.nz_number()]
            self.sp()
            value.append(self.set())
        elif name == "COPYUID":
            self.sp()
            value = [self.nz_number()]
            for _ in range(2):
                self.sp()
                value.append(self.set())
            if len(value[1]) != len(value[2]):
                self.fail("as many copies as sources")
        elif name == "MODIFIED":
            self.sp()
            value = self.set()
        elif name == "MAILBOXID":
            self.sp()
            self.must(b"(")
            value = self.take(OBJECTID, "an objectid")[0].decode()
            self.must(b")")
        elif name == "CAPABILITY":
            self.sp()
            value = self.atoms()
        elif name == "BADCHARSET":
            if self.skip(b" "):
                value = self.list_of(self.astring, empty=False)
        elif name in ("NOUPDATE", "BADURL"):
            self.sp()
            value = self.string() if name == "NOUPDATE" else self.text_to_bracket()
        elif name == "INPROGRESS":
            if self.skip(b" "):
                value = self.inprogress()
        elif name == "MESSAGELIMIT":
            self.sp()
            value = [self.nz_number()]
            if self.skip(b" "):
                value.append(self.nz_number())
        elif name in ("METADATA", "NOTIFICATIONOVERFLOW", "BADEVENT", "BADCOMPARATOR", "REFERRAL"):
            value = self.text_to_bracket()
        self.must(b"]")
        return name, value

    def text_to_bracket(self):
        return self.take(re.compile(rb"[^\]\r\n]*"), "text")[0]

    def inprogress(self):
        self.must(b"(")
        value = [self.nstring()]
        for _ in range(2):
            self.sp()
            value.append(None if self.skip(b"NIL") else self.number())
        self.must(b")")
        return value

    def atoms(self):
        found = [self.atom()]
        while self.skip(b" "):
            found.append(self.atom())
        return found

    # Responses

    def response(self):
        if self.skip(b"+ "):
            return self.ended(Response(b"+", "+", self.text()))
        tag = b"*" if self.skip(b"*") else self.take(TAG, "a tag")[0]
        self.sp()
        number = None
        if self.data[self.at:self.at + 1].isdigit():
            number = self.number()
            self.sp()
        name = self.atom()
        response = Response(tag, name, number=number)
        if name in ("OK", "NO", "BAD", "BYE", "PREAUTH"):
            if name in ("BYE", "PREAUTH") and tag != b"*":
                self.fail("BYE only untagged")
            self.resp_text(response)
        elif tag != b"*":
            self.fail("OK, NO or BAD after a tag")
        else:
            method = getattr(self, "data_" + name.lower().replace("-", "_"), None)
            if not method:
                self.fail("a response that is known")
            if (number is not None) != (name in ("EXISTS", "RECENT", "EXPUNGE", "FETCH", "UIDFETCH")):
                self.fail("a number just before what has one")
            response.value = method(response)
        return self.ended(response)

    def ended(self, response):
        if self.data[self.at:] != b"\r\n":
            self.fail("the end")
        return response

    def resp_text(self, response):
        self.sp()
        if self.peek(b"["):
            response.code, response.code_value = self.code()
            self.sp()
        response.value = self.text()

    def nothing(self, response):
        return response.number

    data_exists = data_recent = nothing

    def data_expunge(self, response):
        if response.number == 0:
            self.fail("a message number")

    def data_capability(self, _):
        self.sp()
        return self.atoms()

    def data_enabled(self, _):
        return (self.sp(), self.atoms())[1] if self.peek(b" ") else []

    def data_flags(self, _):
        self.sp()
        return self.flags()

    def data_fetch(self, response):
        if response.number == 0:
            self.fail("a message number")
        self.sp()
        self.must(b"(")
        items = {}
        while True:
            name, value = self.fetch_item()
            if name in items:
                self.fail(f"{name} only once")
            items[name] = value
            if self.skip(b")"):
                return items
            self.sp()

    data_uidfetch = data_fetch

    def fetch_item(self):
        found = SECTION.match(self.data, self.at)
        if found:
            self.at = found.end()
            self.sp()
            return found[0].decode().upper(), self.nstring()
        found = SECTION_FIELDS.match(self.data, self.at)
        if found:
            self.at = found.end()
            fields = self.list_of(self.astring, empty=False)
            self.must(b"]")
            origin = self.take(re.compile(rb"(<(?:0|[1-9][0-9]*)>)?"), "an origin")[0].decode()
            self.sp()
            return f"BODY[{found[1].decode().upper()} ({b' '.join(fields).decode()})]{origin}", self.nstring()
        found = BINARY.match(self.data, self.at)
        if found:
            self.at = found.end()
            self.sp()
            return found[0].decode().upper(), self.number() if found[1] else self.nstring8()
        name = self.take(re.compile(rb"[A-Z0-9.]+"), "an item")[0].decode()
        self.sp()
        items = {
            "FLAGS": self.flags, "UID": self.nz_number, "RFC822.SIZE": lambda: self.number(MAX63), "ENVELOPE": self.envelope,
            "INTERNALDATE": self.date_time, "BODY": lambda: self.body(False), "BODYSTRUCTURE": lambda: self.body(True),
            "MODSEQ": lambda: self.in_list(self.modseq), "EMAILID": lambda: self.in_list(self.objectid),
            "THREADID": lambda: None if self.skip(b"NIL") else self.in_list(self.objectid),
            "SAVEDATE": lambda: None if self.skip(b"NIL") else self.date_time(), "PREVIEW": self.nstring,
            "RFC822": self.nstring, "RFC822.HEADER": self.nstring, "RFC822.TEXT": self.nstring,
        }
        if name not in items:
            self.fail("a known item")
        return name, items[name]()

    def in_list(self, item):
        self.must(b"(")
        value = item()
        self.must(b")")
        return value

    def objectid(self):
        return self.take(OBJECTID, "an objectid")[0].decode()

    def date_time(self):
        return self.take(DATE_TIME, "a date-time")[0].decode()

    def data_vanished(self, _):
        self.sp()
        earlier = self.skip(b"(EARLIER) ")
        return earlier, self.set()

    def data_search(self, _):
        found, modseq = [], None
        while self.skip(b" "):
            if self.skip(b"(MODSEQ "):
                modseq = self.modseq()
                self.must(b")")
                break
            found.append(self.nz_number())
        return found, modseq

    data_sort = data_search

    def data_thread(self, _):
        found = []
        if self.skip(b" "):
            while self.peek(b"("):
                self.thread(found)
        return found

    def thread(self, found):
        self.must(b"(")
        if not self.peek(b"("):
            found.append(self.nz_number())
            while self.skip(b" "):
                if self.peek(b"("):
                    break
                found.append(self.nz_number())
        while self.peek(b"("):
            self.thread(found)
        self.must(b")")

    def data_esearch(self, _):
        value = {"updates": []}
        if self.skip(b" ("):
            self.must(b"TAG ")
            value["TAG"] = self.string()
            if self.skip(b" MAILBOX "):
                value["MAILBOX"] = self.astring()
                self.must(b" UIDVALIDITY ")
                value["UIDVALIDITY"] = self.nz_number()
            self.must(b")")
        value["UID"] = self.skip(b" UID")
        while self.skip(b" "):
            self.search_data(value)
        return value

    def search_data(self, value):
        name = self.atom()
        self.sp()
        if name in ("ADDTO", "REMOVEFROM"):
            self.must(b"(")
            while True:
                position = self.number()
                self.sp()
                value["updates"].append((name, position, self.set()))
                if self.skip(b")"):
                    return
                self.sp()
        if name in value:
            self.fail(f"{name} only once")
        if name in ("MIN", "MAX"):
            value[name] = self.nz_number()
        elif name == "COUNT":
            value[name] = self.number()
        elif name == "ALL":
            value[name] = self.set()
        elif name == "MODSEQ":
            value[name] = self.modseq()
        elif name == "PARTIAL":
            self.must(b"(")
            self.take(re.compile(rb"-?[1-9][0-9]*:-?[1-9][0-9]*"), "a range")
            self.sp()
            value[name] = [] if self.skip(b"NIL") else self.set()
            self.must(b")")
        else:
            self.fail("what ESEARCH returns")

    def data_list(self, _):
        self.sp()
        attributes = self.list_of(self.flag)
        self.sp()
        delimiter = self.nstring()
        self.sp()
        name = self.astring()
        extended = {}
        if self.skip(b" ("):
            while not self.skip(b")"):
                key = self.astring().upper()
                self.sp()
                extended[key] = self.list_of(self.astring)
                self.skip(b" ")
        return attributes, delimiter, name, extended

    data_lsub = data_list

    def data_status(self, _):
        self.sp()
        name = self.astring()
        self.sp()
        items = {}

        def item():
            key = self.atom()
            self.sp()
            if key == "MAILBOXID":
                items[key] = self.in_list(self.objectid)
            elif key == "APPENDLIMIT" and self.skip(b"NIL"):
                items[key] = None
            else:
                items[key] = self.number(MAX63)
        self.list_of(item)
        return name, items

    def data_namespace(self, _):
        found = []
        for _ in range(3):
            self.sp()
            found.append(None if self.skip(b"NIL") else self.namespace())
        return found

    def namespace(self):
        self.must(b"(")
        found = []
        while not self.skip(b")"):
            self.must(b"(")
            prefix = self.string()
            self.sp()
            found.append((prefix, self.nstring()))
            self.must(b")")
        return found

    def data_quota(self, _):
        self.sp()
        root = self.astring()
        self.sp()
        found = []

        def resource():
            found.append([self.atom()])
            for _ in range(2):
                self.sp()
                found[-1].append(self.number(MAX63))
        self.list_of(resource)
        return root, found

    def data_quotaroot(self, _):
        found = []
        while self.skip(b" "):
            found.append(self.astring())
        return found

    def data_id(self, _):
        self.sp()
        return None if self.skip(b"NIL") else self.list_of(self.nstring)

    def data_language(self, _):
        self.sp()
        return self.list_of(self.string, empty=False)

    def data_metadata(self, _):
        self.sp()
        name = self.astring()
        self.sp()
        if not self.peek(b"("):
            entries = [self.astring()]
            while self.skip(b" "):
                entries.append(self.astring())
            return name, entries
        found = {}

        def entry():
            key = self.astring()
            self.sp()
            found[key] = self.nstring8()
        self.list_of(entry)
        return name, found


def parse(data, utf8=False):
    return Reader(data, utf8).response()


LITERAL_AT_END = re.compile(rb"\{([0-9]+)\}\r\n$")


def split(buffer, start=0):
    """Where the first whole response of the buffer ends, or None: more of it must come."""
    at = start
    while True:
        end = buffer.find(b"\n", at)
        if end < 0:
            return None
        literal = LITERAL_AT_END.search(buffer, at, end + 1)
        if not literal:
            return end + 1
        at = end + 1 + int(literal[1])
        if at > len(buffer):
            return None
