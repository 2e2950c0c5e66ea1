"""offlineimap: both directions."""
import os

from clients import file_names, fresh, harness, home_of, message, on_disk, read_maildir, write_private
from harness import check, equal, run

MESSAGES = 50


def test_two_ways(machine):
    server = fresh(machine, [message(n) for n in range(1, MESSAGES + 1)], ["Archive"])
    home, env = home_of(machine, "offlineimap")
    near = os.path.join(home, "mail")
    rc = write_private(os.path.join(home, "offlineimaprc"), f"""
[general]
accounts = a
metadata = {home}/metadata
ui = basic
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {near}
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {server.ports['imaps']}
ssl = yes
sslcacertfile = {machine.ca}
remoteuser = alice
remotepass = correct horse
""")

    def sync():
        run("offlineimap", "-c", rc, "-o", "-1", env=env, timeout=200)

    def local(subject):
        for directory in ("cur", "new"):
            for name in os.listdir(f"{near}/INBOX/{directory}"):
                with open(f"{near}/INBOX/{directory}/{name}", "rb") as f:
                    if f"Subject: {subject}\n".encode() in f.read().replace(b"\r\n", b"\n"):
                        return f"{near}/INBOX/{directory}/{name}"
        raise harness.Failed("no such message near: " + subject)

    sync()
    equal(sorted(read_maildir(near + "/INBOX")), sorted(on_disk(machine)), "all messages come")
    before = file_names(machine)
    sync()
    equal(file_names(machine), before, "a second run changes nothing on the server")

    m = server.imap("alice")
    m.select()
    m.store("4", "+FLAGS", r"(\Flagged)")
    m.store("5", "+FLAGS", r"(\Deleted)")
    m.expunge()
    m.append("Archive", None, None, message(301, "New far").replace(b"\n", b"\r\n"))
    m.logout()
    path = local("Message 6")
    os.rename(path, f"{near}/INBOX/cur/" + os.path.basename(path).partition(":2,")[0] + ":2,RS")
    os.remove(local("Message 7"))
    with open(near + "/INBOX/new/1700009999.near.test", "wb") as f:
        f.write(message(302, "New near"))
    sync()
    far, here = on_disk(machine), read_maildir(near + "/INBOX")
    equal(sorted(far), sorted(here), "the same messages on both sides")
    equal(len(far), MESSAGES - 2 + 1, "as many as there should be")
    equal({s: (far[s], here[s]) for s in far if far[s] != here[s]}, {}, "the same flags on both sides")
    check("F" in far["Message 4"] and set("RS") <= set(far["Message 6"]), "flags went both ways", far)
    check("Message 5" not in far and "Message 7" not in far and "New near" in far, "deletions and new mail, too", far)
    equal(sorted(read_maildir(near + "/Archive")), ["New far"], "new mail in another mailbox")


if __name__ == "__main__":
    harness.main("offlineimap", [test_two_ways])
