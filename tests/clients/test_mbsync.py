"""mbsync (isync): two-way over a thousand messages."""
import os
import re

from clients import Terminal, file_names, fresh, harness, home_of, maildir_path, message, on_disk, read_maildir, write_private
from harness import check, equal

MESSAGES = 1000


def setup(machine, server):
    home, env = home_of(machine, "mbsync")
    rc = write_private(os.path.join(home, "mbsyncrc"), f"""
IMAPAccount far
Host localhost
Port {server.ports['imaps']}
User alice
Pass "correct horse"
SSLType IMAPS
CertificateFile {machine.ca}
SystemCertificates no

IMAPStore far
Account far

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel both
Far :far:
Near :near:
Patterns INBOX Archive
Create Both
Expunge Both
SyncState *
""")
    os.makedirs(home + "/mail")
    return rc, env, home + "/mail"


def sync(rc, env):
    """One run in a terminal, for there it counts: (new, flags, trashed) far, then near."""
    t = Terminal(["mbsync", "-c", rc, "both"], env)
    equal(t.wait(300), 0, f"exit status of mbsync: {t.screen[-1000:]!r}")
    text = t.screen.decode(errors="replace")
    found = re.findall(r"F: \+(\d+)/\d+ \*(\d+)/\d+ #(\d+)/\d+\s+N: \+(\d+)/\d+ \*(\d+)/\d+ #(\d+)/\d+", text)
    check(found, "mbsync's counts", text[-2000:])
    return tuple(map(int, found[-1]))


def near_file(mail, subject):
    for directory in ("cur", "new"):
        for name in os.listdir(os.path.join(mail, "INBOX", directory)):
            path = os.path.join(mail, "INBOX", directory, name)
            with open(path, "rb") as f:
                if f"\nSubject: {subject}\n".encode() in f.read().replace(b"\r\n", b"\n"):
                    return path
    raise harness.Failed("no such message near: " + subject)


def mark_near(mail, subject, letters):
    path = near_file(mail, subject)
    base, _, info = os.path.basename(path).partition(":2,")
    os.rename(path, os.path.join(mail, "INBOX", "cur", base + ":2," + "".join(sorted(set(info) | set(letters)))))


def test_two_ways(machine):
    server = fresh(machine, [message(n) for n in range(1, MESSAGES + 1)], ["Archive"])
    rc, env, mail = setup(machine, server)
    equal(sync(rc, env), (0, 0, 0, MESSAGES, 0, 0), "the first run fetches all")
    equal(sorted(read_maildir(mail + "/INBOX")), sorted(on_disk(machine)), "the same messages on both sides")
    before = file_names(machine)
    equal(sync(rc, env), (0, 0, 0, 0, 0, 0), "a second run moves nothing")
    equal(file_names(machine), before, "nor does it rename anything on the server")

    far = server.imap("alice")
    far.select()
    far.store("10", "+FLAGS", r"(\Flagged \Answered)")
    far.store("11", "+FLAGS", r"(\Deleted)")
    far.expunge()
    far.append("INBOX", r"(\Seen)", None, message(2001, "New far").replace(b"\n", b"\r\n"))
    far.logout()
    mark_near(mail, "Message 20", "FS")
    mark_near(mail, "Message 21", "T")
    os.remove(near_file(mail, "Message 22"))
    with open(mail + "/INBOX/new/1700009999.near.test", "wb") as f:
        f.write(message(2002, "New near"))
    sync(rc, env)
    far, near = on_disk(machine), read_maildir(mail + "/INBOX")
    equal(sorted(far), sorted(near), "the same messages on both sides")
    equal({s: (set(far[s]), set(near[s])) for s in far if set(far[s]) != set(near[s])}, {}, "the same flags on both sides")
    equal(set(far["Message 10"]), set("FR"), "flags set far")
    equal(set(far["Message 20"]), set("FS"), "flags set near")
    for gone in ("Message 11", "Message 21", "Message 22"):
        check(gone not in far, gone + " is gone from both")
    check("New far" in near and "New near" in far, "new mail went both ways")
    equal(len(far), MESSAGES - 3 + 2, "and nothing else changed")

    before = file_names(machine)
    equal(sync(rc, env), (0, 0, 0, 0, 0, 0), "the run after moves nothing")
    equal(file_names(machine), before, "nor does it rename anything on the server")


def test_create_far(machine):
    server = fresh(machine, [message(1)])
    rc, env, mail = setup(machine, server)
    for d in ("cur", "new", "tmp"):
        os.makedirs(f"{mail}/Archive/{d}")
    with open(mail + "/Archive/cur/1700009999.near.test:2,S", "wb") as f:
        f.write(message(5))
    sync(rc, env)
    equal(on_disk(machine, "Archive"), {"Message 5": "S"}, "a mailbox made near is made far, with its message")
    check(os.path.isdir(maildir_path(machine, "Archive")), "in its place")


if __name__ == "__main__":
    harness.main("mbsync", [test_two_ways, test_create_far])
