"""What a login comes to: every verdict as the client sees it, SASL, time, penalties, and names that point outside."""
import base64
import os
import re
import time

import harness
from harness import SAMPLES, Server, check, equal, recv_line


def imap_lines(server, *lines):
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    answers = []
    for line in lines:
        s.sendall(line.encode() + b"\r\n")
        answers.append(recv_line(s).decode(errors="replace").rstrip())
    s.close()
    return answers


def pop3_lines(server, *lines):
    s = server.tls().wrap_socket(server.connect("pop3s"), server_hostname="localhost")
    recv_line(s)
    answers = []
    for line in lines:
        s.sendall(line.encode() + b"\r\n")
        answers.append(recv_line(s).decode(errors="replace").rstrip())
    s.close()
    return answers


def imap_login(server, user, password):
    return imap_lines(server, f'a LOGIN "{user}" "{password}"')[0]


def pop3_login(server, user, password):
    return pop3_lines(server, f"USER {user}", f"PASS {password}")[1]


def plain(authzid, authcid, password):
    return base64.b64encode(f"{authzid}\0{authcid}\0{password}".encode()).decode()


def test_verdicts(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    check("a OK [CAPABILITY IMAP4rev1" in imap_login(server, "alice", "correct horse"), "right password")
    check("+OK" in pop3_login(server, "alice", "correct horse"), "right password")
    wrong, unknown = imap_login(server, "alice", "wrong"), imap_login(server, "nobody-of-that-name", "wrong")
    check(wrong.startswith("a NO [AUTHENTICATIONFAILED]"), wrong)
    equal(unknown, wrong, "unknown user and wrong password")
    wrong, unknown = pop3_login(server, "alice", "wrong"), pop3_login(server, "nobody-of-that-name", "wrong")
    check(wrong.startswith("-ERR [AUTH]"), wrong)
    equal(unknown, wrong, "unknown user and wrong password")
    check(imap_login(server, "expired", "expired-pass").startswith("a NO [EXPIRED]"), "expired account")
    check(pop3_login(server, "expired", "expired-pass").startswith("-ERR [AUTH]"), "expired account by POP3")
    check(imap_login(server, "locked", "locked-pass").startswith("a NO [AUTHENTICATIONFAILED]"), "locked account")
    check("login failed: user=" in server.log_text() and "127.0.0.1" in server.log_text(), "failures are logged")
    check("wrong" not in server.log_text().replace("wrong password", ""), "no password in the log")


def test_the_pam_file_that_is_installed(machine):
    """On Debian, with its common-auth and common-account: expired is told from refused."""
    machine.maildir("alice", SAMPLES)
    with open(os.path.join(harness.ROOT, "conf", "pam.d", "restante")) as f:
        machine.pam_service("restante-shipped", f.read())
    server = Server(machine, auth={"pam-service": "restante-shipped"})
    check(imap_login(server, "alice", "correct horse").startswith("a OK"), "right password")
    check("[AUTHENTICATIONFAILED]" in imap_login(server, "alice", "wrong"), "wrong password")
    check("[EXPIRED]" in imap_login(server, "expired", "expired-pass"), "expired account")
    check("[AUTHENTICATIONFAILED]" in imap_login(server, "expired", "wrong"), "nothing is told to who does not know the password")
    check("[AUTHENTICATIONFAILED]" in imap_login(server, "locked", "locked-pass"), "locked account")


def test_failures_take_the_same_time(machine):
    """The delay of the configuration covers what PAM takes: measured as an order, not as a duration."""
    server = Server(machine, auth={"failure-delay": "1s"})
    for user in ("alice", "nobody-of-that-name"):
        start = time.monotonic()
        imap_login(server, user, "wrong")
        check(time.monotonic() - start >= 0.99, f"{user}: answered before the delay was over")


def test_pam_verdicts(machine):
    rows = [
        ("auth required pam_debug.so auth=authinfo_unavail", "UNAVAILABLE", "[SYS/TEMP]"),
        ("auth required pam_debug.so auth=system_err", "UNAVAILABLE", "[SYS/TEMP]"),
        ("auth required pam_debug.so auth=user_unknown", "AUTHENTICATIONFAILED", "[AUTH]"),
        ("auth required pam_unix.so nodelay\naccount required pam_debug.so acct=perm_denied", "AUTHORIZATIONFAILED", "[SYS/PERM]"),
        ("auth required pam_unix.so nodelay\naccount required pam_debug.so acct=acct_expired", "EXPIRED", "[AUTH]"),
        ("auth required pam_unix.so nodelay\naccount required pam_debug.so acct=new_authtok_reqd", "EXPIRED", "[AUTH]"),
        ("auth required pam_unix.so nodelay\naccount required pam_debug.so acct=authinfo_unavail", "UNAVAILABLE", "[SYS/TEMP]"),
        ("auth required no_such_module.so\naccount required pam_permit.so", None, None),
    ]
    server = Server(machine)
    for text, imap, pop3 in rows:
        machine.pam_service("restante-e2e", text + ("" if "account" in text else "\naccount required pam_permit.so") + "\n")
        got = imap_login(server, "alice", "correct horse")
        if imap is None:
            check(got.startswith("a NO ["), text, got)
            continue
        check(got.startswith(f"a NO [{imap}]"), text, got)
        got = pop3_login(server, "alice", "correct horse")
        check(got.startswith(f"-ERR {pop3}"), text, got)
    machine.pam_service("restante-e2e", "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n")


def test_sasl(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    good = plain("", "alice", "correct horse")
    check(imap_lines(server, f"a AUTHENTICATE PLAIN {good}")[0].startswith("a OK"), "initial response")
    first, second = imap_lines(server, "a AUTHENTICATE PLAIN", good)
    check(first.startswith("+") and second.startswith("a OK"), "without initial response", first, second)
    check(imap_lines(server, "a authenticate plain " + plain("alice", "alice", "correct horse"))[0].startswith("a OK"), "authzid is authcid")
    check(imap_lines(server, "a AUTHENTICATE PLAIN " + plain("bob", "alice", "correct horse"))[0].startswith("a NO [AUTHORIZATIONFAILED]"),
          "nobody reads another's mail by authzid")
    first, second = imap_lines(server, "a AUTHENTICATE PLAIN", "*")
    check(second.startswith("a BAD"), "cancelled", second)
    check(imap_lines(server, "a AUTHENTICATE PLAIN !!!")[0].startswith("a BAD"), "not base64")
    check(imap_lines(server, "a AUTHENTICATE CRAM-MD5")[0].startswith("a NO"), "a mechanism we do not have")
    check(pop3_lines(server, f"AUTH PLAIN {good}")[0].startswith("+OK"), "POP3 initial response")
    first, second = pop3_lines(server, "AUTH PLAIN", good)
    check(first.startswith("+") and second.startswith("+OK"), "POP3 without", first, second)
    check(pop3_lines(server, "AUTH PLAIN", "*")[1].startswith("-ERR"), "POP3 cancelled")


def test_odd_passwords(machine):
    machine.maildir("bob", SAMPLES)
    machine.maildir("hanako", SAMPLES)
    server = Server(machine)
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    s.sendall(rb'a LOGIN bob "b\"o\\b pass"' + b"\r\n")
    check(recv_line(s).startswith(b"a OK"), "quoted specials")
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    s.sendall(b"a LOGIN {3}\r\n")
    check(recv_line(s).startswith(b"+"), "a literal is invited inside TLS")
    s.sendall(b"bob {10+}\r\nb\"o\\b pass\r\n")
    check(recv_line(s).startswith(b"a OK"), "literals, synchronising and not")
    check(pop3_login(server, "bob", harness.USERS["bob"][1]).startswith("+OK"), "POP3: a blank in the password")
    check(pop3_login(server, "hanako", "パスワード").startswith("+OK"), "POP3: UTF-8")
    server.imap("hanako").logout()


def test_pipelined_login(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    s.sendall(b'a LOGIN alice "correct horse"\r\nb SELECT INBOX\r\nc NOOP\r\nd LOGOUT\r\n')
    text = harness.recv_all(s)
    for tag in (b"a OK", b"b OK", b"c OK", b"* BYE", b"d OK"):
        check(tag in text, f"{tag} missing", text)
    s = server.tls().wrap_socket(server.connect("pop3s"), server_hostname="localhost")
    s.sendall(b"USER alice\r\nPASS correct horse\r\nSTAT\r\nUIDL 1\r\nQUIT\r\n")
    text = harness.recv_all(s)
    equal(text.count(b"+OK"), 6, "POP3 pipelining: " + repr(text))


def test_wrong_then_right(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    answers = imap_lines(server, "a LOGIN alice nope", 'b LOGIN alice "correct horse"')
    check(answers[0].startswith("a NO") and answers[1].startswith("b OK"), "one connection, two tries", answers)
    answers = pop3_lines(server, "USER alice", "PASS nope", "USER alice", "PASS correct horse")
    check(answers[1].startswith("-ERR") and answers[3].startswith("+OK"), "POP3: one connection, two tries", answers)


def test_penalty(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine, auth={"address-failures": "5", "failure-delay": "0.1s"})
    answers = [imap_login(server, f"guess{n}", "x") for n in range(6)]
    check(all("AUTHENTICATIONFAILED" in a for a in answers[:4]), "first failures", answers)
    check("UNAVAILABLE" in imap_login(server, "alice", "correct horse"), "an address that fails repeatedly is refused")
    check("login failed" in server.log_text(), "and logged")


def test_names_that_point_outside(machine):
    server = Server(machine)
    for name in ("../alice", "alice/../bob", "/etc/passwd", ".", "..", "root", "al\x01ice", "a" * 300):
        got = imap_login(server, name, "correct horse")
        check(got.startswith("a NO") or got.startswith("a BAD"), f"user {name!r}", got)
    machine.pam_service("restante-any", "auth required pam_permit.so\naccount required pam_permit.so\n")
    server.stop()
    server = Server(machine, auth={"pam-service": "restante-any"})
    got = imap_login(server, "root", "x")
    check("AUTHORIZATIONFAILED" in got, "root's uid, though PAM lets it in", got)
    server.stop()
    os.makedirs(machine.path("vmail", "inside"), exist_ok=True)
    server = Server(machine, auth={"pam-service": "restante-any"}, mail={
        "path": machine.path("vmail", "inside", "%u"), "index": machine.path("vmail", "inside", "%u", "restante.index"), "user": "vmail-e2e"})
    for name in ("..", ".", "../../x", "a/b"):
        got = imap_login(server, name, "x")
        check(not got.startswith("a OK"), f"virtual user {name!r}", got)
    check(not os.path.exists(machine.path("vmail", "cur")) and not os.path.exists(machine.path("x")), "nothing was made outside")


def test_hanging_worker(machine):
    """A PAM module that hangs: its client gets a temporary failure, others log in meanwhile."""
    machine.maildir("alice", SAMPLES)
    machine.pam_service("restante-hang", "auth [success=1 default=ignore] pam_succeed_if.so quiet user != carol\n"
                        "auth required pam_exec.so quiet /bin/sleep 1000\nauth required pam_unix.so nodelay\naccount required pam_unix.so\n")
    server = Server(machine, auth={"pam-service": "restante-hang", "verify-timeout": "3s"})
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    s.sendall(b"a LOGIN carol carol-secret-7\r\n")
    for _ in range(5):
        check(imap_login(server, "alice", "correct horse").startswith("a OK"), "others log in")
    check(recv_line(s).startswith(b"a NO [UNAVAILABLE]"), "a temporary failure for the one")
    check(imap_login(server, "alice", "correct horse").startswith("a OK"), "and it goes on")


def test_connection_limits(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine, front={"max-connections-per-address": "5"}, session={"max-connections-per-user": "3"})
    held = [server.imap("alice") for _ in range(3)]
    got = imap_login(server, "alice", "correct horse")
    check("[LIMIT]" in got, "connections of a user", got)
    check(re.search(r"login refused: user=alice addr=127\.0\.0\.1 service=imaps?: max-connections-per-user", server.log_text()), "logged",
          server.log_text())
    idle = [server.connect("imap") for _ in range(8)]
    greetings = [recv_line(s) for s in idle]
    check(any(b"BYE" in g for g in greetings) and greetings[0].startswith(b"* OK"), "connections of an address", greetings)
    for s in idle:
        s.close()
    held[0].logout()
    harness.wait_for(lambda: imap_login(server, "alice", "correct horse").startswith("a OK"), "room again")


TESTS = [test_verdicts, test_the_pam_file_that_is_installed, test_failures_take_the_same_time, test_pam_verdicts, test_sasl, test_odd_passwords, test_pipelined_login,
         test_wrong_then_right, test_penalty, test_names_that_point_outside, test_hanging_worker, test_connection_limits]
if __name__ == "__main__":
    harness.main("login", TESTS)
