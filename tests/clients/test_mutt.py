"""mutt and neomutt in a terminal: header cache, CONDSTORE, QRESYNC; flags, a deletion, a move."""
import os
import re

from clients import Terminal, file_names, fresh, harness, home_of, message, on_disk, write_private
from harness import check, equal

MESSAGES = 60


def muttrc(machine, home, server, more=""):
    return write_private(os.path.join(home, "muttrc"), f"""
set folder="imaps://alice@localhost:{server.ports['imaps']}/"
set spoolfile="+INBOX"
set record="" postponed="+Drafts" trash=""
set imap_user="alice" imap_pass="correct horse"
set ssl_ca_certificates_file="{machine.ca}"
set header_cache="{home}/headers/"
set imap_keepalive=60 timeout=5 mail_check=5
set delete=yes confirmappend=no quit=yes abort_noattach=no wait_key=no sleep_time=0
set move=no mark_old=no sort=mailbox-order
set certificate_file="{home}/certificates"
set realname="Alice" from="alice@example.org"
{more}
""")


def drive(program, home, env, rc, keys):
    """Start the program, let it do what the push command types, read its log of IMAP."""
    for name in os.listdir(home):
        if name.startswith("log"):
            os.remove(os.path.join(home, name))
    args = [program, "-n", "-F", rc, "-e", f'push "{keys}"', "-d", "5"]
    if program == "neomutt":
        args += ["-l", os.path.join(home, "log")]
    t = Terminal(args, env, cwd=home)
    equal(t.wait(), 0, f"exit status of {program}; the screen: {t.screen[-1500:]!r}")
    name = "log0" if program == "neomutt" else ".muttdebug0"
    with open(os.path.join(home, name), errors="replace") as f:
        return f.read()


def fetched(log):
    """How often message headers were asked for."""
    return len(re.findall(r"UID FETCH [0-9:,*]+ \(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK\[HEADER", log)) + len(
        re.findall(r"\d+> a\d+ FETCH [0-9:,]+ \(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK\[HEADER", log))


def both(machine, program, condstore):
    server = fresh(machine, [message(n) for n in range(1, MESSAGES + 1)], ["Archive", "Drafts"])
    home, env = home_of(machine, program)
    os.makedirs(home + "/headers")
    rc = muttrc(machine, home, server, condstore)

    log = drive(program, home, env, rc, "<quit>")
    check(fetched(log) > 0, "the first start fetches headers", log[-3000:])
    check("CONDSTORE" in log, "CONDSTORE is used", log[:2000])
    check(re.search(r"ENABLE[^\r\n]* QRESYNC", log), "QRESYNC is enabled", log[:2000])

    before = file_names(machine)
    log = drive(program, home, env, rc, "<quit>")
    check(fetched(log) == 0, "a second start uses the cache", log[-3000:])
    equal(file_names(machine), before, "and changes nothing")

    m = server.imap("alice")
    m.select()
    m.store("7,9", "+FLAGS", r"(\Deleted)")
    m.expunge()
    m.store("20", "+FLAGS", r"(\Flagged)")
    m.logout()
    log = drive(program, home, env, rc, "<quit>")
    check(re.search(r"UID FETCH 1:\d+ \(FLAGS\) \(CHANGEDSINCE \d+ VANISHED\)", log), "a start after changes asks for them", log[-3000:])
    check(re.search(r"VANISHED \(EARLIER\) 7,9\b", log), "it is told what vanished while it was away", log[-3000:])
    # NeoMutt of 2022 keeps the places of what vanished, asks for those once, and then opens the mailbox again by its cache.
    check(fetched(log) <= (program == "neomutt"), "no header is fetched for that", log[-3000:])
    check(program == "mutt" or not fetched(log) or "FETCH 7,9 (UID FLAGS INTERNALDATE" in log, "none but those places", log[-3000:])

    keys = ("1<enter><flag-message>3<enter><delete-message>5<enter><save-message>=Archive<enter><sync-mailbox><quit>")
    drive(program, home, env, rc, keys)
    left = on_disk(machine)
    check("F" in left["Message 1"], "a flag", left)
    check("Message 3" not in left, "a deletion", left)
    check("Message 5" not in left and "Message 5" in on_disk(machine, "Archive"), "a move", left)
    equal(len(left), MESSAGES - 4, "and nothing else")


def test_neomutt(machine):
    both(machine, "neomutt", "set imap_condstore=yes imap_qresync=yes")


def test_mutt(machine):
    both(machine, "mutt", "set imap_condstore=yes imap_qresync=yes imap_deflate=yes")


if __name__ == "__main__":
    harness.main("mutt", [test_neomutt, test_mutt])
