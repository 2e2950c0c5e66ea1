"""Nothing in the clear: every refusal before TLS, and everything hostile that can be sent to a port, before and inside TLS."""
import base64
import contextlib
import random
import re
import socket
import ssl
import time

import harness
from harness import SAMPLES, Server, check, equal, recv_all, recv_line

PLAIN = base64.b64encode(b"\0alice\0correct horse").decode()
GREETING_LINES = {"imap": b"* OK", "pop3": b"+OK"}


def talk(server, service, *lines):
    """Send lines in the clear, one answer line each."""
    s = server.connect(service)
    answers = [recv_line(s).decode()]
    for line in lines:
        s.sendall(line.encode() + b"\r\n")
        answers.append(recv_line(s).decode())
    s.close()
    return answers


def untagged_then(server, line):
    s = server.connect("imap")
    recv_line(s)
    s.sendall(line.encode() + b"\r\n")
    first = recv_line(s).decode()
    s.close()
    return first


def test_imap_refusals(machine):
    server = Server(machine)
    greeting = talk(server, "imap")[0]
    check("LOGINDISABLED" in greeting and "STARTTLS" in greeting and "AUTH=" not in greeting, "greeting", greeting)
    check("LOGINDISABLED" in untagged_then(server, "a CAPABILITY"), "CAPABILITY")
    for line in ('a LOGIN alice "correct horse"', f"a AUTHENTICATE PLAIN {PLAIN}", "a AUTHENTICATE PLAIN", "a LOGIN {5}",
                 "a LOGIN alice {13}", "a authenticate xyz", "a LOGIN"):
        got = untagged_then(server, line)
        check(got.startswith("a NO [PRIVACYREQUIRED]") or (line == "a LOGIN" and got.startswith("a BAD")), line, got)
        check(not got.startswith("+"), "a literal or a response is never invited", line, got)
    server.wait_log(r"clear-text attempt: .*alice.*127\.0\.0\.1.*imap")
    log = server.log_text()
    check("correct horse" not in log and PLAIN not in log, "the credential is not logged", log)


def test_pop3_refusals(machine):
    server = Server(machine)
    for line in ("USER alice", "PASS correct horse", "APOP alice c4c9334bac560ecc979e58001b3e22fb", f"AUTH PLAIN {PLAIN}", "AUTH PLAIN", "AUTH"):
        got = talk(server, "pop3", line)[1]
        check(got.startswith("-ERR"), line, got)
        check(re.search("TLS|SSL", got), "the text says what to set in the client", got)
    s = server.connect("pop3")
    check(b"<" not in recv_line(s), "no APOP timestamp in the greeting")
    s.sendall(b"CAPA\r\n")
    capa = b""
    while not capa.endswith(b"\r\n.\r\n"):
        capa += recv_line(s)
    check(b"\r\nSTLS\r\n" in capa and b"USER" not in capa.replace(b"UTF8 USER", b"") and b"SASL" not in capa, "CAPA", capa)
    server.wait_log(r"clear-text attempt: .*alice.*127\.0\.0\.1.*pop3")
    check("correct horse" not in server.log_text(), "the credential is not logged")


def test_nonsync_literal_in_the_clear(machine):
    """The bytes of a non-synchronising literal follow at once: they must not be taken for commands."""
    server = Server(machine)
    s = server.connect("imap")
    recv_line(s)
    s.sendall(b"a LOGIN {5+}\r\nalice {15+}\r\nx LOGOUT hidden\r\nb NOOP\r\n")
    got = recv_line(s)
    check(got.startswith(b"a NO [PRIVACYREQUIRED]"), "refused", got)
    got = recv_line(s)
    check(got.startswith(b"b OK"), "the literal was skipped, not obeyed", got)


def starttls(server, service, extra=b""):
    s = server.connect(service)
    recv_line(s)
    s.sendall((b"a STARTTLS\r\n" if service == "imap" else b"STLS\r\n") + extra)
    check(b"OK" in recv_line(s), "STARTTLS accepted")
    return server.tls().wrap_socket(s, server_hostname="localhost")


def test_command_injection(machine):
    """Bytes pipelined behind STARTTLS in the clear never reach a parser inside TLS."""
    server = Server(machine)
    try:
        s = starttls(server, "imap", b"b NOOP\r\nc LOGIN eve x\r\n")
        s.sendall(b"d NOOP\r\n")
        equal(recv_line(s)[:4], b"d OK", "the first answer inside TLS is to the first command inside TLS")
    except ssl.SSLError:
        pass  # the bytes were taken for the start of a handshake: closed, which is as good
    try:
        s = starttls(server, "pop3", b"CAPA\r\nUSER eve\r\n")
        s.sendall(b"NOOPX\r\n")
        check(recv_line(s).startswith(b"-ERR"), "the first answer inside TLS")
    except ssl.SSLError:
        pass
    server.wait_log(r"(discard|thrown away|threw away).*127\.0\.0\.1|127\.0\.0\.1.*(discard|thrown away|threw away)")
    s = starttls(server, "imap")
    s.sendall(b"a STARTTLS\r\n")
    check(recv_line(s).startswith(b"a BAD"), "STARTTLS twice")
    s = starttls(server, "pop3")
    s.sendall(b"STLS\r\n")
    check(recv_line(s).startswith(b"-ERR"), "STLS twice")


def hostile_bytes():
    yield "a line of 1 MB", b"A" * (1 << 20)
    yield "a line of 1 MB with its end", b"A" * (1 << 20) + b"\r\n"
    yield "NULs", b"\0" * 4096 + b"\r\n" + b"a\0b LO\0GIN\r\n"
    yield "literal of 4 GiB", b"a LOGIN {4294967296}\r\n"
    yield "literal beyond 64 bits", b"a LOGIN {99999999999999999999}\r\n"
    yield "literal of 4 GiB, not synchronising", b"a LOGIN {4294967296+}\r\nxxxx"
    yield "literal beyond 64 bits, not synchronising", b"a LOGIN {99999999999999999999+}\r\nxxxx"
    yield "negative literal", b"a LOGIN {-1}\r\na LOGIN {}\r\na LOGIN {+}\r\n"
    yield "10,000 commands", b"a NOOP\r\n" * 10000
    yield "10,000 bad commands", b"\r\n" * 10000
    yield "only CR", b"\r" * 10000
    yield "deep list", b"a ID " + b"(" * 5000 + b"\r\n"
    yield "unended quote", b'a LOGIN "' + b"x" * 9000 + b"\r\n"
    yield "an HTTP request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    random.seed(7)
    yield "garbage", random.randbytes(65536)
    yield "a TLS record in the clear", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + random.randbytes(500)


def still_serving(server):
    m = server.imap("alice")
    equal(m.select()[0], "OK", "still serving")
    m.logout()


def throw(s, data):
    """Send, then read until the server closes or has nothing more to say; a reset is a close."""
    s.settimeout(0.7)
    answer = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError, socket.timeout, TimeoutError):
        s.sendall(data)
    with contextlib.suppress(ConnectionError, ssl.SSLError, socket.timeout, TimeoutError):
        while len(answer) < 1 << 22:
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    with contextlib.suppress(OSError):
        s.close()
    return answer


def fronts_of(server):
    return sorted(server.processes()["front"])


def test_hostile_bytes_in_the_clear(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    fronts = fronts_of(server)
    for what, data in hostile_bytes():
        for service in ("imap", "pop3"):
            answer = throw(server.connect(service), data)
            check(answer.startswith(GREETING_LINES[service]), f"{service}: {what}: greeting", answer[:300])
            if data.endswith(b"\n") and b"NOOP" in data and service == "imap":
                check(answer.count(b"a OK") + answer.count(b"BYE") >= 1, what, answer[-300:])
    still_serving(server)
    equal(fronts_of(server), fronts, "no front died")


def test_hostile_bytes_inside_tls(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    fronts = fronts_of(server)
    for what, data in hostile_bytes():
        for service in ("imaps", "pop3s"):
            s = server.tls().wrap_socket(server.connect(service), server_hostname="localhost")
            answer = throw(s, data)
            check(answer.startswith(GREETING_LINES[service[:4]]), f"{service}: {what}: greeting", answer[:300])
    still_serving(server)
    equal(fronts_of(server), fronts, "no front died")


def test_hostile_bytes_after_login(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    for what, data in hostile_bytes():
        s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
        recv_line(s)
        s.sendall(b'l LOGIN alice "correct horse"\r\n')
        check(recv_line(s).startswith(b"l OK"), "login before " + what)
        throw(s, data)
        s = server.tls().wrap_socket(server.connect("pop3s"), server_hostname="localhost")
        recv_line(s)
        s.sendall(b"USER alice\r\n")
        recv_line(s)
        s.sendall(b"PASS correct horse\r\n")
        recv_line(s)
        throw(s, data)
    still_serving(server)
    check("signal" not in server.log_text(), "no process died by a signal", server.log_text()[-3000:])


def client_hello():
    """The first flight of a real client."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_language(machine):
    """What LANGUAGE chose holds over the login, and not over the beginning of TLS (RFC 5255 3.1)."""
    server = Server(machine)
    s = server.connect("imap")
    check(b" LANGUAGE" in recv_line(s), "the greeting lists it")
    s.sendall(b"a LANGUAGE ja\r\n")
    equal(recv_line(s), b"* LANGUAGE (ja)\r\n", "chosen")
    recv_line(s)
    s.sendall(b"b STARTTLS\r\n")
    check("TLS を始めてください" in recv_line(s).decode(), "in Japanese")
    s = server.tls().wrap_socket(s, server_hostname="localhost")
    s.sendall(b"c NOOP\r\n")
    equal(recv_line(s), b"c OK Done\r\n", "English again")
    s.sendall(b"d LANGUAGE fr ja\r\n")
    equal(recv_line(s), b"* LANGUAGE (ja)\r\n", "chosen")
    recv_line(s)
    s.sendall(b"e LOGIN alice wrong\r\n")
    check("パスワードが違います" in recv_line(s).decode(), "a failed login")
    s.sendall(b'f LOGIN alice "correct horse"\r\ng NOOP\r\n')
    check(recv_line(s).startswith(b"f OK "), "logged in")
    equal(recv_line(s).decode(), "g OK NOOP を完了しました\r\n", "still in Japanese")


def test_client_hellos(machine):
    machine.maildir("alice", SAMPLES)
    server = Server(machine)
    fronts = fronts_of(server)
    hello = client_hello()
    for cut in (1, 5, 6, 11, 43, len(hello) - 1):  # cut short, then closed
        s = server.connect("imaps")
        s.sendall(hello[:cut])
        s.close()
    s = server.connect("imaps")  # byte by byte is slow, not wrong
    for byte in hello:
        s.sendall(bytes([byte]))
    s.settimeout(20)
    check(s.recv(1) == b"\x16", "a split ClientHello is answered")
    random.seed(11)
    for _ in range(200):
        broken = bytearray(hello)
        for _ in range(random.randrange(1, 8)):
            broken[random.randrange(len(broken))] = random.randrange(256)
        s = server.connect("imaps")
        with contextlib.suppress(OSError):
            s.sendall(broken)
        s.close()
    still_serving(server)
    equal(fronts_of(server), fronts, "no front died")


def handshake(server, version, service="imaps", ciphers=None):
    out = harness.run("openssl", "s_client", "-connect", f"localhost:{server.ports[service]}", "-CAfile", server.machine.ca, version,
                      "-cipher", ciphers or "ALL:@SECLEVEL=0", *(["-starttls", service] if service in ("imap", "pop3") else []),
                      input=b"", check_status=False)
    return re.search(rb"Cipher is (\S+)", out.stdout), out.stdout + out.stderr


def test_tls_versions_and_ciphers(machine):
    server = Server(machine)
    for version in ("-tls1", "-tls1_1"):
        for service in ("imaps", "imap", "pop3s", "pop3"):
            found, text = handshake(server, version, service)
            check(not found or found.group(1) in (b"(NONE)", b"0000"), version + " must be refused", text[-1500:])
    for version in ("-tls1_2", "-tls1_3"):
        found, text = handshake(server, version)
        check(found and found.group(1) != b"(NONE)", version + " must be taken", text[-1500:])
        check(b"GCM" in found.group(1) or b"CHACHA" in found.group(1), "AEAD", found.group(1))
        check(b"Server Temp Key: X25519" in text, "X25519 first", text[-2000:])
    for weak in ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "NULL-SHA256", "ECDHE-ECDSA-AES256-SHA384"):
        found, text = handshake(server, "-tls1_2", ciphers=weak + ":@SECLEVEL=0")
        check(not found or found.group(1) in (b"(NONE)", b"0000"), weak + " must be refused", text[-1000:])
    found, _ = handshake(server, "-tls1_2", ciphers="ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256")
    equal(found.group(1), b"ECDHE-ECDSA-CHACHA20-POLY1305", "a client that prefers ChaCha gets it")
    found, _ = handshake(server, "-tls1_2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")
    check(b"GCM" in found.group(1), "a client that prefers AES gets it")
    server.stop()
    server = Server(machine, tls={"minimum-version": "1.3"})
    found, text = handshake(server, "-tls1_2")
    check(not found or found.group(1) in (b"(NONE)", b"0000"), "minimum-version = 1.3", text[-1000:])


def test_alpn(machine):
    server = Server(machine)
    for service, offer, want in (("imaps", ["imap"], "imap"), ("pop3s", ["pop3"], "pop3"), ("imaps", ["h2", "imap"], "imap"),
                                 ("imaps", None, None), ("imaps", ["http/1.1"], False), ("imaps", ["pop3"], False), ("pop3s", ["imap"], False)):
        context = server.tls()
        if offer:
            context.set_alpn_protocols(offer)
        try:
            s = context.wrap_socket(server.connect(service), server_hostname="localhost")
            equal(s.selected_alpn_protocol(), want, f"{service} {offer}")
        except ssl.SSLError as e:
            check(want is False and "APPLICATION_PROTOCOL" in str(e).upper().replace(" ", "_"), f"{service} {offer}", e)


def test_sni_and_key_types(machine):
    machine.make_certificates("other", "other.example.net", "127.0.0.1")
    server = Server(machine, tls={"certificate": ", ".join(machine.path("certs", n) for n in ("server.pem", "server-rsa.pem")),
                                  "private-key": ", ".join(machine.path("certs", n) for n in ("server.key", "server-rsa.key"))})
    server.settings["tls other.example.net"] = {"certificate": machine.path("other", "server.pem"), "private-key": machine.path("other", "server.key")}
    server.stop()
    server.write_config()
    server.start()
    with open(machine.path("both-ca.pem"), "w") as f:
        f.write(open(machine.ca).read() + open(machine.path("other", "ca.pem")).read())
    for name, want in (("localhost", "mail.example.org"), ("other.example.net", "other.example.net"), ("mail.example.org", "mail.example.org")):
        s = server.tls(ca=machine.path("both-ca.pem")).wrap_socket(server.connect("imaps"), server_hostname=name)
        names = [v for k, v in s.getpeercert()["subjectAltName"]]
        check(want in names, f"SNI {name}", names)
    for sigalg, want in (("ecdsa_secp256r1_sha256", b"id-ecPublicKey"), ("rsa_pss_rsae_sha256", b"rsaEncryption")):
        out = harness.run("openssl", "s_client", "-connect", f"localhost:{server.ports['imaps']}", "-sigalgs", sigalg, input=b"").stdout
        pem = re.search(rb"-----BEGIN.*?END CERTIFICATE-----", out, re.S).group(0)
        text = harness.run("openssl", "x509", "-noout", "-text", input=pem).stdout
        check(want in text, f"a client of {sigalg} only", text[:600])


def test_half_open_connections(machine):
    """500 connections that stall in every way before a login; a legitimate one is served meanwhile."""
    machine.maildir("alice", SAMPLES)
    server = Server(machine, front={"max-connections-per-address": "2000", "max-connections": "2000"})
    hello = client_hello()
    idle = []
    for n in range(500):
        s = server.connect(harness.SERVICES[n % 4])
        if n % 4 in (0, 2) and n % 3:
            s.sendall(hello[:n % len(hello)])
        elif n % 4 in (1, 3) and n % 3:
            s.sendall(b"a NOO"[:n % 5 + 1])
        idle.append(s)
    start = time.monotonic()
    still_serving(server)
    took = time.monotonic() - start
    check(took < 30, f"a login took {took} s beside 500 half-open connections")
    equal(server.pop3("alice").quit()[:3], b"+OK")
    for s in idle:
        s.close()
    harness.wait_for(lambda: sum(r["open"] for r in server.status()["connections"]) == 0, "all connections to be forgotten")


def test_timeouts(machine):
    server = Server(machine, front={"handshake-timeout": "1s", "login-timeout": "2s"})
    for service in harness.SERVICES:
        s = server.connect(service)
        s.settimeout(30)
        text = recv_all(s)
        check(b"OK" in text or service.endswith("s"), service, text)
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    s.settimeout(30)
    text = recv_all(s)
    check(b"* BYE" in text, "told why", text)
    s = server.tls().wrap_socket(server.connect("pop3s"), server_hostname="localhost")
    s.settimeout(30)
    text = recv_all(s)
    check(b"-ERR" in text, "told why", text)


TESTS = [test_imap_refusals, test_pop3_refusals, test_language, test_nonsync_literal_in_the_clear, test_command_injection, test_hostile_bytes_in_the_clear,
         test_hostile_bytes_inside_tls, test_hostile_bytes_after_login, test_client_hellos, test_tls_versions_and_ciphers, test_alpn,
         test_sni_and_key_types, test_half_open_connections, test_timeouts]
if __name__ == "__main__":
    harness.main("cleartext", TESTS)
