"""A journal of what the programs on a Maildir do to its files: who renames, links and unlinks which, who reads a directory, who
holds the lock of the uidlist, and which records a rewritten uidlist has no more. The kernel tells it (fanotify), whatever
the programs say of themselves; it needs root. What it is for: a message that is gone says by whom.
"""
import ctypes
import os
import struct
import threading
import time

CREATED, DELETED, RENAMED, READ, IS_DIRECTORY = 0x100, 0x200, 0x10000000, 0x1, 0x40000000
NAME, OLD_NAME, NEW_NAME = 2, 10, 12
INIT = 0x1 | 0x2 | 0x10 | 0xC00  # close-on-exec, nonblocking, queue without limit, names in events
UIDLIST, LOCK = "dovecot-uidlist", "dovecot-uidlist.lock"


class Event:
    def __init__(self, pid, program, said):
        self.time, self.pid, self.program, self.said = time.time(), pid, program, said

    def __str__(self):
        seconds = time.strftime("%H:%M:%S", time.localtime(self.time))
        return f"{seconds}.{int(self.time * 10**6) % 10**6:06} {self.program}[{self.pid}] {self.said}"


def base_of(name):
    return name.partition(":")[0]


def program_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    except OSError:
        return "?"


def file_handle(path):
    """As an event tells it: file system, kind, and the handle itself."""
    room = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    if LIBC.name_to_handle_at(-100, os.fsencode(path), room, ctypes.byref(mount), 0) < 0:
        raise OSError(ctypes.get_errno(), path)
    length, kind = struct.unpack_from("=Ii", room)
    return struct.pack("=i", kind) + room.raw[8:8 + length]


LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.fanotify_mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p]
LIBC.name_to_handle_at.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]


class Journal:
    """Of the mailboxes in directories, {name: path}, from now until close()."""

    def __init__(self, directories):
        self.directories = directories
        self.places = {}    # file handle -> (mailbox, "cur/" or the like)
        self.events = []    # (mailbox, base names it is about, Event)
        self.programs = {}
        self.uids = {}      # (mailbox, base name) -> the UIDs it had, in order
        self.records = {}   # mailbox -> base names that its uidlist had last
        self.fd = LIBC.fanotify_init(INIT, 0)
        self.ended = threading.Event()
        self.thread = None
        if self.fd < 0:
            return
        for mailbox, directory in directories.items():
            for part in ("", "cur/", "new/"):
                self.mark(mailbox, directory, part)
            self.read_uidlist(mailbox)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def mark(self, mailbox, directory, part):
        path = os.path.join(directory, part)
        mask = CREATED | DELETED | RENAMED | (READ | IS_DIRECTORY if part == "cur/" else 0)
        if LIBC.fanotify_mark(self.fd, 1 | 8, mask, -100, os.fsencode(path)) < 0:
            raise OSError(ctypes.get_errno(), path)
        self.places[file_handle(path)] = mailbox, part

    def close(self):
        if self.thread:
            self.ended.set()
            self.thread.join()
            os.close(self.fd)
            self.thread = None

    def run(self):
        while not self.ended.wait(0.002):
            self.take()
        self.take()
        for mailbox in self.directories:
            self.read_uidlist(mailbox)

    def take(self):
        while True:
            try:
                told = os.read(self.fd, 256 * 1024)
            except BlockingIOError:
                return
            at = 0
            while at < len(told):
                length, _, _, head, mask, _, pid = struct.unpack_from("=IBBHQii", told, at)
                self.take_event(mask, pid, told[at + head:at + length])
                at += length

    def take_event(self, mask, pid, said):
        names, at = {}, 0
        while at < len(said):
            kind, _, length = struct.unpack_from("=BBH", said, at)
            handle_bytes, handle_kind = struct.unpack_from("=Ii", said, at + 12)
            name_at = at + 20 + handle_bytes
            place = self.places.get(struct.pack("=i", handle_kind) + said[at + 20:name_at])
            names[kind] = place, os.fsdecode(said[name_at:at + length].split(b"\0")[0])
            at += length
        if mask & RENAMED:
            self.renamed(pid, names.get(OLD_NAME), names.get(NEW_NAME))
        elif NAME in names and names[NAME][0]:
            self.other(mask, pid, names[NAME])

    def note(self, mailbox, pid, bases, said):
        if pid not in self.programs or self.programs[pid] == "?":
            self.programs[pid] = program_of(pid)
        self.events.append((mailbox, bases, Event(pid, self.programs[pid], said)))

    def renamed(self, pid, old, new):
        """From or to where nobody looks, tmp/ or another mailbox that is not watched, one of them is missing."""
        old_place, old_name = old or (None, "elsewhere")
        new_place, new_name = new or (None, "elsewhere")
        mailbox = (new_place or old_place)[0]
        texts = [f"{place[0]}:{place[1]}{name}" if place else name for place, name in ((old_place, old_name), (new_place, new_name))]
        self.note(mailbox, pid, {base_of(old_name), base_of(new_name)}, f"renames {texts[0]} to {texts[1]}")
        if new_name == UIDLIST:
            self.read_uidlist(mailbox, pid)

    def other(self, mask, pid, told):
        (mailbox, part), name = told
        if mask & READ:
            self.note(mailbox, pid, set(), f"reads {part}")
        if part == "" and name != LOCK:
            return
        for bit, verb in ((CREATED, "makes"), (DELETED, "unlinks")):
            if mask & bit:
                self.note(mailbox, pid, {base_of(name)}, f"{verb} {part}{name}")

    def read_uidlist(self, mailbox, pid=0):
        """Once more after each rename over it: by then it may have grown, or be another one already."""
        try:
            with open(os.path.join(self.directories[mailbox], UIDLIST), errors="surrogateescape") as f:
                lines = f.read().split("\n")[1:]
        except FileNotFoundError:
            return
        now = {}
        for line in lines:
            head, colon, base = line.partition(" :")
            if colon:
                now[base] = int(head.split(" ", 1)[0])
        for base, uid in now.items():
            uids = self.uids.setdefault((mailbox, base), [])
            if uid not in uids:
                uids.append(uid)
                if len(uids) > 1:
                    self.note(mailbox, pid, {base}, f"(or another before it) gave {base} UID {uid}: it had {uids[:-1]}")
        gone = self.records.get(mailbox, set()) - set(now)
        if gone:
            self.note(mailbox, pid, gone, "wrote a uidlist without records that were there")
        self.records[mailbox] = set(now)

    def given_twice(self):
        """{(mailbox, base name): UIDs} of files that were given another UID. Where Dovecot moves messages it may be right: it
        keeps their names, so one that comes back has that of before."""
        return {key: uids for key, uids in self.uids.items() if len(uids) > 1}

    def told_of(self, suspects):
        """What became of messages, (mailbox, UID), and of those that were given another UID."""
        self.close()
        keys = {(mailbox, base) for (mailbox, base), uids in self.uids.items() if any((mailbox, uid) in suspects for uid in uids)}
        keys |= set(self.given_twice())
        return f"what became of {len(keys)} messages\n" + "".join(self.told(mailbox, base) for mailbox, base in sorted(keys)[:10])

    def told(self, mailbox, base):
        """All that was done to a file, and who read its directory or held the lock at the time."""
        if not self.events:
            return "no journal\n"
        mine = [event for name, bases, event in self.events if base in bases]
        if not mine:
            return f"{mailbox}, {base}: nobody touched it\n"

        def is_near(event):
            return any(abs(event.time - other.time) < 0.05 for other in mine)

        lines = [str(event) for name, bases, event in self.events
                 if base in bases or name == mailbox and (not bases or LOCK in bases) and is_near(event)]
        return f"{mailbox}, {base}, UIDs {self.uids.get((mailbox, base))}:\n" + "".join(f"    {line}\n" for line in lines[-200:])
