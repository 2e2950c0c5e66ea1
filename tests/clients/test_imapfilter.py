"""imapfilter: Lua that searches, marks and moves."""
import os

from clients import fresh, harness, home_of, message, on_disk, write_private
from harness import equal, run


def test_rules(machine):
    messages = [message(n) for n in range(1, 21)] + [message(50, "請求書 invoice"), message(51, "an Invoice"), message(52, body="big\n" * 20000)]
    server = fresh(machine, messages, ["Bills", "Copies"])
    home, env = home_of(machine, "imapfilter")
    os.makedirs(home + "/.imapfilter")
    rc = write_private(home + "/config.lua", f"""
options.timeout = 60
options.subscribe = true
account = IMAP {{ server = "localhost", port = {server.ports['imaps']}, username = "alice", password = "correct horse", ssl = "auto" }}
inbox = account.INBOX
bills = inbox:contain_subject("invoice") + inbox:contain_subject("請求書")
assert(#bills == 2)
bills:move_messages(account.Bills)
from_three = inbox:contain_from("sender3@example.org") * inbox:is_unseen()
from_three:mark_flagged()
inbox:match_subject("^Message 1[0-9]$"):copy_messages(account.Copies)
inbox:is_larger(40000):delete_messages()
mailboxes, folders = account:list_all()
found = {{}}
for _, name in ipairs(mailboxes) do found[name] = true end
assert(found["Bills"] and found["INBOX"])
account:create_mailbox("Made here")
exist, unread, unseen, uidnext = account["Bills"]:check_status()
assert(exist == 2)
""")
    run("imapfilter", "-c", rc, "-t", machine.ca, env=env, timeout=120)
    left = on_disk(machine)
    equal(sorted(left), sorted(f"Message {n}" for n in range(1, 21)), "two moved by what their subject holds, one deleted")
    equal(sorted(on_disk(machine, "Bills")), ["an Invoice", "請求書 invoice"], "moved")
    equal(sorted(s for s in left if "F" in left[s]), ["Message 10", "Message 17", "Message 3"], "marked by sender")
    equal(sorted(on_disk(machine, "Copies")), [f"Message {n}" for n in range(10, 20)], "copied by a pattern")
    equal(on_disk(machine, "Made here"), {}, "a new mailbox")


if __name__ == "__main__":
    harness.main("imapfilter", [test_rules])
