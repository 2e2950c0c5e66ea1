"""Programs that fetch or ask: getmail, fetchmail, mpop, curl, s-nail. What comes is compared; what goes is looked up on disk."""
import os

from clients import fresh, harness, home_of, message, on_disk, read_maildir, write_private
from harness import check, crlf, equal, run

MESSAGES = [message(n) for n in range(1, 26)]
SUBJECTS = sorted(f"Message {n}" for n in range(1, 26))


def new_maildir(path):
    for d in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(path, d))
    return path


def test_getmail(machine):
    """Fetches each message once, and deletes what it has delivered when told so."""
    server = fresh(machine, MESSAGES)
    home, env = home_of(machine, "getmail")
    box = new_maildir(home + "/mail")

    def fetch(delete):
        write_private(home + "/getmailrc", f"[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {server.ports['imaps']}\n"
                      f"username = alice\npassword = correct horse\nca_certs = {machine.ca}\nmailboxes = (\"INBOX\",)\n"
                      f"[destination]\ntype = Maildir\npath = {box}/\nuser = nobody\n"
                      f"[options]\ndelivered_to = false\nreceived = false\nread_all = false\ndelete = {delete}\n")
        os.chmod(home, 0o755)
        run("chown", "-R", "nobody", home)
        run("getmail", "--getmaildir", home, "--rcfile", "getmailrc", timeout=120, env=env)
        return sorted(read_maildir(box))

    equal(fetch("false"), SUBJECTS, "all come")
    equal(fetch("false"), SUBJECTS, "and not again")
    equal(sorted(on_disk(machine)), SUBJECTS, "and stay on the server")
    fetch("true")
    equal(on_disk(machine), {}, "until they may be deleted")


def test_fetchmail(machine):
    """IMAP without keep: delivered, then deleted on the server."""
    server = fresh(machine, MESSAGES)
    home, env = home_of(machine, "fetchmail")
    box = home + "/mbox"
    rc = write_private(home + "/fetchmailrc", f'poll localhost service {server.ports["imaps"]} protocol imap\n'
                       f' user "alice" password "correct horse" ssl sslcertck sslcertfile {machine.ca}\n'
                       f' nokeep fetchall expunge 7 mda "cat >> {box}; echo ==END== >> {box}"\n')
    run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", rc + ".pid", "-i", rc + ".ids", "--invisible", timeout=120,
        env={**env, "FETCHMAILHOME": home})
    with open(box, encoding="utf-8") as f:
        text = f.read()
    equal(text.count("==END==\n"), len(MESSAGES), "all came")
    for n in range(1, len(MESSAGES) + 1):
        check(f"This is the text of message {n}.\n" in text, f"text of message {n}")
    equal(on_disk(machine), {}, "none is left on the server")


def test_mpop(machine):
    server = fresh(machine, MESSAGES)
    home, env = home_of(machine, "mpop")
    box = new_maildir(home + "/mail")
    rc = write_private(home + "/mpoprc", f"account a\nhost localhost\nport {server.ports['pop3s']}\nuser alice\npassword \"correct horse\"\n"
                       f"tls on\ntls_starttls off\ntls_trust_file {machine.ca}\nkeep off\nreceived_header off\nuidls_file {home}/uidls\n"
                       f"delivery maildir {box}\naccount default : a\n")
    run("mpop", "-C", rc, "-a", timeout=120, env=env)
    equal(sorted(read_maildir(box)), SUBJECTS, "all come")
    equal(on_disk(machine), {}, "none is left on the server")


def test_curl(machine):
    """Every kind of IMAP request curl has: list, search, fetch of a section, append, any command."""
    server = fresh(machine, MESSAGES, ["Sent"])
    home, env = home_of(machine, "curl")
    url = f"imaps://localhost:{server.ports['imaps']}"

    def curl(path, *args):
        return run("curl", "-sS", "--cacert", machine.ca, "-u", "alice:correct horse", url + path, *args, env=env).stdout

    check(b'"/" Sent' in curl("/"), "LIST")
    equal(curl("/INBOX?SUBJECT%20%22Message%207%22").strip(), b"* SEARCH 7")
    equal(curl("/INBOX;UID=7"), crlf(MESSAGES[6]), "a message by UID")
    equal(curl("/INBOX;MAILINDEX=7;SECTION=TEXT"), crlf(MESSAGES[6]).split(b"\r\n\r\n", 1)[1], "a section by number")
    upload = write_private(home + "/upload", crlf(message(70, "Uploaded")).decode())
    curl("/Sent", "-T", upload)
    equal(list(on_disk(machine, "Sent")), ["Uploaded"], "APPEND")
    check(b"FETCH" in curl("/INBOX", "-X", r"STORE 3 +FLAGS (\Flagged)"), "STORE")
    check("F" in on_disk(machine)["Message 3"], "on the server's disk")
    check(b"MESSAGES 1" in curl("/", "-X", "STATUS Sent (MESSAGES)"), "STATUS")


def test_s_nail(machine):
    """Lists, shows, moves by copy and delete; quit expunges."""
    server = fresh(machine, MESSAGES, ["Archive"])
    home, env = home_of(machine, "s-nail")
    rc = write_private(home + "/nailrc", f"set v15-compat\nset tls-ca-file={machine.ca} tls-ca-no-defaults tls-verify=strict\n"
                       "set imap-cache= noimap-keepalive nosave keep hold emptystart folder=" + home + "\n")
    base = f"imaps://alice:correct%20horse@localhost:{server.ports['imaps']}/"
    script = (f"folder {base}INBOX\nheaders\ntype 3\nflag 4\ncopy 5 {base}Archive\ndelete 5\nxit\n").replace("xit\n", "quit\n")
    out = run("s-nail", "-:/", "-Xsource " + rc, "-#", env=env, input=script.encode(), timeout=60, check_status=False)
    text = out.stdout.decode(errors="replace") + out.stderr.decode(errors="replace")
    check("This is the text of message 3." in text, "a message shown", text[-2500:])
    left = on_disk(machine)
    check("F" in left["Message 4"] and "S" in left["Message 3"], "flags", left, text[-1500:])
    check("Message 5" not in left and list(on_disk(machine, "Archive")) == ["Message 5"], "moved", left, text[-1500:])


if __name__ == "__main__":
    harness.main("fetchers", [test_getmail, test_fetchmail, test_mpop, test_curl, test_s_nail])
