"""Real clients over all four ports, with pam_unix users and with virtual users; mail compared byte by byte."""
import glob
import os
import re
import shutil

import harness
from harness import SAMPLES, Server, check, crlf, equal, run


def filled(machine, user="alice", samples=SAMPLES, **kwargs):
    path = kwargs.get("path") or machine.path("home", user, "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    machine.maildir(user, samples, **kwargs)


def test_imaplib(machine):
    filled(machine)
    server = Server(machine)
    for service in ("imaps", "imap"):
        m = server.imap("alice", service)
        equal(m.select("INBOX")[1], [str(len(SAMPLES)).encode()], service + " EXISTS")
        for n, sample in enumerate(SAMPLES, 1):
            data = m.fetch(str(n), "(UID RFC822.SIZE BODY.PEEK[])")[1]
            got = data[0][1] if isinstance(data[0], tuple) else re.search(rb'BODY\[\] "(.*)"', data[0]).group(1)
            equal(got, crlf(sample), f"{service} message {n}")
            text = data[0][0] if isinstance(data[0], tuple) else data[0]
            check(b"RFC822.SIZE %d" % len(crlf(sample)) in text, f"{service} size of {n}", text)
            check(b"UID %d" % n in text, "UIDs begin at 1, in order of arrival", text)
        equal(m.store("1", "+FLAGS", r"(\Seen \Flagged)")[0], "OK")
        equal(m.search(None, "FLAGGED")[1], [b"1"])
        equal(m.store("1", "FLAGS", "()")[0], "OK")
        m.logout()
    check(glob.glob(machine.path("home/alice/Maildir/cur/*")), "delivered mail moved to cur/")


def test_imap_expunge_is_durable(machine):
    filled(machine)
    server = Server(machine)
    m = server.imap("alice")
    m.select("INBOX")
    m.store("2,4", "+FLAGS", r"(\Deleted)")
    equal(m.expunge()[1], [b"4", b"2"], "sequence numbers, each as it is when it is told")
    server.kill()
    server = Server(machine)
    m = server.imap("alice")
    m.select("INBOX")
    equal(m.uid("SEARCH", "ALL")[1], [b"1 3 5 6 7 8 9"], "UIDs after a restart")
    m.logout()


def test_poplib(machine):
    filled(machine)
    server = Server(machine)
    for service in ("pop3s", "pop3"):
        p = server.pop3("alice", service)
        octets = [len(crlf(s)) for s in SAMPLES]
        equal(p.stat(), (len(SAMPLES), sum(octets)), service + " STAT")
        equal([int(line.split()[1]) for line in p.list()[1]], octets, service + " LIST")
        uidls = [line.split()[1] for line in p.uidl()[1]]
        equal(len(set(uidls)), len(SAMPLES), "unique ids are unique")
        check(all(re.fullmatch(rb"[0-9a-f]{16}", u) for u in uidls), "UIDL as Dovecot's", uidls)
        for n, sample in enumerate(SAMPLES, 1):
            want = crlf(sample)
            if want and not want.endswith(b"\r\n"):
                want += b"\r\n"  # the end of a multiline reply ends the last line too
            equal(b"".join(line + b"\r\n" for line in p.retr(n)[1]), want, f"{service} RETR {n}")
        p.quit()


def test_pop3_delete(machine):
    filled(machine)
    server = Server(machine)
    p = server.pop3("alice")
    before = dict(line.split() for line in p.uidl()[1])
    p.dele(1)
    p.dele(3)
    p.file.close()
    p.sock.close()
    p = server_retry_login(server)
    equal(p.stat()[0], len(SAMPLES), "a broken connection deletes nothing")
    p.dele(1)
    p.dele(3)
    p.quit()
    p = server_retry_login(server)
    equal(p.stat()[0], len(SAMPLES) - 2)
    after = [line.split()[1] for line in p.uidl()[1]]
    equal(after, [u for n, u in before.items() if n not in (b"1", b"3")], "unique ids stay")
    p.quit()


def server_retry_login(server):
    import poplib

    def probe():
        try:
            return server.pop3("alice")
        except poplib.error_proto as e:
            check(b"IN-USE" in e.args[0], "only [IN-USE] may keep us out", e.args)
    return harness.wait_for(probe, "the maildrop lock of the broken connection to go")


def test_pop3_in_use(machine):
    import poplib
    filled(machine)
    server = Server(machine)
    first = server.pop3("alice")
    try:
        server.pop3("alice")
        check(False, "a second POP3 session of one user was let in")
    except poplib.error_proto as e:
        check(b"[IN-USE]" in e.args[0], "RFC 2449 8.1.1", e.args)
    m = server.imap("alice")
    equal(m.select()[0], "OK", "IMAP is let in beside POP3")
    m.logout()
    first.quit()
    server.pop3("alice").quit()


def curl(server, url, user, *args):
    return run("curl", "-sS", "--cacert", server.machine.ca, "--ssl-reqd", "-u", f"{user}:{server.password(user)}", url, *args).stdout


def test_curl(machine):
    filled(machine)
    filled(machine, "hanako")
    server = Server(machine)
    for user in ("alice", "hanako"):
        for service in ("imaps", "imap"):
            for n, sample in enumerate(SAMPLES, 1):
                got = curl(server, f"{service}://localhost:{server.ports[service]}/INBOX;UID={n}", user)
                equal(got, crlf(sample), f"{service} {user} message {n}")
        for service in ("pop3s", "pop3"):
            for n, sample in enumerate(SAMPLES, 1):
                got = curl(server, f"{service}://localhost:{server.ports[service]}/{n}", user)
                equal(got.rstrip(b"\r\n"), crlf(sample).rstrip(b"\r\n"), f"{service} {user} message {n}")
    listing = curl(server, f"imaps://localhost:{server.ports['imaps']}/", "alice")
    check(b"INBOX" in listing, "LIST", listing)
    equal(curl(server, f"imaps://localhost:{server.ports['imaps']}/INBOX?SUBJECT%20plain", "alice").strip(), b"* SEARCH 1")


def test_openssl_s_client(machine):
    filled(machine)
    server = Server(machine)
    imap = b'a LOGIN alice "correct horse"\r\nb EXAMINE INBOX\r\nc FETCH 1 BODY.PEEK[]\r\nd LOGOUT\r\n'
    pop3 = b"USER alice\r\nPASS correct horse\r\nRETR 2\r\nQUIT\r\n"
    for service, starttls, script, want in (
            ("imaps", [], imap, crlf(SAMPLES[0])), ("imap", ["-starttls", "imap"], imap, crlf(SAMPLES[0])),
            ("pop3s", [], pop3, crlf(SAMPLES[1])), ("pop3", ["-starttls", "pop3"], pop3, crlf(SAMPLES[1]))):
        out = run("openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", machine.ca, "-verify_hostname", "localhost",
                  "-ign_eof", "-connect", f"localhost:{server.ports[service]}", *starttls, input=script, check_status=False)
        check(want in out.stdout,
              f"{service} by s_client", out.stdout[-3000:], out.stderr[-1000:])


def test_fetchmail(machine):
    filled(machine)
    server = Server(machine)
    for service, protocol, tls in (("imaps", "imap", "ssl"), ("imap", "imap", "sslproto tls1.2+"),
                                   ("pop3s", "pop3", "ssl"), ("pop3", "pop3", "sslproto tls1.2+")):
        box = machine.path(f"fetchmail-{service}")
        rc = machine.path(f"fetchmailrc-{service}")
        with open(rc, "w") as f:
            f.write(f'poll localhost service {server.ports[service]} protocol {protocol}\n'
                    f' user "alice" password "correct horse" {tls} sslcertck sslcertfile {machine.ca}\n'
                    f' keep fetchall mda "cat >> {box}; echo ==END== >> {box}"\n')
        os.chmod(rc, 0o600)
        run("fetchmail", "-f", rc, "--nosyslog", "--pidfile", rc + ".pid", "-i", rc + ".ids", "--invisible", timeout=120,
            env={**os.environ, "HOME": machine.dir, "FETCHMAILHOME": machine.dir}, check_status=False)
        with open(box, "rb") as f:
            text = f.read()
        got = text.count(b"==END==\n")
        check(got >= 7, f"{service}: {got} messages came", text[:2000])
        for n in (0, 1, 4):  # fetchmail itself breaks the long line of the large one
            body = SAMPLES[n].split(b"\n\n", 1)[1]
            check(body.rstrip(b"\n") in text, f"{service}: body of message {n + 1}")


def test_getmail(machine):
    samples = [s for s in SAMPLES if 0 < len(s) < 10000]  # getmail takes an empty message or a long line for a fault
    filled(machine, samples=samples)
    server = Server(machine)
    for service, kind in (("imaps", "SimpleIMAPSSLRetriever"), ("pop3s", "SimplePOP3SSLRetriever")):
        home = machine.path(f"getmail-{service}")
        for d in ("cur", "new", "tmp"):
            os.makedirs(f"{home}/Maildir/{d}")
        with open(f"{home}/getmailrc", "w") as f:
            f.write(f"[retriever]\ntype = {kind}\nserver = localhost\nport = {server.ports[service]}\nusername = alice\n"
                    f"password = correct horse\nca_certs = {machine.ca}\n"
                    + ("mailboxes = (\"INBOX\",)\n" if service == "imaps" else "")
                    + f"[destination]\ntype = Maildir\npath = {home}/Maildir/\nuser = nobody\n"
                    f"[options]\ndelivered_to = false\nreceived = false\nread_all = true\n")
        run("chown", "-R", "nobody", home)
        run("getmail", "--getmaildir", home, "--rcfile", "getmailrc", timeout=120)
        got = sorted(open(p, "rb").read() for p in glob.glob(f"{home}/Maildir/new/*"))
        equal(len(got), len(samples), service + " messages")
        for n in (0, 1, 4):
            check(any(SAMPLES[n].split(b"\n\n", 1)[1] in g for g in got), f"{service}: body of message {n + 1}")


def test_mpop(machine):
    filled(machine)
    server = Server(machine)
    for service, starttls in (("pop3s", "off"), ("pop3", "on")):
        box = machine.path(f"mpop-{service}")
        for d in ("cur", "new", "tmp"):
            os.makedirs(f"{box}/{d}")
        rc = machine.path(f"mpoprc-{service}")
        with open(rc, "w") as f:
            f.write(f"account a\nhost localhost\nport {server.ports[service]}\nuser alice\npassword \"correct horse\"\ntls on\n"
                    f"tls_starttls {starttls}\ntls_trust_file {machine.ca}\nkeep on\nreceived_header off\n"
                    f"uidls_file {box}.uidls\ndelivery maildir {box}\naccount default : a\n")
        os.chmod(rc, 0o600)
        run("mpop", "-C", rc, "-a", timeout=120)
        got = {open(p, "rb").read().rstrip(b"\n") for p in glob.glob(box + "/new/*")}
        want = {crlf(s).replace(b"\r\n", b"\n").rstrip(b"\n") for s in SAMPLES}
        equal(got, want, service + " by mpop")
        again = run("mpop", "-C", rc, "-a").stdout
        check(b"new: 0 messages" in again or b"new: no messages" in again or b"0 new" in again or not glob.glob(box + "/new/x"),
              "a second run finds nothing new", again)
        equal(len(glob.glob(box + "/new/*")), len(want), "a second run fetches nothing twice")


def test_virtual_users(machine):
    machine.pam_service("restante-virtual", f"auth required pam_pwdfile.so pwdfile {machine.path('virtual.passwd')}\n"
                        f"account required pam_permit.so\n")
    with open(machine.path("virtual.passwd"), "w") as f:
        f.write("".join(f"{user}:{harness.hash_password(pw)}\n" for user, pw in (("ann@example.org", "ann-pw"), ("ben@example.org", "ben-pw"))))
    for user in ("ann", "ben"):
        machine.maildir(None, [s + user.encode() for s in SAMPLES[:2]], uid=harness.VMAIL_UID,
                        path=machine.path("vmail", "example.org", user))
    run("chown", "-R", f"{harness.VMAIL_UID}:{harness.VMAIL_UID}", machine.path("vmail"))
    server = Server(machine, auth={"pam-service": "restante-virtual"},
                    mail={"path": machine.path("vmail", "%d", "%n"), "index": machine.path("vmail", "%d", "%n", "restante.index"),
                          "user": "vmail-e2e"})
    for user, pw in (("ann", "ann-pw"), ("ben", "ben-pw")):
        for service in ("imaps", "imap"):
            m = server.imap(None, service)
            m.login(user + "@example.org", pw)
            m.select()
            equal(m.fetch("1", "BODY.PEEK[]")[1][0][1], crlf(SAMPLES[0] + user.encode()), f"mail of {user}")
            m.logout()
        for service in ("pop3s", "pop3"):
            p = server.pop3(None, service)
            p.user(user + "@example.org")
            p.pass_(pw)
            equal(b"\r\n".join(p.retr(1)[1]), crlf(SAMPLES[0] + user.encode()), f"POP3 mail of {user}")
            p.quit()
    sessions = server.processes()["session"]
    uids = [re.search(r"Uid:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1) for pid in sessions]
    check(uids.count(str(harness.VMAIL_UID)) == 2, "one process for each virtual user", uids)


TESTS = [test_imaplib, test_imap_expunge_is_durable, test_poplib, test_pop3_delete, test_pop3_in_use, test_curl, test_openssl_s_client,
         test_fetchmail, test_getmail, test_mpop, test_virtual_users]
if __name__ == "__main__":
    harness.main("clients", TESTS)
