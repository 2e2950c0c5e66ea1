"""Makes corpora of the wire scripts: from_wire.py DIRECTORY fills DIRECTORY/imap_command and DIRECTORY/imap_session.

What the client sends becomes the input of tests/fuzz/fuzz_imap_command.c and fuzz_imap_session.c, which see to it
that corpora grow with the scripts.
"""
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WIRE = os.path.join(HERE, "..", "wire")
COMMAND_PIECE = b"\x3f"  # first byte: pieces of 64 bytes
SESSION_MANNER = b"\xc0"  # first byte: whole pieces, a large budget
EVENTS = {"! add": b"\x01", "! remove": b"\x02", "! flags": b"\x03", "! truncate": b"\x04", "! wait": b"\x06"}
OTHER_CONNECTION = b"\x05"
BYTES_MAX = 90000


def unescape(text):
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m.group(1), 16)]), text)


def inputs(path):
    """What the client sends, and the same with what happens in between."""
    sent, session, speaker = b"", b"", ""
    for line in open(path, "rb"):
        found = re.match(rb"(2?)C([:-]) (.*)\n", line)
        if found:
            which, kind, text = found.groups()
            text = unescape(text) + (b"\r\n" if kind == b":" else b"")
            session += (OTHER_CONNECTION if which != speaker.encode() else b"") + text
            speaker = which.decode()
            sent += text
        for event, byte in EVENTS.items():
            if line.startswith(event.encode()):
                session += byte
    return sent[:BYTES_MAX], session[:BYTES_MAX]


def write(directory, name, content):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, name), "wb") as f:
        f.write(content)


def main(target):
    for path in sorted(glob.glob(os.path.join(WIRE, "imap_*.txt"))):
        name = os.path.basename(path)[len("imap_"):-len(".txt")]
        sent, session = inputs(path)
        write(os.path.join(target, "imap_command"), name, COMMAND_PIECE + sent)
        write(os.path.join(target, "imap_session"), name, SESSION_MANNER + session)


if __name__ == "__main__":
    main(sys.argv[1])
