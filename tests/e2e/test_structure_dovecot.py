#!/usr/bin/env python3
"""ENVELOPE, BODY, BODYSTRUCTURE, sizes, header selections and every section of the corpus, compared with the real
Dovecot. Its imap program is run on standard input and output: no port, no daemon. MUTANTS (200) more messages are
made from the corpus by seed. Last line: "structure_dovecot: N passed, N failed"."""
import glob
import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DUMP = os.path.join(ROOT, os.environ.get("B", "build"), "tests", "message_dump")
IMAP = os.environ.get("DOVECOT_IMAP", "/usr/lib/dovecot/imap")
MUTANTS = int(os.environ.get("MUTANTS", "200"))
FIELDS = "(subject From CONTENT-TYPE)"

spec = importlib.util.spec_from_file_location("make", os.path.join(ROOT, "tests", "corpus", "make.py"))
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


class Imap:
    """The other server, one mailbox, already logged in."""

    def __init__(self, home, user):
        conf = os.path.join(home, "dovecot.conf")
        with open(conf, "w") as f:
            f.write("protocols = imap\nbase_dir = %s/run\nmail_location = maildir:%s/mail:INDEX=MEMORY\nlog_path = %s/log\n"
                    "first_valid_uid = 0\nmail_uid = %d\nmail_gid = %d\nssl = no\nmail_home = %s\n"
                    % (home, home, home, user.pw_uid, user.pw_gid, home))
        self.process = subprocess.Popen([IMAP, "-c", conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=home,
                                        env={"USER": user.pw_name, "HOME": home, "PATH": "/usr/bin:/bin"})
        self.tag = 0
        self.line()

    def line(self):
        """One response, with the literals in it."""
        out = b""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError("dovecot's imap ended")
            out += line
            n = literal_at_end(line)
            if n is None:
                return out
            out += self.process.stdout.read(n)

    def command(self, text):
        self.tag += 1
        tag = b"t%d" % self.tag
        self.process.stdin.write(tag + b" " + text.encode() + b"\r\n")
        self.process.stdin.flush()
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return line, untagged
            untagged.append(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait()


def literal_at_end(line):
    line = line.rstrip(b"\r\n")
    if not line.endswith(b"}"):
        return None
    at = line.rfind(b"{")
    return int(line[at + 1:-1]) if at >= 0 and line[at + 1:-1].isdigit() else None


def parse(data, at=0):
    """A value of the IMAP grammar: list, string as bytes, NIL as None, atom as str. Returns it and where it ends."""
    stack, value = [], None
    while True:
        while data[at:at + 1] == b" ":
            at += 1
        c = data[at:at + 1]
        if c == b"(":
            stack.append([])
            at += 1
            continue
        if c == b")":
            value = stack.pop()
            at += 1
        elif c == b'"':
            out = bytearray()
            at += 1
            while data[at] != 0x22:
                at += data[at] == 0x5c
                out.append(data[at])
                at += 1
            at += 1
            value = bytes(out)
        elif c in (b"{", b"~"):
            end = data.index(b"\r\n", at)
            n = int(data[at:end].strip(b"~{}"))
            value, at = data[end + 2:end + 2 + n], end + 2 + n
            assert len(value) == n, "literal cut off"
        else:
            end = at
            depth = 0
            while end < len(data) and (depth or data[end:end + 1] not in (b" ", b"(", b")")):
                depth += {0x5b: 1, 0x5d: -1}.get(data[end], 0)
                end += 1
            word = data[at:end].decode("latin1")
            value, at = (None if word.upper() == "NIL" else word), end
        if not stack:
            return value, at
        stack[-1].append(value)


def whole(text):
    data = text.encode("latin1")
    value, end = parse(data)
    assert end == len(data), "junk behind a value"
    return value


def theirs(imap, number, sections):
    items = ["ENVELOPE", "BODY", "BODYSTRUCTURE", "RFC822.SIZE", "BODY.PEEK[HEADER.FIELDS %s]" % FIELDS,
             "BODY.PEEK[HEADER.FIELDS.NOT %s]" % FIELDS] + ["BODY.PEEK[%s]" % s for s in sections]
    got = {}
    for i in range(0, len(items), 50):
        reply, untagged = imap.command("FETCH %d (%s)" % (number, " ".join(items[i:i + 50])))
        assert b" OK" in reply, reply
        for line in untagged:
            prefix = b"* %d FETCH " % number
            if line.startswith(prefix):
                values, _ = parse(line, len(prefix))
                got.update({values[i].upper(): values[i + 1] for i in range(0, len(values), 2)})
    out = {"envelope": got["ENVELOPE"], "body": got["BODY"], "bodystructure": got["BODYSTRUCTURE"], "size": int(got["RFC822.SIZE"])}
    for key, value in got.items():
        if key.startswith("BODY[HEADER.FIELDS.NOT"):
            out["fields_not"] = value
        elif key.startswith("BODY[HEADER.FIELDS"):
            out["fields"] = value
        elif key.startswith("BODY["):
            out["[%s]" % key[5:-1]] = value
    return out


def ours(path):
    got = json.loads(subprocess.run([DUMP, path], stdout=subprocess.PIPE, check=True).stdout)
    out = {k: whole(got[k]) for k in ("envelope", "body", "bodystructure")}
    out.update({"size": got["size"], "fields": got["fields"].encode("latin1"), "fields_not": got["fields_not"].encode("latin1")})
    for name, value in got["sections"].items():
        out["[%s]" % name] = None if value is None else value.encode("latin1")
    return out, list(got["sections"])


SECTIONS = "RFC 9051 6.4.5.1: only a part of type message or multipart has parts below it; 1.1 of a text is no part"
NULL_ADDRESS = "RFC 5322 4.4: empty elements of a list are allowed, and are no addresses"
OBS_LOCAL = "RFC 5322 4.4: blanks around the dots of local parts and domains, and quoted words among them, are allowed"
BROKEN_ADDRESS = "outside RFC 5322's grammar, which says nothing then; ours shows the address that can be made out"
CONTROL = "RFC 5322 4.1 (obs-NO-WS-CTL): control characters are no reason to lose the address"
FOLDING = "RFC 5322 2.2.3: unfolding removes the line end and nothing else"
CFWS = "RFC 5322 3.6.4: blanks around a message id are no part of it"
NO_EMPTY_LINE = "RFC 9051 6.4.5.1: without body and empty line there is none; a name's selection ends with one all the same, always"
LINE_END = "RFC 2046 5.1.1: the line end before a boundary line belongs to the boundary, also when a header is cut by it"
BAD_TYPE = "RFC 2045 5.2: a Content-Type that is not the syntax is text/plain; parameters are read as far as they can be"
BOUNDARY = "RFC 2046 5.1.1 allows 70 characters; longer ones are compared by 1000, not by 80"
GLOBAL = "RFC 9051 section 9, media-message: MESSAGE/GLOBAL has envelope and body as MESSAGE/RFC822"
LANGUAGES = "RFC 3282 2: not its syntax; ours shows the tags that can be made out"
LIMIT = "RFC 5322 2.1.1: a line has at most 998 characters; fields behind the first megabyte of a header are not looked at"
CASE = "RFC 2045 5.1: names of parameters are the same in any case"
JIS = "RFC 1468: the bytes between escapes are characters of two bytes, no quotes or angle brackets"
BARE_CR = "RFC 5322 2.2: a bare CR has no meaning; ours shows each as one blank"

# What differs on purpose, and why ours is right. Each must differ still.
NUL_BOUNDARY = "RFC 2046 5.1.1: a delimiter line is the boundary parameter's value behind \"--\", and both are the same bytes here; Dovecot ends the parameter at the NUL"
NUL_NAME = "RFC 5322 2.2: a field name is composed of printable US-ASCII: one with a NUL in it is no From field"
EXPECTED = {
    "boundary-long": ({"body", "bodystructure"}, BOUNDARY),
    "cr-only-lines": ({"envelope", "fields"}, BARE_CR + "; " + NO_EMPTY_LINE),
    "digest-empty-parts": ({"body", "bodystructure", "[3]"}, LINE_END),
    "empty-nested": ({"[3]"}, LINE_END),
    "rfc822-cut-in-mixed": ({"body", "bodystructure", "[2]"}, LINE_END),
    "header-controls": ({"envelope"}, CONTROL),
    "header-fold-blank-lines": ({"envelope"}, FOLDING),
    "header-folded": ({"envelope"}, FOLDING),
    "header-folded-crlf": ({"envelope"}, FOLDING),
    "header-nul": ({"envelope"}, CONTROL),
    "header-raw-iso2022jp": ({"envelope"}, JIS),
    "header-trailing-blanks": ({"envelope"}, CFWS),
    "languages-odd": ({"bodystructure"}, LANGUAGES),
    "line-ends-crcrlf": ({"fields"}, "RFC 9051 6.4.5.1: a selection holds the fields as they are in the message, bare CR too"),
    "nul-in-boundary": ({"body", "bodystructure", "[1]", "[1.MIME]"}, NUL_BOUNDARY),
    "nul-in-names": ({"envelope", "fields", "fields_not"}, NUL_NAME),
    "message-global": ({"body", "bodystructure", "[1.HEADER]", "[1.TEXT]", "[1.1]", "[1.1.MIME]"}, GLOBAL),
    "only-header-no-eol": ({"fields"}, NO_EMPTY_LINE),
    "header-2mb": ({"envelope"}, LIMIT),
    "type-odd-18": ({"body", "bodystructure"}, CASE),
}
for number in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 21, 25):
    EXPECTED["type-odd-%02d" % number] = ({"body", "bodystructure"}, BAD_TYPE)
EXPECTED["type-odd-22"] = ({"bodystructure"}, BAD_TYPE)
for numbers, reason in (((0, 1, 42, 43), NULL_ADDRESS), ((6, 7), OBS_LOCAL), ((30,), CONTROL),
                        ((3, 4, 5, 9, 12, 14, 17, 18, 19, 20, 21, 24, 25, 27, 31, 32, 35, 36, 40, 41), BROKEN_ADDRESS)):
    for number in numbers:
        EXPECTED["address-odd-%02d" % number] = ({"envelope"}, reason)
ANYWHERE = [(lambda key, ours, theirs: key.startswith("[") and key.endswith("1]") and ours is None and theirs, SECTIONS)]


def same(key, ours, theirs):
    """Equal; of a section that there is not, one says NIL, the other sends nothing."""
    return (ours or None) == (theirs or None) if key.startswith("[") else ours == theirs


def differences(ours, theirs):
    return {k for k in ours if not same(k, ours[k], theirs.get(k))
            and not any(rule(k, ours[k], theirs.get(k)) for rule, _ in ANYWHERE)}


def bytes_only(differing):
    """What seeded messages are compared by: sizes and the bytes of whole messages. Broken addresses and types are too many to list."""
    return {k for k in differing if k in ("size", "[]", "[HEADER]", "[TEXT]", "fields_not")}


def shape(structure):
    """A structure without its strings: how parts nest, and their octets; None where the types are read differently."""
    if structure and isinstance(structure[0], list):
        parts = [p for p in structure if isinstance(p, list)]
        children = [shape(p) for p in structure[:next(i for i, p in enumerate(structure) if not isinstance(p, list))]]
        return children if parts and None not in children else None
    if not structure or not structure[0] or not structure[1]:
        return None
    below = [shape(structure[8])] if structure[0].lower() == b"message" and structure[1].lower() == b"rfc822" else []
    return [structure[6]] + below if None not in below else None


def close(a, b):
    """The same shape, but for the line end of LINE_END."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(close(x, y) for x, y in zip(a, b))
    return a == b or (isinstance(a, str) and isinstance(b, str) and int(b) - int(a) == 2)


def report(name, differing, ours, theirs):
    for key in sorted(differing):
        print("%s %s\n   ours   %.500r\n   theirs %.500r" % (name, key, ours[key], theirs.get(key)))


def check(name, mine, other):
    """Whether a message of the corpus differs in what it should, and in nothing else."""
    expected, _ = EXPECTED.get(name, (set(), ""))
    differing = differences(mine, other)
    report(name, differing - expected, mine, other)
    for key in sorted(expected - differing):
        print("%s %s: listed as different, but is not" % (name, key))
    return differing == expected


def check_mutant(name, mine, other):
    differing = bytes_only(differences(mine, other))
    a, b = shape(mine["body"]), shape(other["body"])
    if a is not None and b is not None and not close(a, b):
        differing.add("body")
    report(name, differing, mine, other)
    return not differing


def make_mailbox(home, messages, user):
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(home, "mail", d))
    os.chmod(home, 0o755)
    for i, (_, data) in enumerate(messages):
        with open(os.path.join(home, "mail", "cur", "%05d.x:2,S" % i), "wb") as f:
            f.write(data)
    if os.getuid() == 0:
        for root, dirs, files in os.walk(home):
            for path in [root] + [os.path.join(root, f) for f in files]:
                os.chown(path, user.pw_uid, user.pw_gid)


def collect():
    found = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "corpus", "*.eml"))):
        with open(path, "rb") as f:
            found.append((os.path.basename(path)[:-4], f.read()))
    found += sorted(make.BIG.items())
    return found + [("mutant-%d" % i, make.mutate(i)) for i in range(MUTANTS)]


def main():
    if not os.path.exists(IMAP):
        print("no Dovecot here: nothing to compare with\nstructure_dovecot: 0 passed, 0 failed")
        return 0
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    home = tempfile.mkdtemp(prefix="restante-structure-")
    passed = failed = 0
    try:
        messages = collect()
        make_mailbox(home, messages, user)
        imap = Imap(home, user)
        assert b" OK" in imap.command("SELECT INBOX")[0]
        for i, (name, data) in enumerate(messages):
            path = os.path.join(home, "message.eml")
            with open(path, "wb") as f:
                f.write(data)
            mine, sections = ours(path)
            ok = (check_mutant if name.startswith("mutant-") else check)(name, mine, theirs(imap, i + 1, sections))
            passed, failed = passed + ok, failed + (not ok)
        imap.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print("structure_dovecot: %d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
