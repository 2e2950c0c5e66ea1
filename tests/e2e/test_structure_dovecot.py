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
        self.process = subprocess.Popen([IMAP, "-c", conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=home,
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
