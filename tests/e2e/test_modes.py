"""Ways to run that are not the usual one, and hosts in trouble: what a client sees stays what the protocol promises."""
import base64
import concurrent.futures
import contextlib
import os
import poplib
import random
import re
import shutil
import signal
import socket
import time

import harness
from harness import BUILD, SAMPLES, SANITIZED, USERS, VMAIL_UID, Failed, Server, check, equal, recv_line, run, wait_for
from test_kill import fronts_by_connection, logged_in_as, uid_of
from test_reload import logged_in, noop


# Words for dialogues

def ask(s, line):
    """One command by its tag; its lines, the last one tagged, or a continuation."""
    s.sendall(line + b"\r\n")
    tag = line.split(b" ")[0] + b" "
    lines = [recv_line(s)]
    while lines[-1] and not lines[-1].startswith((tag, b"+")):
        lines.append(recv_line(s))
    return lines


def ok(s, line):
    lines = ask(s, line)
    check(re.match(rb"\w+ OK |\+", lines[-1]), f"{line}", lines[-3:])
    return lines


def idle(s):
    ok(s, b"idle IDLE")


def done(s):
    s.sendall(b"DONE\r\n")
    line = recv_line(s)
    while line and not line.startswith(b"idle "):
        line = recv_line(s)
    check(line.startswith(b"idle OK"), "the end of IDLE", line)


def told(s, pattern, seconds=20):
    """Read lines until one matches, from a client that says nothing."""
    s.settimeout(seconds * (3 if SANITIZED else 1))
    lines = []
    try:
        while not lines or lines[-1]:
            lines.append(recv_line(s))
            if re.match(pattern, lines[-1]):
                return lines
    except socket.timeout:
        pass
    raise Failed(f"{pattern} was not told: {lines!r}")


def tls(server, service="imaps"):
    s = server.tls().wrap_socket(server.connect(service), server_hostname="localhost")
    recv_line(s)
    return s


def virtual_server(machine, **sections):
    """All mail belongs to one user; whoever asks is let in with any password."""
    machine.pam_service("restante-any", "auth required pam_permit.so\naccount required pam_permit.so\n")
    sections.setdefault("mail", {}).update({"user": "vmail-e2e", "path": machine.path("vmail", "%u")})
    sections.setdefault("auth", {}).update({"pam-service": "restante-any"})
    return Server(machine, **sections)


def virtual_login(server, user):
    s = tls(server)
    ok(s, f"a LOGIN {user} x".encode())
    return s


def virtual_maildir(machine, user, messages):
    path = machine.path("vmail", user)
    machine.maildir(None, messages, uid=VMAIL_UID, path=path)
    return path


def fresh(machine, user, messages=SAMPLES):
    """A Maildir with these messages and nothing else."""
    shutil.rmtree(machine.path("home", user, "Maildir"), ignore_errors=True)
    machine.maildir(user, messages)
    return machine.path("home", user, "Maildir")


def session_of(server, user):
    pids = [pid for pid in server.processes().get("session", []) if uid_of(pid) == USERS[user][0]]
    check(len(pids) <= 1, "one session a user", pids)
    return pids[0] if pids else None


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{pid}/status").read()).group(1))


def chown_all(path, uid):
    for parent, directories, files in os.walk(path):
        for name in (".", *directories, *files):
            os.chown(os.path.join(parent, name), uid, uid)


# A front for each connection

def test_one_connection_a_front(machine):
    fresh(machine, "alice")
    server = Server(machine, front={"connections-per-process": "1", "processes": "2"})
    clients = [logged_in(server) for _ in range(8)]
    fronts = [fronts_by_connection(server, s) for s in clients]
    equal(len(set(fronts) - {None}), 8, f"fronts of eight clients: {fronts}")
    for s in clients:
        noop(s)
    equal(len({row["pid"] for row in server.who()["who"]}), 1, "one session all the same")
    pop3 = server.pop3("alice", service="pop3")
    equal(pop3.stat()[0], len(SAMPLES), "STLS in such a front")
    os.kill(fronts[0], signal.SIGKILL)
    equal(harness.recv_all(clients[0]), b"", "the client of a front that is killed")
    for s in clients[1:]:
        noop(s)
    clients[1].sendall(b"z LOGOUT\r\n")
    harness.recv_all(clients[1])
    clients[1].close()
    clients[2].close()  # without a word
    again = clients[3:] + [logged_in(server) for _ in range(6)]
    serving = [fronts_by_connection(server, s) for s in again]
    equal(len(set(serving) - {None, fronts[0]}), len(again), f"never two clients in one front: {serving}")
    equal(server.ctl("reload").returncode, 0, "reload")
    for s in again:
        noop(s)
    newest = logged_in(server)
    check(fronts_by_connection(server, newest) not in serving, "a front of the new generation")
    for s in again + [newest]:
        s.close()
    pop3.quit()
    wait_for(lambda: not set(serving) & set(server.processes()["front"]), "the fronts of the old generation to end")
    noop(logged_in(server))


def test_fronts_that_nobody_uses_up(machine):
    """Clients that come at once, more than there are fronts ready, and those that say nothing."""
    fresh(machine, "alice")
    server = Server(machine, front={"connections-per-process": "1", "processes": "2", "handshake-timeout": "2s"})
    silent = [server.connect("imaps") for _ in range(10)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for s in pool.map(lambda _: logged_in(server), range(24)):
            noop(s)
            s.close()
    for s in silent:
        equal(harness.recv_all(s), b"", "a silent client is closed")
    noop(logged_in(server))


# PAM sessions

def test_pam_session(machine):
    fresh(machine, "alice")
    marker = machine.path("marker")
    script = machine.path("marker.sh")
    with open(script, "w") as f:
        f.write(f"#!/bin/sh\necho $PAM_TYPE $PAM_USER $PAM_SERVICE >> {marker}\n")
    os.chmod(script, 0o755)
    machine.pam_service("restante-session-e2e", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
                        f"session required pam_exec.so {script}\n")

    def marks():
        with contextlib.suppress(FileNotFoundError):
            return open(marker).read().splitlines()
        return []
    server = Server(machine, auth={"pam-service": "restante-session-e2e", "pam-session": "yes"})
    s = logged_in(server)
    want = ["open_session alice restante-session-e2e", "close_session alice restante-session-e2e"]
    wait_for(lambda: len(marks()) >= 2, "both calls")
    equal(marks(), want, "opened, and closed at once")
    noop(s)
    check(ask(tls(server), b"a LOGIN alice wrong")[-1].startswith(b"a NO"), "a wrong password")
    equal(marks(), want, "no session for one who is not let in")
    logged_in(server)
    wait_for(lambda: len(marks()) == 4, "a session at each login")
    server.stop()
    server = Server(machine, auth={"pam-service": "restante-session-e2e"})
    noop(logged_in(server))
    equal(len(marks()), 4, "not without pam-session")
    server.stop()
    machine.pam_service("restante-session-e2e", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
                        "session required pam_exec.so /bin/false\n")
    server = Server(machine, auth={"pam-service": "restante-session-e2e", "pam-session": "yes"})
    answer = ask(tls(server), b'a LOGIN alice "correct horse"')[-1]
    check(answer.startswith(b"a NO ["), "a session that cannot be opened is a failed login", answer)
    check(b"AUTHENTICATIONFAILED" not in answer, "and no wrong password", answer)
    check(re.search(r"session.*(alice)|alice.*session", server.log_text()), "the log says so", server.log_text()[-500:])


def test_pam_mkhomedir(machine):
    home = machine.path("home", "carol")
    shutil.rmtree(home)
    machine.pam_service("restante-mkhome", "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
                        f"session required pam_mkhomedir.so umask=0077 skel={machine.path('skel')}\n")
    os.makedirs(machine.path("skel", "Maildir"), exist_ok=True)
    for d in ("cur", "new", "tmp"):
        os.makedirs(machine.path("skel", "Maildir", d), exist_ok=True)
    with open(machine.path("skel", "Maildir", "cur", "1700000000.M1P1.skel:2,"), "wb") as f:
        f.write(SAMPLES[0])
    try:
        server = Server(machine, auth={"pam-service": "restante-mkhome", "pam-session": "yes"})
        s = logged_in_as(server, "carol")
        check(any(b"* 1 EXISTS" in line for line in ok(s, b"b SELECT INBOX")), "the mail of the skeleton")
        equal(os.stat(home).st_uid, USERS["carol"][0], "owner of the new home")
    finally:
        os.makedirs(home, mode=0o700, exist_ok=True)
        os.chown(home, USERS["carol"][0], USERS["carol"][0])


# As an ordinary user

class UserServer(Server):
    """restanted run by carol, with programs, certificates, PAM file, passwords and configuration of her own."""

    def __init__(self, machine, names=("carol",), **sections):
        self.base = machine.path("carol-server")
        shutil.rmtree(self.base, ignore_errors=True)
        os.makedirs(os.path.join(self.base, "bin"))
        os.makedirs(os.path.join(self.base, "pam.d"))
        os.makedirs(os.path.join(self.base, "tls"))
        for name in ("restanted", "restante-front", "restante-auth", "restante-session", "restantectl"):
            shutil.copy(os.path.join(BUILD, name), os.path.join(self.base, "bin"))
        run(os.path.join(self.base, "bin", "restante-front"), "--make-certificates", os.path.join(self.base, "tls"), "localhost", "127.0.0.1")
        with open(os.path.join(self.base, "pam.d", "mine"), "w") as f:
            f.write(f"auth required pam_pwdfile.so pwdfile={self.base}/passwd\naccount required pam_permit.so\n")
        with open(os.path.join(self.base, "passwd"), "w") as f:
            for name in names:
                f.write(f"{name}:{harness.hash_password(USERS[name][1])}\n")
        chown_all(self.base, USERS["carol"][0])
        sections.setdefault("tls", {}).update({"certificate": self.base + "/tls/server.pem", "private-key": self.base + "/tls/server.key"})
        sections.setdefault("auth", {}).update({"pam-service": "mine", "pam-config-dir": self.base + "/pam.d", "pam-helpers": "no"})
        sections.setdefault("front", {}).update({"user": None, "chroot": None})
        sections.setdefault("control", {}).update({"socket": self.base + "/control.sock"})
        super().__init__(machine, start=False, **sections)
        self.ca = self.base + "/tls/ca.pem"
        self.args = [*self.as_carol(), self.base + "/bin/restanted", "-c", self.config]
        self.start(wait=False)
        os.chmod(self.notify_path, 0o666)
        wait_for(self.is_up, "the server to answer")

    @staticmethod
    def as_carol():
        uid = USERS["carol"][0]
        return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]

    def is_up(self):
        check(self.process.poll() is None, "restanted ended", self.log_text()[-3000:])
        return self.ctl("status", check_status=False).returncode == 0


def test_as_ordinary_user(machine):
    fresh(machine, "carol")
    fresh(machine, "alice")
    server = UserServer(machine, names=("carol", "alice"))
    s = logged_in_as(server, "carol")
    check(f"* {len(SAMPLES)} EXISTS\r\n".encode() in ok(s, b"b SELECT INBOX"), "her mail")
    idle(s)
    machine.deliver(machine.path("home", "carol", "Maildir"), SAMPLES[0], USERS["carol"][0], 50)
    told(s, rb"\* %d EXISTS" % (len(SAMPLES) + 1))
    done(s)
    pop3 = server.pop3("carol", service="pop3")
    equal(pop3.stat()[0], len(SAMPLES) + 1, "POP3")
    pop3.quit()
    for pid in [server.process.pid, *[p for p, _, _ in server.descendants()]]:
        equal(uid_of(pid), USERS["carol"][0], "no other uid anywhere")
    answer = ask(tls(server), b'a LOGIN alice "correct horse"')[-1]
    check(answer.startswith(b"a NO ["), "another user, though PAM lets her in", answer)
    check("alice" in server.log_text(), "the log says why", server.log_text()[-500:])
    equal(os.listdir(machine.path("home", "alice", "Maildir", "cur")), [], "and her mail is not touched")
    mine = run(*server.as_carol(), server.base + "/bin/restantectl", "-c", server.config, "reload", cwd="/")
    check("generation 2" in mine.stdout.decode(), "her own restantectl", mine)
    noop(s)
    noop(logged_in_as(server, "carol"))
    run(*server.as_carol(), server.base + "/bin/restanted", "-t", "-c", server.config, cwd="/")


# Reload of settings

def test_reload_of_auth_settings(machine):
    fresh(machine, "alice")
    machine.pam_service("restante-deny", "auth required pam_deny.so\naccount required pam_deny.so\n")
    server = Server(machine, auth={"failure-delay": "0.1s"})
    s = logged_in(server)
    before = server.processes()
    server.settings["auth"]["pam-service"] = "restante-deny"
    server.write_config()
    server.ctl("reload")
    wait_for(lambda: not set(before["auth worker"]) & set(server.processes().get("auth worker", [])), "idle workers to be replaced")
    check(ask(tls(server), b'a LOGIN alice "correct horse"')[-1].startswith(b"a NO [AUTHENTICATIONFAILED]"), "the new PAM service counts")
    noop(s)
    server.settings["auth"]["pam-service"] = "restante-e2e"
    server.write_config()
    server.ctl("reload")
    noop(logged_in(server))


def test_reload_of_session_settings(machine):
    fresh(machine, "alice")
    fresh(machine, "carol", SAMPLES[:2])
    machine.maildir("carol", SAMPLES[:5], path=machine.path("home", "carol", "Other"))
    shutil.rmtree(machine.path("home", "alice", "Other"), ignore_errors=True)
    server = Server(machine, session={"linger": "10min", "spares": "3"})
    s = logged_in(server)
    awake = session_of(server, "alice")
    wait_for(lambda: len(server.processes()["session"]) == 4, "spares")
    before = set(server.processes()["session"]) - {awake}
    server.settings["session"].update({"spares": "5", "max-connections-per-user": "1"})
    server.settings["mail"]["path"] = "~/Other"
    server.write_config()
    server.ctl("reload")
    wait_for(lambda: not before & set(server.processes()["session"]), "spares to be replaced")
    wait_for(lambda: len(server.processes()["session"]) == 6, "more of them")
    check(awake in server.processes()["session"], "an awake session stays")
    noop(s)
    carol = logged_in_as(server, "carol")
    check(b"* 5 EXISTS\r\n" in ok(carol, b"b SELECT INBOX"), "the new path")
    check(b"[LIMIT]" in ask(tls(server), b"a LOGIN carol carol-secret-7")[-1], "the new limit")
    check(f"* {len(SAMPLES)} EXISTS\r\n".encode() in ok(s, b"b SELECT INBOX"), "what is open stays where it is")


# Linger and retire

def test_linger(machine):
    fresh(machine, "alice")
    server = Server(machine, session={"linger": "1s"})
    s = logged_in(server)
    first = session_of(server, "alice")
    s.close()
    wait_for(lambda: server.who()["who"] == [], "the connection to end")
    s = logged_in(server)
    equal(session_of(server, "alice"), first, "a login soon after finds the same session")
    time.sleep(1.5)
    equal(session_of(server, "alice"), first, "which stays as long as it is used")
    s.close()
    wait_for(lambda: session_of(server, "alice") is None, "the session to retire")
    s = logged_in(server)
    check(session_of(server, "alice") != first, "then a fresh one")
    check(f"* {len(SAMPLES)} EXISTS\r\n".encode() in ok(s, b"b SELECT INBOX"), "with the same mail")
    equal(server.status()["logins"][0]["users"], 1, "users")


def race_logins(machine, linger, pauses):
    fresh(machine, "alice", SAMPLES[:2])
    server = Server(machine, session={"linger": linger}, front={"max-connections-per-address": "1000"})
    pids = set()

    def one(number):
        chance = random.Random(number)
        for _ in range(40):
            s = logged_in(server)
            ok(s, b"b SELECT INBOX")
            if chance.random() < 0.5:
                ask(s, b"c LOGOUT")
            s.close()
            time.sleep(chance.choice(pauses))
        pids.add(session_of(server, "alice"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    for _ in range(60):  # by one client alone, so that the session does retire each time, or nearly
        s = logged_in(server)
        ok(s, b"b SELECT INBOX")
        s.close()
        time.sleep(random.choice(pauses))
    check("bug" not in server.log_text(), "no bug", server.log_text()[-1000:])
    wait_for(lambda: session_of(server, "alice") is None, "the last session to retire")


def test_logins_race_with_retire(machine):
    race_logins(machine, "0.1s", (0, 0.05, 0.09, 0.095, 0.1, 0.101, 0.105, 0.11))


def test_no_linger_at_all(machine):
    race_logins(machine, "0s", (0, 0.001, 0.002, 0.005))


# IDLE

def test_idle_hears_of_deliveries(machine):
    path = fresh(machine, "alice", SAMPLES[:2])
    server = Server(machine)
    s = logged_in(server)
    ok(s, b"b SELECT INBOX")
    for number in range(3, 8):
        idle(s)
        machine.deliver(path, SAMPLES[0], USERS["alice"][0], number)
        told(s, rb"\* %d EXISTS" % number)
        machine.deliver(path, SAMPLES[0], USERS["alice"][0], number)  # told without a new IDLE, too
        os.unlink(os.path.join(path, "cur", sorted(os.listdir(os.path.join(path, "cur")))[0]))
        told(s, rb"\* 1 EXPUNGE")
        done(s)
        noop(s)
    noop(s)


def test_idle_from_its_first_moment(machine):
    """Mail that comes just when a client begins to idle, before which nobody watched the mailbox."""
    server = virtual_server(machine, session={"linger": "1s"})
    for number in range(60):
        path = virtual_maildir(machine, f"moment{number}", SAMPLES[:1])
        s = virtual_login(server, f"moment{number}")
        ok(s, b"b SELECT INBOX")
        idle(s)
        machine.deliver(path, SAMPLES[0], VMAIL_UID, 5)
        told(s, rb"\* 2 EXISTS", 10)
        s.close()


def test_noop_after_idle(machine):
    """Once watched, never again blind: what others do behind our own changes, too quick for the clock of the file system."""
    path = os.path.join(fresh(machine, "alice", SAMPLES[:3]), "cur")
    server = Server(machine)
    s = logged_in(server)
    ok(s, b"b SELECT INBOX")
    idle(s)
    done(s)
    base = sorted(os.listdir(path))[1].split(":")[0]
    for number in range(40):
        ok(s, b"c STORE 1 %sFLAGS.SILENT (\\Flagged)" % (b"-" if number % 2 else b"+"))
        old = next(name for name in os.listdir(path) if name.startswith(base))
        os.rename(os.path.join(path, old), os.path.join(path, base + (":2," if number % 2 else ":2,S")))
        lines = ok(s, b"d NOOP")
        check(any(line.startswith(b"* 2 FETCH") for line in lines), "a change by another program", lines)


def test_idle_hears_of_other_connections(machine):
    fresh(machine, "alice", SAMPLES[:3])
    server = Server(machine)
    listener, actor = logged_in(server), logged_in(server)
    for s in (listener, actor):
        ok(s, b"b SELECT INBOX")
    idle(listener)
    ok(actor, b"c STORE 2 +FLAGS (\\Flagged $Work)")
    lines = told(listener, rb"\* 2 FETCH")
    check(b"\\Flagged" in lines[-1] and b"$Work" in lines[-1], "the flags", lines)
    ok(actor, b"d STORE 2 -FLAGS.SILENT ($Work)")
    lines = told(listener, rb"\* 2 FETCH")
    check(b"$Work" not in lines[-1], "flags taken away", lines)
    ok(actor, b"e FETCH 3 BODY[TEXT]")
    check(b"\\Seen" in told(listener, rb"\* 3 FETCH")[-1], "read by the other")
    ok(actor, b"f STORE 1 +FLAGS (\\Deleted)")
    ok(actor, b"g EXPUNGE")
    told(listener, rb"\* 1 EXPUNGE")
    pop3 = server.pop3("alice")
    pop3.dele(1)
    pop3.quit()
    told(listener, rb"\* 1 EXPUNGE")
    done(listener)
    equal(len(ok(listener, b"h FETCH 1:* (FLAGS)")), 2, "one message is left")


# Many at once

def test_forty_connections_of_one_user(machine):
    fresh(machine, "alice", SAMPLES[:5])
    server = Server(machine)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        clients = list(pool.map(lambda _: logged_in(server), range(40)))
        list(pool.map(lambda s: ok(s, b"b SELECT INBOX"), clients))
        equal(len({row["pid"] for row in server.who()["who"]}), 1, "one session")
        for s in clients[1:]:
            idle(s)
        ok(clients[0], b"c STORE 1 +FLAGS (\\Flagged)")
        for lines in pool.map(lambda s: told(s, rb"\* 1 FETCH"), clients[1:]):
            check(b"\\Flagged" in lines[-1], "told to all", lines)
        list(pool.map(done, clients[1:]))
        bodies = list(pool.map(lambda s: b"".join(ok(s, b"d FETCH 1:* BODY.PEEK[]")[:-1]), clients))
        equal(len(set(bodies)), 1, "all see the same")
    equal(len(server.who()["who"]), 40, "connections")
    os.kill(session_of(server, "alice"), signal.SIGKILL)
    for s in clients:
        text = harness.recv_all(s)
        check(text == b"" or b"BYE" in text, "all end with their session", text)
    noop(logged_in(server))


def test_sixty_users_at_once(machine):
    server = virtual_server(machine)
    users = [f"many{number}" for number in range(60)]
    for user in users:
        virtual_maildir(machine, user, [b"Subject: mail of %s\n\ntext\n" % user.encode()])

    def visit(user):
        s = virtual_login(server, user)
        ok(s, b"b SELECT INBOX")
        lines = b"".join(ok(s, b"c FETCH 1 BODY.PEEK[HEADER]"))
        check(b"Subject: mail of %s\r\n" % user.encode() in lines, "everybody's own mail", user, lines)
        return s
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        clients = list(pool.map(visit, users))
    who = server.who()["who"]
    equal(sorted(row["user"] for row in who), sorted(users), "all are there")
    equal(len({row["pid"] for row in who}), 60, "each in a session of its own")
    for s in clients:
        noop(s)
        s.close()
    wait_for(lambda: server.who()["who"] == [], "all to be gone")


# Memory and size

def test_slow_readers(machine):
    """Who does not read a large message holds nobody up, and costs no more than the buffers on the way."""
    large = b"Subject: large\n\n" + b"".join(b"%063d\n" % n for n in range(30 * 16384))
    fresh(machine, "alice", [large, SAMPLES[0]])
    server = Server(machine, front={"processes": "1"})
    slow, quick = [logged_in(server) for _ in range(6)], logged_in(server)
    for s in [quick, *slow]:
        ok(s, b"b SELECT INBOX")
    small = b"".join(ok(quick, b"c FETCH 2 BODY.PEEK[]"))
    pids = [session_of(server, "alice"), server.processes()["front"][0]]
    before = [rss_kib(pid) for pid in pids]
    for s in slow:
        s.sendall(b"d FETCH 1 BODY.PEEK[]\r\n")
    for _ in range(10):
        start = time.monotonic()
        equal(b"".join(ok(quick, b"c FETCH 2 BODY.PEEK[]")), small, "the other connection")
        check(time.monotonic() - start < 30, "is not held up")
        time.sleep(0.05)
    grown = [rss_kib(pid) - kib for pid, kib in zip(pids, before)]
    if not SANITIZED:
        check(max(grown) < 6 * 1536, "memory grown by six slow readers, KiB (session, front)", grown)
    size = int(re.search(rb"\{(\d+)\}", recv_line(slow[0])).group(1))
    equal(size, len(harness.crlf(large)), "the announced size")
    text = b""
    while not text.endswith(b"d OK FETCH completed\r\n"):
        piece = slow[0].recv(1 << 16)
        check(piece, "the rest of the message")
        text += piece
    check(text.startswith(harness.crlf(large)), "the message, whole")
    for s in slow[1:]:
        s.close()
    wait_for(lambda: len(server.who()["who"]) == 2, "those who left in the middle to be gone")
    noop(quick)
    noop(slow[0])


def test_huge_mailbox(machine):
    path = fresh(machine, "alice", SAMPLES[:1])
    first = os.path.join(path, "new", os.listdir(os.path.join(path, "new"))[0])
    total = 20000
    for number in range(1, total):
        os.link(first, os.path.join(path, "cur" if number % 2 else "new", f"{1700000000 + number}.M{number}P1.huge" + (":2,S" if number % 2 else "")))
    server = Server(machine)
    s = logged_in(server)
    check(f"* {total} EXISTS\r\n".encode() in ok(s, b"b SELECT INBOX"), "SELECT")
    equal(len(ok(s, b"c FETCH 1:* (UID FLAGS)")), total + 1, "FETCH of all")
    found = ok(s, b"d SEARCH UNSEEN")[0].split()
    equal(len(found) - 2, total // 2, "SEARCH")
    equal(len(ok(s, b"e FETCH %d BODY.PEEK[HEADER.FIELDS (SUBJECT)]" % total)), 5, "the last one")
    if not SANITIZED:
        check(rss_kib(session_of(server, "alice")) < 64 * 1024, "memory of the session, KiB", rss_kib(session_of(server, "alice")))
    other = logged_in(server)
    check(f"* {total} EXISTS\r\n".encode() in ok(other, b"b EXAMINE INBOX"), "for another connection")
    idle(other)
    machine.deliver(path, SAMPLES[0], USERS["alice"][0], total)
    told(other, rb"\* %d EXISTS" % (total + 1), 60)
    pop3 = server.pop3("alice")
    equal(pop3.stat()[0], total + 1, "POP3")
    equal(len(set(line.split()[1] for line in pop3.uidl()[1])), total + 1, "UIDL")
    pop3.quit()
    for c in (s, other):
        c.close()
    shutil.rmtree(path)


# A file system in trouble

@contextlib.contextmanager
def small_disk(machine, user, size="2m"):
    """A tmpfs as a user's Maildir, in our own mount namespace."""
    path = machine.path("home", user, "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700,uid={USERS[user][0]},gid={USERS[user][0]}", "tmpfs", path)
    try:
        yield path
    finally:
        run("umount", "-l", path, check_status=False)


def fill(path):
    filler = os.path.join(path, "filler")
    with open(filler, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(b"x" * 4096):
            pass
    return filler


def test_disk_full(machine):
    server = Server(machine, session={"linger": "0s"})
    with small_disk(machine, "hanako") as path:
        machine.maildir("hanako", SAMPLES[:4])
        s = server.imap("hanako")
        equal(s.select()[1], [b"4"], "with room")
        uids = s.uid("SEARCH", "ALL")[1]
        s.logout()
        filler = fill(path)
        # What has UIDs is served.
        s = server.imap("hanako")
        equal(s.select()[1], [b"4"], "SELECT, full")
        equal(s.uid("SEARCH", "ALL")[1], uids, "the same UIDs")
        equal(s.fetch("1", "(BODY.PEEK[])")[1][0][1], harness.crlf(SAMPLES[0]), "FETCH")
        kind, text = s.store("1", "+FLAGS", "(\\Flagged $Full)")
        check(kind == "OK" or b"[" in text[0], "STORE: done, or a clear answer", kind, text)
        s.noop()
        s.logout()
        p = server.pop3("hanako")
        equal(p.stat()[0], 4, "POP3, full")
        p.quit()
        # New mail needs a UID: until there is room, it waits, and nothing else does.
        size = os.path.getsize(filler)
        os.truncate(filler, size - 2 * 4096)
        machine.deliver(path, b"Subject: late\n\nlate\n", USERS["hanako"][0], 9)
        with open(filler, "ab", buffering=0) as f, contextlib.suppress(OSError):
            while f.write(b"x" * 512):
                pass
        s = server.imap("hanako")
        kind, count = s.select()
        check((kind, count) in (("OK", [b"4"]), ("OK", [b"5"])) or b"[UNAVAILABLE]" in count[0] or b"[OVERQUOTA]" in count[0],
              "SELECT with new mail, full", kind, count)
        if kind == "OK":
            equal(s.uid("SEARCH", "UID", uids[0].decode().replace(" ", ","))[1], uids, "the old mail")
            s.noop()
        s.logout()
        check("No space left" in server.log_text(), "the log names the cause", server.log_text()[-1000:])
        os.unlink(filler)
        s = server.imap("hanako")
        equal(s.select()[1], [b"5"], "with room again nothing is lost")
        equal(s.uid("SEARCH", "ALL")[1][0].split()[:4], uids[0].split(), "UIDs are the same")
        s.logout()
        server.wait_log("closed: user=hanako")


def test_disk_full_from_the_start(machine):
    """A mailbox that never was opened, on a disk on which nothing can be written."""
    server = Server(machine, session={"linger": "0s"})
    with small_disk(machine, "hanako") as path:
        machine.maildir("hanako", SAMPLES[:4])
        filler = fill(path)
        m = server.imap("hanako")
        kind, text = m.select()
        check(kind == "NO" and text[0].startswith((b"[OVERQUOTA]", b"[UNAVAILABLE]")), "SELECT: the cause", kind, text)
        equal(m.noop()[0], "OK", "and the connection goes on")
        m.logout()
        try:
            server.pop3("hanako")
            check(False, "POP3 let in")
        except poplib.error_proto as e:
            check(b"[SYS/TEMP]" in e.args[0], "POP3: a temporary failure", e)
        check(re.search(r"No space left", server.log_text()) and path in server.log_text(), "the log", server.log_text()[-1000:])
        equal(sum(len(os.listdir(os.path.join(path, d))) for d in ("new", "cur")), 4, "nothing is lost")
        os.unlink(filler)
        m = server.imap("hanako")
        equal(m.select()[1], [b"4"], "with room")
        m.logout()
        equal(server.pop3("hanako").stat()[0], 4, "POP3, with room")
        server.kill()


def test_read_only_disk(machine):
    server = Server(machine, session={"linger": "0s"})
    with small_disk(machine, "hanako") as path:
        machine.maildir("hanako", SAMPLES[:4])
        m = server.imap("hanako")
        equal(m.select()[1], [b"4"], "writable")
        m.logout()
        run("mount", "-o", "remount,ro", path)
        m = server.imap("hanako")
        kind, text = m.select()
        check(kind == "OK" and text == [b"4"] or b"[UNAVAILABLE]" in text[0], "SELECT", kind, text)
        if kind == "OK":
            equal(m.fetch("1", "(BODY.PEEK[])")[1][0][1], harness.crlf(SAMPLES[0]), "FETCH")
            kind, text = m.store("1", "+FLAGS", "(\\Flagged)")
            check(kind == "NO" and b"[" in text[0], "STORE: a clear answer", kind, text)
            equal(m.noop()[0], "OK", "and the connection goes on")
        m.logout()
        server.wait_log(r"hanako.*INBOX.*Read-only file system")
        server.kill()


def test_no_permission(machine):
    """What the user may not read is a temporary failure with a log line that names path and cause."""
    home = machine.path("home", "hanako")
    path = os.path.join(home, "Maildir")
    for number, forbidden in enumerate((path, os.path.join(path, "cur"), os.path.join(path, "new"), home)):
        fresh(machine, "hanako", SAMPLES[:3])
        server = Server(machine, session={"linger": "0s"})
        os.chmod(forbidden, 0)
        try:
            s = tls(server)
            answer = ask(s, b"a AUTHENTICATE PLAIN " + plain("hanako"))[-1]
            if answer.startswith(b"a OK"):
                answer = ask(s, b"a SELECT INBOX")[-1]
            check(answer.startswith(b"a NO [UNAVAILABLE]"), f"{forbidden}: IMAP", answer)
            s = tls(server, "pop3s")
            s.sendall(b"AUTH PLAIN " + plain("hanako") + b"\r\n")
            answer = recv_line(s)
            check(answer.startswith(b"-ERR [SYS/"), f"{forbidden}: POP3", answer)
            log = server.log_text()
            check(any(path in line and "Permission denied" in line for line in log.splitlines()), f"{forbidden}: the log", log)
            fresh(machine, "alice", SAMPLES[:1]) if number == 0 else None
            noop(logged_in(server))
        finally:
            os.chmod(forbidden, 0o700)
        s = tls(server)
        ok(s, b"a AUTHENTICATE PLAIN " + plain("hanako"))
        check(b"* 3 EXISTS\r\n" in ok(s, b"a SELECT INBOX"), "permitted again, nothing is lost")
        server.stop()


def plain(user):
    return base64.b64encode(b"\0" + user.encode() + b"\0" + USERS[user][1].encode())


def test_a_message_without_permission(machine):
    path = fresh(machine, "alice", SAMPLES[:3])
    server = Server(machine)
    forbidden = os.path.join(path, "new", sorted(os.listdir(os.path.join(path, "new")))[1])
    os.chmod(forbidden, 0)
    s = logged_in(server)
    check(b"* 3 EXISTS\r\n" in ok(s, b"b SELECT INBOX"), "SELECT")
    lines = ask(s, b"c FETCH 1:3 BODY.PEEK[]")
    text = b"".join(lines)
    check(harness.crlf(SAMPLES[0]) in text and harness.crlf(SAMPLES[2]) in text, "the others come", text)
    check(re.match(rb"c (NO|OK) \[", lines[-1]), "and the client is told", lines[-1])
    server.wait_log(r"alice.*INBOX.*UID 2 .*Permission denied")
    noop(s)


def test_no_mail_directory_at_all(machine):
    """No Maildir yet: either it is made, or the client is told; a file in its place is no Maildir."""
    path = machine.path("home", "carol", "Maildir")
    shutil.rmtree(path, ignore_errors=True)
    server = Server(machine, session={"linger": "0s"})
    s = logged_in_as(server, "carol")
    check(b"* 0 EXISTS\r\n" in ok(s, b"b SELECT INBOX"), "an empty mailbox")
    equal(os.stat(path).st_uid, USERS["carol"][0], "its owner")
    equal(os.stat(path).st_mode & 0o077, 0, "nobody else's")
    s.close()
    wait_for(lambda: session_of(server, "carol") is None, "the session to retire")
    shutil.rmtree(path)
    with open(path, "w") as f:
        f.write("a file\n")
    s = tls(server)
    answer = ask(s, b"a LOGIN carol carol-secret-7")[-1]
    if answer.startswith(b"a OK"):
        answer = ask(s, b"a SELECT INBOX")[-1]
    check(answer.startswith(b"a NO [UNAVAILABLE]"), "a file in its place", answer)
    check(any(path in line for line in server.log_text().splitlines()), "the log", server.log_text()[-500:])
    os.unlink(path)


TESTS = [test_one_connection_a_front, test_fronts_that_nobody_uses_up, test_pam_session, test_pam_mkhomedir, test_as_ordinary_user,
         test_reload_of_auth_settings, test_reload_of_session_settings, test_linger, test_logins_race_with_retire, test_no_linger_at_all,
         test_idle_hears_of_deliveries, test_idle_from_its_first_moment, test_noop_after_idle, test_idle_hears_of_other_connections,
         test_forty_connections_of_one_user, test_sixty_users_at_once, test_slow_readers, test_huge_mailbox, test_disk_full,
         test_disk_full_from_the_start, test_read_only_disk, test_no_permission, test_a_message_without_permission,
         test_no_mail_directory_at_all]
if __name__ == "__main__":
    harness.main("modes", TESTS)
