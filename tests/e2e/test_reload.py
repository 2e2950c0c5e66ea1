"""SIGHUP under load: certificates renewed, broken ones kept out, tickets good across it, settings taken over."""
import os
import shutil
import signal
import ssl
import threading

import harness
from harness import SAMPLES, Server, check, crlf, equal, recv_line, wait_for


def fingerprint(server, service="imaps"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    s = context.wrap_socket(server.connect(service), server_hostname="localhost")
    der = s.getpeercert(True)
    s.close()
    return der


def logged_in(server, user="alice", context=None):
    s = (context or server.tls()).wrap_socket(server.connect("imaps"), server_hostname="localhost")
    recv_line(s)
    s.sendall(f'a LOGIN {user} "{server.password(user)}"\r\n'.encode())
    check(recv_line(s).startswith(b"a OK"), "login")
    return s


def noop(s):
    s.sendall(b"n NOOP\r\n")
    line = recv_line(s)
    while line.startswith(b"*"):
        line = recv_line(s)
    check(line.startswith(b"n OK"), "an open connection goes on", line)


def install(machine, source, target):
    """As certbot does: new files take the place of the old ones."""
    for name in ("server.pem", "server.key"):
        shutil.copy(machine.path(source, name), machine.path(target, name + ".new"))
        os.rename(machine.path(target, name + ".new"), machine.path(target, name))


def own_certificates(machine, name):
    shutil.rmtree(machine.path(name), ignore_errors=True)
    machine.make_certificates(name)
    return {"certificate": machine.path(name, "server.pem"), "private-key": machine.path(name, "server.key")}


def reload(server):
    server.read_notifications()
    del server.notifications[:]
    server.process.send_signal(signal.SIGHUP)
    server.wait_notified("RELOADING=1")
    check(any(n.startswith("MONOTONIC_USEC=") for n in server.notifications), "MONOTONIC_USEC for systemd")
    server.wait_notified("READY=1")


def test_renewed_certificate(machine):
    machine.maildir("alice", [*SAMPLES, b"Subject: big\n\n" + b"x" * 76 + b"\n" + (b"y" * 76 + b"\n") * 400000])
    tls = own_certificates(machine, "live")
    machine.make_certificates("renewed")
    server = Server(machine, tls=tls)
    server.ca = machine.path("live", "ca.pem")
    old = fingerprint(server)
    sessions = [logged_in(server) for _ in range(49)]
    big = len(SAMPLES) + 1

    transfer = logged_in(server)  # the 50th is in the middle of 30 MB
    transfer.sendall(b"b EXAMINE INBOX\r\n")
    while not recv_line(transfer).startswith(b"b OK"):
        pass
    transfer.sendall(b"c FETCH %d BODY.PEEK[]\r\n" % big)
    first = recv_line(transfer)
    size = int(first[first.index(b"{") + 1:first.index(b"}")])

    install(machine, "renewed", "live")
    reload(server)
    wait_for(lambda: fingerprint(server) != old, "the new certificate")
    new = fingerprint(server)
    for service in ("imaps", "pop3s"):
        for _ in range(6):
            equal(fingerprint(server, service), new, "every front has the new certificate")
    for s in sessions:
        noop(s)
    got = 0
    while got < size:
        piece = transfer.recv(65536)
        check(piece, "the transfer was cut")
        got += len(piece)
    for s in sessions:
        s.sendall(b"z LOGOUT\r\n")
    check(any(g for g in server.status().get("generations", [])), "generations in status")


def test_resumption_over_reload(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine, tls=own_certificates(machine, "live"), front={"processes": "3"})
    server.ca = machine.path("live", "ca.pem")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = server.tls()
        context.maximum_version = version
        s = logged_in(server, context=context)
        ticket = s.session
        check(not s.session_reused, "the first one is new")
        resumed = 0
        for n in range(8):
            if n == 4:
                reload(server)
            s = context.wrap_socket(server.connect("imaps"), server_hostname="localhost", session=ticket)
            recv_line(s)
            resumed += s.session_reused
            ticket = s.session
        equal(resumed, 8, f"{version.name}: resumed by any front, before and after the reload")


def test_broken_certificate(machine):
    machine.maildir("alice", SAMPLES)
    tls = own_certificates(machine, "live")
    machine.make_certificates("renewed")
    server = Server(machine, tls=tls)
    server.ca = machine.path("live", "ca.pem")
    old = fingerprint(server)
    held = logged_in(server)
    backup = {n: open(machine.path("live", n), "rb").read() for n in ("server.pem", "server.key")}

    def attempt(what, pattern):
        mark = len(server.log_text())
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: harness.re.search(pattern, server.log_text()[mark:]), f"{what}: a log line that says why\n" + server.log_text()[-2000:])
        equal(fingerprint(server), old, what + ": the old certificate stays")
        noop(held)
        text = server.ctl("status").stdout.decode()
        check(harness.re.search(pattern, text), what + ": status shows it", text)
        done = server.ctl("reload", check_status=False)
        check(done.returncode != 0 and harness.re.search(pattern, (done.stdout + done.stderr).decode()), what + ": restantectl reload says it", done)

    shutil.copy(machine.path("renewed", "server.key"), machine.path("live", "server.key"))
    attempt("a key of another certificate", r"server\.key|server\.pem")
    open(machine.path("live", "server.key"), "wb").write(backup["server.key"])
    open(machine.path("live", "server.pem"), "wb").write(b"-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    attempt("a broken certificate", r"server\.pem")
    os.unlink(machine.path("live", "server.pem"))
    attempt("a certificate that is not there", r"server\.pem.*[Nn]o such file|[Nn]o such file.*server\.pem")
    open(machine.path("live", "server.pem"), "wb").write(backup["server.pem"])
    server.settings["front"]["proceses"] = "2"
    server.write_config()
    attempt("a misspelt key", r"proceses.*processes")
    del server.settings["front"]["proceses"]
    server.write_config()
    server.ctl("reload")
    equal(fingerprint(server), old)
    check("proceses" not in server.ctl("status").stdout.decode(), "a good reload clears the problem")


def test_listeners_change(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    held = logged_in(server)
    old_port = server.ports["pop3s"]
    server.ports["pop3s"] = harness.free_port()
    server.settings["listen"]["pop3s"] = f"127.0.0.1:{server.ports['pop3s']}"
    server.write_config()
    server.ctl("reload")
    server.pop3("alice").quit()
    noop(held)

    def refused():
        try:
            harness.socket.create_connection(("127.0.0.1", old_port), 1).close()
            return False
        except ConnectionRefusedError:
            return True
    wait_for(refused, "the old port to close")


def test_many_reloads(machine):
    """More generations than may live: the oldest is drained politely, the newest serves, nothing is left over."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine, front={"processes": "1"})
    held = []
    for _ in range(12):
        held.append(logged_in(server))
        server.ctl("reload")
    noop(held[-1])
    held[0].settimeout(30)
    check(b"BYE" in recv_line(held[0]), "the oldest is told BYE")
    wait_for(lambda: all(len(server.processes().get(role, [])) <= 9 for role in ("front", "front pool")), "old generations to end")
    for s in held:
        s.close()
    wait_for(lambda: len(server.processes()["front pool"]) == 1, "all but the newest generation to end")


def test_reload_under_logins(machine):
    """Logins go on while generations change: none fails."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    failures = []
    done = threading.Event()

    def client():
        while not done.is_set():
            try:
                m = server.imap("alice")
                m.select()
                m.logout()
            except Exception as e:
                failures.append(e)
                return
    threads = [threading.Thread(target=client) for _ in range(3)]
    for t in threads:
        t.start()
    for _ in range(4):
        server.ctl("reload")
    done.set()
    for t in threads:
        t.join()
    equal(failures, [], "logins during reloads")


TESTS = [test_renewed_certificate, test_resumption_over_reload, test_broken_certificate, test_listeners_change, test_many_reloads, test_reload_under_logins]
if __name__ == "__main__":
    harness.main("reload", TESTS)
