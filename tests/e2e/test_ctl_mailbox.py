"""restantectl mailbox: what it shows of a user's mail is so, it changes nothing, and it looks as the user, never as root."""
import fcntl
import json
import mailbox
import os
import pty
import re
import shutil
import stat
import struct
import subprocess
import tarfile

import harness
from harness import BUILD, SAMPLES, USERS, VMAIL_UID, Server, check, equal, run
from test_ctl import as_alice

SECRET = b"only root may read this"


def ctl(server, *args, **kwargs):
    kwargs.setdefault("text", True)
    return run(os.path.join(BUILD, "restantectl"), "-c", server.config, "mailbox", *args, check_status=False, **kwargs)


def answer(server, *args, status=0):
    result = ctl(server, *args, "--json")
    equal(result.returncode, status, f"exit status of {args}: {result.stdout[-500:]}{result.stderr[-500:]}")
    return json.loads(result.stdout)


def rows(server, *args):
    return {row["mailbox"]: row for row in answer(server, *args)["mailboxes"]}


def findings(server, *args, status):
    return sorted((row["mailbox"], row["kind"]) for row in answer(server, "verify", *args, status=status)["findings"])


def tree(path):
    """All there is below a path: to see that nothing changed. The index is the session's, which may still write to it."""
    found = {}
    for directory, names, files in os.walk(path):
        names[:] = [name for name in names if name != "restante.index"]
        for name in names + files + ["."]:
            st = os.lstat(os.path.join(directory, name))
            found[os.path.join(directory, name)] = (st.st_ino, st.st_mode, st.st_size, st.st_mtime_ns, st.st_ctime_ns)
    return found


def fresh(machine, user="alice", messages=SAMPLES, **kwargs):
    shutil.rmtree(machine.path("home", user, "Maildir"), ignore_errors=True)
    machine.maildir(user, messages)
    return Server(machine, **kwargs), machine.path("home", user, "Maildir")


def settled(machine):
    """Mail that a session has seen: three mailboxes, flags, keywords, something expunged."""
    server, path = fresh(machine)
    m = server.imap("alice")
    m.select("INBOX")
    m.store("1:3", "+FLAGS", r"(\Seen $Important other)")
    m.create("Sent")
    m.create("&ZeVnLIqe-/deep")
    m.subscribe("Sent")
    m.create("gone")
    m.subscribe("gone")
    m.delete("gone")
    m.copy("2:4", "Sent")
    m.store("9", "+FLAGS", r"(\Deleted)")
    m.expunge()
    facts = {}
    for name in ("INBOX", "Sent"):
        text = m.status(name, "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)")[1][0].decode()
        facts[name] = {key: int(value) for key, value in re.findall(r"([A-Z]+) (\d+)", text.split("(")[1])}
    m.logout()
    return server, path, facts


def test_list(machine):
    server, path, _ = settled(machine)
    before = tree(path)
    listed = rows(server, "list", "alice")
    equal(sorted(listed), sorted(["INBOX", "Sent", "gone", "日本語", "日本語/deep"]), "mailboxes")
    equal(listed["Sent"], {"mailbox": "Sent", "exists": True, "subscribed": True, "special_use": "\\Sent"}, "Sent")
    equal((listed["gone"]["exists"], listed["gone"]["subscribed"]), (False, True), "subscribed, and not there")
    equal(listed["日本語"]["exists"], False, "a name that is no mailbox")
    counted = rows(server, "list", "alice", "--counts")
    equal({name: (row["messages"], row["unseen"]) for name, row in counted.items() if row["exists"]},
          {"INBOX": (8, 5), "Sent": (3, 1), "日本語/deep": (0, 0)}, "counts")
    check("日本語/deep" in ctl(server, "list", "alice").stdout, "in words too")
    equal(tree(path), before, "what list changed")


def test_status(machine):
    server, path, facts = settled(machine)
    machine.deliver(path, b"Subject: new\n\nx\n", USERS["alice"][0])
    before = tree(path)
    shown = rows(server, "status", "alice", "--all")
    equal(sorted(shown), ["INBOX", "Sent", "日本語/deep"], "mailboxes")
    equal(list(rows(server, "status", "alice", "Sent", "inbox")), ["Sent", "inbox"], "named ones")
    for name, new in (("INBOX", 1), ("Sent", 0)):
        want = facts[name]
        got = shown[name]
        equal((got["messages"], got["unseen"], got["uidvalidity"], got["uidnext"], got["recent"]),
              (want["MESSAGES"] + new, want["UNSEEN"] + new, want["UIDVALIDITY"], want["UIDNEXT"], new), name)
    equal(shown["INBOX"]["without_uid"], 1, "new mail has no UID yet")
    equal(sorted(shown["INBOX"]["keywords"].split()), ["$Important", "other"], "keywords")
    equal(shown["INBOX"]["bytes"], sum(map(len, SAMPLES[:8])) + 16, "bytes")
    equal(tree(path), before, "what status changed")


def test_verify(machine):
    server, path, _ = settled(machine)
    before = tree(path)
    equal(findings(server, "alice", status=0), [("INBOX", "no-file")], "after an expunge")
    equal(findings(server, "alice", "--strict", status=1), [("INBOX", "no-file")], "a note that counts")
    equal(findings(server, "alice", "Sent", "--strict", status=0), [], "one mailbox")
    equal(tree(path), before, "what verify changed")
    victim = next(name for name in os.listdir(path + "/.Sent/cur"))
    with open(path + "/.Sent/cur/" + victim, "ab") as f:
        f.write(b"more\n")
    open(path + "/.Sent/dovecot-uidlist", "a").write("rubbish\n")
    os.mkfifo(path + "/cur/1700000000.fifo")
    open(path + "/cur/1700000000.stray:2,b", "w").close()
    os.makedirs(path + "/.tmp.x..y/cur")
    got = findings(server, "alice", status=1)
    for want in (("INBOX", "odd-file"), ("INBOX", "no-uid"), ("Sent", "wrong-size"), ("Sent", "uidlist-broken"), ("", "odd-directory")):
        check(want in got, f"{want} is found", got)
    text = ctl(server, "verify", "alice")
    equal(text.returncode, 1, "in words")
    check(victim in text.stdout and "3 mailboxes" in text.stdout, "says where", text.stdout)


def test_verify_index(machine):
    """Where the index claims to know the files, every disagreement is told; where it does not, there is none."""
    server, path, _ = settled(machine)
    index = path + "/restante.index"
    clean = [("INBOX", "no-file")]

    def own():
        for name in os.listdir(index):
            os.chown(os.path.join(index, name), USERS["alice"][0], USERS["alice"][0])
        os.chown(index, USERS["alice"][0], USERS["alice"][0])

    def settle():
        harness.wait_for(lambda: rows(server, "status", "alice", "INBOX")["INBOX"]["index"] == "current", "the index to follow")

    settle()
    equal(answer(server, "status", "alice", "INBOX")["index"][0]["state"], "in use", "read beside the session")
    before = tree(path)
    equal(findings(server, "alice", status=0), clean, "beside a session")
    equal(tree(path), before, "what verify changed")
    m = server.imap("alice")
    m.select("INBOX")
    modseq = int(re.search(rb"HIGHESTMODSEQ (\d+)", m.status("INBOX", "(HIGHESTMODSEQ)")[1][0]).group(1))
    m.fetch("1:*", "(ENVELOPE RFC822.SIZE INTERNALDATE)")
    m.search(None, "SUBJECT", "x")
    m.logout()
    settle()
    equal(rows(server, "status", "alice", "INBOX")["INBOX"]["highestmodseq"], modseq, "HIGHESTMODSEQ")
    machine.deliver(path, b"Subject: new\n\nx\n", USERS["alice"][0])
    check(rows(server, "status", "alice", "INBOX")["INBOX"]["index"] == "behind", "after a delivery")
    m = server.imap("alice")
    m.select("INBOX")
    m.logout()
    settle()
    equal(findings(server, "alice", status=0), clean, "with cards")
    server.stop()
    with open(path + "/dovecot-uidlist") as f:
        guid = re.search(r" G([0-9a-f]{32})", f.readline()).group(1)
    shutil.copytree(index, path + ".good")
    for what, kind, status in (("flags", "index-differs", 1), ("name", "index-differs", 1), ("uidnext", "index-differs", 1),
                               ("unseen", "index-differs", 1), ("lacks", "index-lacks", 1), ("log", "index-differs", 1),
                               ("card", "index-card", 1), ("card-of-none", "index-leftover", 0), ("digest", "index-card", 1),
                               ("no-digest", "index-card", 1), ("mailbox", "index-leftover", 0)):
        run(os.path.join(BUILD, "tests", "index_spoil"), index, guid, what)
        own()
        got = findings(server, "alice", status=status)
        check(("" if what == "mailbox" else "INBOX", kind) in got, what, got)
        shutil.rmtree(index)
        shutil.copytree(path + ".good", index)
    own()
    equal(findings(server, "alice", status=0), clean, "the good one again")
    base = next(name for name in os.listdir(path + "/cur")).split(":")[0].encode()
    with open(index + "/data.mdb", "r+b") as f:
        data = f.read()
        check(base in data, "names are in the index")
        f.seek(0)
        f.write(data.replace(base, b"X" + base[1:]))
    check(("INBOX", "index-record") in findings(server, "alice", status=1), "a value that does not fit its checksum")
    with open(index + "/data.mdb", "r+b") as f:
        f.seek(2 * 4096)
        f.write(os.urandom(os.path.getsize(f.name) - 2 * 4096))
    check(("", "index-damaged") in findings(server, "alice", status=1), "no trees")
    shutil.rmtree(path + ".good")


def test_rebuild(machine):
    """Not while somebody has the index; else all mailboxes are opened, and new mail gets its UID, as a session does it."""
    server, path, facts = settled(machine)
    machine.deliver(path, b"Subject: new\n\nx\n", USERS["alice"][0])
    server.stop()
    index = path + "/restante.index"
    os.makedirs(index, exist_ok=True)
    with open(index + "/lock", "w") as lock:
        os.chown(index, 20001, 20001)
        os.chown(index + "/lock", 20001, 20001)
        fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK, as a session
        equal(answer(server, "status", "alice", "INBOX")["index"][0]["state"], "in use", "state of the index")
        result = ctl(server, "rebuild", "alice")
        equal(result.returncode, 2, "while it is in use")
        check("restantectl kick alice" in result.stderr, "what to do is told", result.stderr)
    done = answer(server, "rebuild", "alice")
    check("3 mailboxes, 12 messages" in done["messages"], "all of them", done)
    check(done["index"][0]["state"] in ("ready", "none"), "the index", done)
    shown = rows(server, "status", "alice", "INBOX")["INBOX"]
    equal((shown["messages"], shown["without_uid"], shown["uidvalidity"]), (9, 0, facts["INBOX"]["UIDVALIDITY"]), "UIDs")
    with open(index + "/data.mdb", "w") as f:
        f.write("not LMDB's")
    check(("", "index-damaged") in findings(server, "alice", status=1), "a damaged index")
    equal(ctl(server, "rebuild", "alice").returncode, 0, "is made anew")
    server = Server(machine, session={"linger": "1s"})
    m = server.imap("alice")
    m.select("INBOX")
    equal(answer(server, "status", "alice", "INBOX")["index"][0]["state"], "in use", "by a real session")
    equal(ctl(server, "rebuild", "alice").returncode, 2, "not under it")
    server.ctl("kick", "alice")
    harness.wait_for(lambda: ctl(server, "rebuild", "alice").returncode == 0, "the session to end")
    server.stop()
    shutil.rmtree(index)
    os.symlink("/etc", index)
    check(("", "index-unknown") in findings(server, "alice", status=1), "a link in its place")


def exported(server, *args, status=0):
    result = run(os.path.join(BUILD, "restantectl"), "-c", server.config, "mailbox", "export", *args, check_status=False, text=False)
    equal(result.returncode, status, f"exit status of export {args}: {result.stderr.decode()}")
    return result.stdout


def test_export_mbox(machine):
    tricky = b"Return-Path: <sender@example.org>\nSubject: From\n\nFrom the start\n>From quoted\n>>From twice\nFromage\n\nFrom "
    large = b"Subject: large\n\n" + b"From here on\n" * 50000
    server, path = fresh(machine, messages=SAMPLES + [tricky, large])
    before = tree(path)
    target = machine.path("alice.mbox")
    equal(ctl(server, "export", "alice", "INBOX", "-o", target).returncode, 0, "export")
    equal(stat.S_IMODE(os.stat(target).st_mode), 0o600, "nobody else reads it")
    equal(tree(path), before, "what export changed")
    box = mailbox.mbox(target)
    equal(len(box), len(SAMPLES) + 2, "messages, as Python counts them")
    got = [re.sub(rb"(?m)^>(>*From )", rb"\1", box.get_bytes(key)) for key in box.keys()]
    want = [m if m.endswith(b"\n") or not m else m + b"\n" for m in SAMPLES + [tricky, large]]
    equal([g.rstrip(b"\n") for g in got], [w.rstrip(b"\n") for w in want], "octet for octet")
    check(b"From sender@example.org " in open(target, "rb").read(), "the sender")
    equal(exported(server, "alice", "INBOX"), open(target, "rb").read(), "to standard output")
    again = ctl(server, "export", "alice", "INBOX", "-o", target)
    equal(again.returncode, 2, "a file that is there")
    check("not written over" in again.stderr, "is told", again.stderr)
    equal(ctl(server, "export", "alice", "--all", "--format", "mbox").returncode, 2, "an mbox of all")


def test_export_tar(machine):
    server, path, facts = settled(machine)
    uids = server.imap("alice")
    uids.select("INBOX")
    want = uids.uid("FETCH", "1:*", "(FLAGS RFC822.SIZE INTERNALDATE)")
    uids.logout()
    target = machine.path("alice.tar")
    equal(ctl(server, "export", "alice", "--all", "-o", target).returncode, 0, "export")
    with tarfile.open(target) as tar:
        names = tar.getnames()
        check("Maildir/dovecot-uidlist" in names and "Maildir/subscriptions" in names and "Maildir/.Sent/cur" in names, "members", names)
        for member in tar.getmembers():
            if member.isfile():
                equal(tar.extractfile(member).read(), open(os.path.join(path, member.name[8:]), "rb").read(), member.name)
    # What is unpacked elsewhere is the same mail: UIDs, flags, dates.
    shutil.rmtree(path)
    run("tar", "xpf", target, "-C", machine.path("home", "alice"))
    server.stop()
    m = Server(machine).imap("alice")
    m.select("INBOX")
    equal(m.uid("FETCH", "1:*", "(FLAGS RFC822.SIZE INTERNALDATE)"), want, "after unpacking")
    equal(sorted(line.split()[-1] for line in m.lsub()[1]), sorted([b"Sent", b"gone"]), "subscriptions")
    m.logout()


def test_long_names(machine):
    """A name too long for ustar has a pax record."""
    server, path = fresh(machine, messages=[])
    name = "1700000000." + "x" * 230 + ":2,S"
    with open(f"{path}/cur/{name}", "wb") as f:
        f.write(b"Subject: x\n\n")
    os.chown(f"{path}/cur/{name}", 20001, 20001)
    target = machine.path("long.tar")
    equal(ctl(server, "export", "alice", "INBOX", "--format", "tar", "-o", target).returncode, 0, "export")
    check(f"Maildir/cur/{name}" in tarfile.open(target).getnames(), "the name")
    check(name in run("tar", "tf", target, text=True).stdout, "as tar reads it")


def test_as_the_user(machine):
    """Nothing is read that the user could not read, wherever links lead."""
    server, path = fresh(machine)
    secret = machine.path("root-only")
    os.makedirs(secret + "/cur", mode=0o700, exist_ok=True)
    os.chmod(secret, 0o700)
    with open(secret + "/cur/1700000000.secret:2,", "wb") as f:
        f.write(SECRET)
    os.chmod(secret + "/cur/1700000000.secret:2,", 0o600)
    bob = machine.path("home", "bob", "Maildir")
    machine.maildir("bob", [b"Subject: bob's\n\nbob's own words\n"])
    os.symlink(secret + "/cur/1700000000.secret:2,", path + "/cur/1700000001.link:2,")
    os.symlink(secret, path + "/.Linked")
    os.makedirs(path + "/.Half")
    os.symlink(secret + "/cur", path + "/.Half/cur")
    os.symlink(bob, path + "/.Bob")
    os.link(secret + "/cur/1700000000.secret:2,", path + "/cur/1700000002.hard:2,")
    os.remove(path + "/dovecot-uidlist") if os.path.exists(path + "/dovecot-uidlist") else None
    os.symlink("/etc/shadow", path + "/dovecot-uidlist")
    os.symlink("/etc/shadow", path + "/subscriptions")
    os.chown(path + "/.Half", 20001, 20001)
    shadow = open("/etc/shadow").read()
    for args in (["list", "alice"], ["status", "alice", "--all"], ["verify", "alice"], ["status", "alice", "Linked", "Half", "Bob"],
                 ["export", "alice", "INBOX"], ["export", "alice", "--all"], ["verify", "alice", "Linked"]):
        result = ctl(server, *args, text=False)
        for words in (SECRET, b"bob's own words", shadow.splitlines()[-1].encode()):
            check(words not in result.stdout + result.stderr, f"{args} does not tell {words}")
    result = run(os.path.join(BUILD, "restantectl"), "-c", server.config, "mailbox", "export", "alice", "INBOX", check_status=False, text=False)
    equal(result.returncode, 1, "a message that alice cannot read is left out")
    check(b"1700000002.hard" in result.stderr and b"Permission denied" in result.stderr, "and told", result.stderr)
    check(result.stdout.startswith(b"From "), "the others are there")
    kinds = {kind for _, kind in findings(server, "alice", status=2)}
    check({"odd-file", "odd-directory", "unreadable", "uidlist-broken"} <= kinds, "verify tells", kinds)
    equal(ctl(server, "list", "--path", path + "/.Linked").returncode, 2, "a path that is a link")
    # The Maildir itself is a link to what is root's.
    shutil.rmtree(path)
    os.symlink(secret, path)
    result = ctl(server, "list", "alice", "--counts")
    equal(result.returncode, 2, "a Maildir that is a link to root's")
    check("Permission denied" in result.stderr, "is told", result.stderr)
    os.remove(path)


def test_ordinary_user(machine):
    server, path = fresh(machine)
    machine.maildir("bob", SAMPLES)
    os.chmod(server.config, 0o644)
    own = as_alice(machine, "-c", server.config, "mailbox", "status", "alice", "--all", "--json")
    equal(own.returncode, 0, f"own mail: {own.stderr}")
    equal(json.loads(own.stdout)["mailboxes"][0]["messages"], len(SAMPLES), "messages")
    other = as_alice(machine, "-c", server.config, "mailbox", "status", "bob", "--all")
    equal(other.returncode, 2, "mail of another")
    check(b"try again as root" in other.stderr, "is refused", other.stderr)
    equal(as_alice(machine, "mailbox", "verify", "--path", path).returncode, 0, "by its path")
    other = as_alice(machine, "mailbox", "list", "--path", machine.path("home", "bob", "Maildir"))
    equal(other.returncode, 2, "the path of another")
    check(b"Permission denied" in other.stderr, "is told", other.stderr)


def test_paths_and_virtual_users(machine):
    server, path = fresh(machine)
    for command in (["--path", path], ["--path", os.path.relpath(path)], ["--path", path + "/"]):
        equal(rows(server, "status", *command, "INBOX")["INBOX"]["messages"], len(SAMPLES), str(command))
    virtual = Server(machine, start=False, mail={"user": "vmail-e2e", "path": machine.path("vmail") + "/%d/%n"})
    os.makedirs(machine.path("vmail", "example.org"), exist_ok=True)
    os.chown(machine.path("vmail", "example.org"), VMAIL_UID, VMAIL_UID)
    machine.maildir("v", SAMPLES[:2], uid=VMAIL_UID, path=machine.path("vmail", "example.org", "v"))
    equal(rows(virtual, "status", "v@example.org", "INBOX")["INBOX"]["messages"], 2, "a virtual user")
    rootly = machine.path("rootly")
    os.makedirs(rootly + "/cur", exist_ok=True)
    result = ctl(server, "list", "--path", rootly)
    equal(result.returncode, 2, "mail of root")
    check("belongs to root" in result.stderr, "is told", result.stderr)


def test_errors(machine):
    server, path = fresh(machine)
    for args, words in ((["list", "nobody-here"], "no such user"), (["list", "carol"], "No such file"), (["status", "alice"], "usage"),
                        (["status", "alice", "Nowhere"], "no such mailbox"), (["status", "alice", "a\x01b"], "no mailbox can have this name"),
                        (["dance"], "mailbox wants"), ([], "mailbox"), (["list", "alice", "--quick"], "usage"), (["list"], "usage"),
                        (["list", "alice", "INBOX"], "usage"), (["status", "alice", "INBOX", "--all"], "usage"),
                        (["export", "alice", "INBOX", "--format", "zip"], "--format"), (["list", "root"], "minimum-uid"),
                        (["list", "../alice"], "not allowed"), (["export", "alice", "INBOX", "-o", machine.path("none", "x")], "No such file")):
        result = ctl(server, *args)
        equal(result.returncode, 2, f"{args}: {result.stdout}{result.stderr}")
        check(words in result.stderr, f"{args} tells why", result.stderr)
    check("no such user" in answer(server, "list", "nobody-here", status=2)["errors"][0], "in JSON")
    bad = machine.path("bad-mail.conf")
    open(bad, "w").write("[mail]\npath = relative\n")
    result = run(os.path.join(BUILD, "restantectl"), "-c", bad, "mailbox", "list", "alice", check_status=False, text=True)
    equal(result.returncode, 2, "a configuration with mistakes")
    check("bad-mail.conf:" in result.stderr, "is told", result.stderr)
    result = run(os.path.join(BUILD, "restantectl"), "-c", server.config, "--all", "status", check_status=False)
    equal(result.returncode, 2, "an option of other verbs")
    full = ctl(server, "export", "alice", "INBOX", "-o", "/dev/full")
    equal(full.returncode, 2, "never onto what is there")
    with open("/dev/full", "w") as f:
        done = subprocess.run([os.path.join(BUILD, "restantectl"), "-c", server.config, "mailbox", "export", "alice", "INBOX"],
                              stdout=f, stderr=subprocess.PIPE, timeout=60)
    equal(done.returncode, 2, "a full disk")
    check(b"No space left" in done.stderr, "is told", done.stderr)


def test_terminal(machine):
    """On a terminal progress is shown, names cannot speak to it, and messages are not written to it."""
    server, path = fresh(machine, messages=[b"x" * 300000])
    [first] = os.listdir(path + "/new")
    for i in range(10000):  # one file under many names: as much to read
        os.link(f"{path}/new/{first}", f"{path}/cur/1700000000.M{i}.links:2,S")
    name = "1700000000.\x1b[31mred"
    open(f"{path}/cur/{name}", "w").close()

    def on_terminal(*args):
        seen = bytearray()
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(os.path.join(BUILD, "restantectl"), ["restantectl", "-c", server.config, "mailbox", *args])
        while True:
            try:
                data = os.read(fd, 4096)
            except OSError:
                break
            if not data:
                break
            seen.extend(data)
        os.close(fd)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), bytes(seen)
    status, seen = on_terminal("verify", "alice")
    equal(status, 0, "verify")
    check(re.search(rb"INBOX: \d+ of 10002", seen), "progress", seen[:300])
    check(b"\x1b[31m" not in seen, "no escape sequence of a name", seen[-500:])
    status, seen = on_terminal("export", "alice", "INBOX")
    equal(status, 2, "export to a terminal")
    check(b"not written to a terminal" in seen, "is told", seen)


TESTS = [test_list, test_status, test_verify, test_verify_index, test_rebuild, test_export_mbox, test_export_tar, test_long_names, test_as_the_user, test_ordinary_user,
         test_paths_and_virtual_users, test_errors, test_terminal]
if __name__ == "__main__":
    harness.main("ctl_mailbox", TESTS)
