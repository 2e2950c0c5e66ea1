"""Python's imaplib: every command it has a method for."""
from clients import fresh, harness, message, on_disk
from harness import check, crlf, equal

MESSAGES = [message(n) for n in range(1, 31)]


def ok(answer, text):
    equal(answer[0], "OK", f"{text}: {answer!r:.300}")
    return answer[1]


def test_every_method(machine):
    server = fresh(machine, MESSAGES, ["Archive"])
    m = server.imap("alice")
    other = server.imap("alice")  # its own, for imaplib then wraps what it appends into "UTF8 (...)", inside the literal
    ok(other.enable("UTF8=ACCEPT"), "ENABLE")
    ok(other.create('"受信"'), "CREATE by a name in UTF-8")
    check(any("受信".encode() in line for line in ok(other.list(), "LIST")), "LIST in UTF-8")
    ok(other.delete('"受信"'), "DELETE")
    other.logout()
    ok(m.create('"Made here"'), "CREATE")
    ok(m.rename('"Made here"', "Renamed"), "RENAME")
    ok(m.subscribe("Renamed"), "SUBSCRIBE")
    check(any(b"Renamed" in line for line in ok(m.list(), "LIST")), "LIST")
    check(any(b"Renamed" in line for line in ok(m.lsub(), "LSUB")), "LSUB")
    ok(m.unsubscribe("Renamed"), "UNSUBSCRIBE")
    ok(m.delete("Renamed"), "DELETE")
    check(b"/" in ok(m.namespace(), "NAMESPACE")[0], "NAMESPACE")
    check(b"MESSAGES 30" in ok(m.status("INBOX", "(MESSAGES UIDNEXT UNSEEN)"), "STATUS")[0], "STATUS")
    equal(ok(m.select("INBOX"), "SELECT"), [b"30"])
    equal(ok(m.search(None, "SUBJECT", '"Message 2"', "NOT", "SEEN"), "SEARCH"), [b"2 20 21 22 23 24 25 26 27 28 29"])
    equal(ok(m.sort("(REVERSE SUBJECT)", "UTF-8", "1:3"), "SORT"), [b"3 2 1"])
    equal(ok(m.thread("REFERENCES", "UTF-8", "1:2"), "THREAD"), [b"(1)(2)"])
    equal(ok(m.fetch("4", "(BODY.PEEK[])"), "FETCH")[0][1], crlf(MESSAGES[3]))
    ok(m.store("4", "+FLAGS", r"(\Flagged)"), "STORE")
    ok(m.copy("5", "Archive"), "COPY")
    ok(m.uid("MOVE", "6", "Archive"), "MOVE")
    ok(m.append("Archive", r"(\Draft)", None, crlf(message(90, "Appended"))), "APPEND")
    ok(m.store("1", "+FLAGS", r"(\Deleted)"), "STORE")
    equal(ok(m.expunge(), "EXPUNGE")[-1], b"1")
    ok(m.getquotaroot("INBOX"), "GETQUOTAROOT")
    ok(m.noop(), "NOOP")
    ok(m.check(), "CHECK")
    ok(m.close(), "CLOSE")
    equal(ok(m.select("Archive", readonly=True), "EXAMINE"), [b"3"])
    ok(m.unselect(), "UNSELECT")
    m.logout()
    left = on_disk(machine)
    equal(sorted(left), sorted(f"Message {n}" for n in range(1, 31) if n not in (1, 6)), "what is left")
    check("F" in left["Message 4"], "the flag")
    equal({s: "D" in f for s, f in on_disk(machine, "Archive").items()}, {"Message 5": False, "Message 6": False, "Appended": True})


if __name__ == "__main__":
    harness.main("imaplib", [test_every_method])
