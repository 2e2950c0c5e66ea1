"""The front alone, with a master and sessions made of Python: everything between a client's socket and the channel."""
import base64
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from front_pool import FRONT, Client, FrontPool, default_session  # noqa: E402

PLAIN = base64.b64encode(b"\0alice\0right")
WRONG = base64.b64encode(b"\0alice\0wrong")


def check(condition, *details):
    if not condition:
        raise AssertionError(details)


def wait_for(probe, seconds=20):
    end = time.monotonic() + seconds
    while not probe():
        check(time.monotonic() < end, "waited in vain")
        time.sleep(0.02)


def imap_clear(pool):
    c = Client(pool.connect("imap"))
    check(c.line().startswith(b"* OK [CAPABILITY IMAP4rev1"))
    return c


def starttls(pool, c, command=b"a STARTTLS", extra=b""):
    c.send(command + b"\r\n" + extra)
    line = c.line()
    check(b"OK" in line, line)
    return Client(pool.context().wrap_socket(c.sock))


def logged_in(pool, service="imaps"):
    c = pool.client(service)
    c.line()
    if service == "imaps":
        check(c.ask(b"a LOGIN alice right").startswith(b"a OK"))
    else:
        check(c.ask(b"USER alice").startswith(b"+OK") and c.ask(b"PASS right").startswith(b"+OK"))
    return c


# ---- greeting, TLS ----

def test_greetings(pool):
    c = imap_clear(pool)
    c.send(b"a CAPABILITY\r\n")
    words = c.line().split()
    check(b"LOGINDISABLED" in words and b"STARTTLS" in words and b"AUTH=PLAIN" not in words, words)
    c = pool.client("imaps")
    greeting = c.line()
    check(b"AUTH=PLAIN" in greeting and b"LOGINDISABLED" not in greeting and b"STARTTLS" not in greeting, greeting)
    for service, tls in (("pop3", False), ("pop3s", True)):
        c = pool.client(service) if tls else Client(pool.connect(service))
        check(c.line() == b"+OK restante ready")
        c.send(b"CAPA\r\n")
        lines = iter(c.line, b".")
        capa = list(lines)
        check((b"USER" in capa) == tls and (b"SASL PLAIN" in capa) == tls and (b"STLS" in capa) == (not tls), capa)


def test_starttls(pool):
    c = starttls(pool, imap_clear(pool))
    check(c.ask(b"b LOGIN alice right") == b"b OK [CAPABILITY IMAP4rev1] Welcome alice")
    check(c.ask(b"c NOOP") == b"c OK done")
    c = Client(pool.connect("pop3"))
    c.line()
    c = starttls(pool, c, b"STLS")
    check(c.ask(b"STLS").startswith(b"-ERR"))
    check(c.ask(b"AUTH PLAIN " + PLAIN).startswith(b"+OK"))


def test_injection(pool):
    c = starttls(pool, imap_clear(pool), extra=b"b LOGIN mallory x\r\nc NOOP\r\n")
    check(c.ask(b"d NOOP") == b"d OK Done")
    c.sock.settimeout(0.3)
    try:
        check(not c.fill(), "an injected command was answered")
    except socket.timeout:
        pass
    wait_for(lambda: any("discarded 27 bytes" in line for line in pool.logs))
    c = Client(pool.connect("pop3"))
    c.line()
    c = starttls(pool, c, b"STLS", b"USER mallory\r\n")
    check(c.ask(b"PASS right").startswith(b"-ERR USER"))


def client_hello(version):
    """A ClientHello of TLS 1.0 or 1.1 with one cipher suite of its time."""
    body = struct.pack("!H", version) + os.urandom(32) + b"\0" + struct.pack("!HH", 2, 0x002F) + b"\1\0"
    hello = b"\1" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(hello)) + hello


def test_old_tls(pool):
    for version in (0x0301, 0x0302):
        s = pool.connect("imaps")
        s.sendall(client_hello(version))
        alert = s.recv(100)
        check(alert[:1] == b"\x15" and alert[5:7] == b"\x02\x46", alert)  # fatal, protocol_version
    s = pool.connect("imaps")
    s.sendall(b"a LOGIN alice right\r\n")
    s.recv(100)
    wait_for(lambda: any("TLS handshake failed" in line for line in pool.logs))
    hello = client_hello(0x0303)
    s = pool.connect("imaps")
    for i in range(len(hello)):
        s.sendall(hello[i:i + 1])
    check(s.recv(100)[:1] == b"\x15")  # no shared cipher
    check(logged_in(pool))


def test_versions_and_ciphers(pool):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        c = pool.tls("imaps", context=pool.context(minimum_version=version, maximum_version=version))
        check(re.search("GCM|CHACHA", c.cipher()[0]), c.cipher())
        check(c.compression() is None)
    for options in (["-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384", "-tls1_2"], ["-tls1_2", "-cipher", "aRSA"]):
        out = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % pool.ports["imaps"], "-brief", *options],
                             input=b"", capture_output=True).stderr
        check(b"CHACHA20" in out if "-tls1_2" != options[0] else b"RSA" in out, out)
    for cipher in ("AES128-SHA", "AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"):
        out = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % pool.ports["imaps"], "-tls1_2", "-cipher",
                              cipher + ":@SECLEVEL=0"], input=b"", capture_output=True)
        check(out.returncode != 0, cipher, out)


def test_alpn(pool):
    for service, protocol in (("imaps", "imap"), ("pop3s", "pop3")):
        context = pool.context()
        context.set_alpn_protocols(["h2", protocol])
        check(pool.tls(service, context=context).selected_alpn_protocol() == protocol)
    for service, protocol in (("imaps", "pop3"), ("pop3s", "http/1.1")):
        context = pool.context()
        context.set_alpn_protocols([protocol])
        try:
            pool.tls(service, context=context).recv(1)
            check(False, "ALPN was ignored")
        except ssl.SSLError as error:
            check("NO_APPLICATION_PROTOCOL" in str(error).upper().replace(" ", "_"), error)


def test_sni():
    def sections(pool):
        pool.certify("one.example.net", prefix="one")
        pool.certify("*.two.example.net", prefix="two")
        return pool.tls_section("", ["server"]) + pool.tls_section("one.example.net", ["one/server"]) + \
            pool.tls_section("*.two.example.net", ["two/server"])

    pool = FrontPool(tls=sections)
    try:
        for name, want in (("one.example.net", "one.example.net"), ("a.two.example.net", "*.two.example.net"),
                           ("ONE.example.net", "one.example.net"), ("two.example.net", "mail.example.org"),
                           ("a.b.two.example.net", "mail.example.org"), ("other.example", "mail.example.org"), (None, "mail.example.org")):
            out = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % pool.ports["imaps"],
                                  *(["-servername", name] if name else ["-noservername"])], input=b"", capture_output=True).stdout
            check(("CN = " + want).encode() in out, name, out)
        wait_for(lambda: len(pool.certificates) == 3)
        check([c[0] for c in pool.certificates] == ["", "one.example.net", "*.two.example.net"], pool.certificates)
        check(pool.certificates[0][2:4] == ("mail.example.org", "EC P-256"), pool.certificates)
    finally:
        pool.close()


def set_keys(pool, *keys):
    pool.fronts[-1].line.send("TICKET_KEYS", struct.pack("!H", 80 * len(keys)) + b"".join(keys))
    time.sleep(0.1)


def resumed(pool, context, session):
    s = pool.tls("imaps", context=context, session=session)
    c = Client(s)
    c.line()
    c.ask(b"a NOOP")  # the tickets of TLS 1.3 have come now
    return s.session_reused, s.session


def writable_memory_of(pid):
    data = []
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            span, mode = line.split()[:2]
            start, end = (int(n, 16) for n in span.split("-"))
            if mode.startswith("rw") and end - start < 1 << 26:
                memory.seek(start)
                try:
                    data.append(memory.read(end - start))
                except OSError:
                    pass
    return b"\0".join(data)


def test_old_ticket_keys_are_forgotten():
    """Whoever takes a front over must not open what was recorded while an older key was in use."""
    pool = FrontPool()
    try:
        context = pool.context()
        resumed(pool, context, None)
        old, new = pool.keys[0], os.urandom(80)
        set_keys(pool, new)
        resumed(pool, context, None)
        try:
            memory = writable_memory_of(pool.fronts[-1].pid)
        except OSError:
            return  # not root: a front is nobody's to read
        check(new[16:48] in memory, "the key in use is there")
        check(old[16:48] not in memory and old[48:] not in memory, "a key that is gone is still there")
    finally:
        pool.close()


def test_resumption():
    pool = FrontPool()
    try:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = pool.context(minimum_version=version, maximum_version=version)
            reused, session = resumed(pool, context, None)
            check(not reused)
            pool.fronts[-1].line.send("STOP_ACCEPT")
            check(pool.fronts[-1].exited.wait(10), "a draining front without connections ends")
            pool.spawn()
            reused, session = resumed(pool, context, session)
            check(reused, "not resumed at another front", version)
            old, new = pool.keys[0], os.urandom(80)
            pool.keys = [new, old]
            set_keys(pool, new, old)
            reused, renewed = resumed(pool, context, session)
            check(reused, "not resumed by an old key", version)
            set_keys(pool, new)
            check(resumed(pool, context, renewed)[0], "the ticket was not renewed", version)
            check(not resumed(pool, context, session)[0], "resumed by a key that is gone", version)
            new = os.urandom(80)
            set_keys(pool, new)
            check(not resumed(pool, context, renewed)[0], "resumed by a key that is gone", version)
            pool.line.send("TICKET_KEYS", struct.pack("!H", 80) + new)
            pool.keys = [new]
    finally:
        pool.close()


# ---- before TLS ----

def test_refusals_in_the_clear(pool):
    before = len(pool.fronts[0].logins)
    c = imap_clear(pool)
    for command in (b"LOGIN carol secret-one", b'LOGIN "dora \\"x" "secret-one"', b"AUTHENTICATE PLAIN " + PLAIN, b"AUTHENTICATE PLAIN",
                    b"LOGIN {5}", b"LOGIN erin {10}"):
        check(c.ask(b"t " + command).startswith(b"t NO [PRIVACYREQUIRED]"), command)
    c.send(b"u LOGIN {5+}\r\nfrank {9+}\r\nx LOGOUT\n\r\nv NOOP\r\n")
    check(c.line().startswith(b"u NO [PRIVACYREQUIRED]"))
    check(c.line() == b"v OK Done", "a skipped literal was read as a command")
    wait_for(lambda: any("user=erin addr=127.0.0.1 service=imap command=LOGIN" in line for line in pool.logs))
    c = Client(pool.connect("pop3"))
    c.line()
    for command in (b"USER gina", b"PASS secret-one", b"APOP hugo c4c9334bac560ecc979e58001b3e22fb", b"AUTH PLAIN " + PLAIN, b"AUTH"):
        check(re.match(rb"-ERR .*SSL/TLS .port 995", c.ask(command)), command)
    wait_for(lambda: any("user=hugo addr=127.0.0.1 service=pop3 command=APOP" in line for line in pool.logs))
    logs = "\n".join(pool.logs)
    check("user=carol " in logs and "user=dora\\x20\\x22x " in logs and "user=gina " in logs, logs)
    for secret in ("secret-one", PLAIN.decode(), "c4c9334bac", "frank"):
        check(secret not in logs, "logged", secret)
    check(len(pool.fronts[0].logins) == before, "a login went to the master")
    check(pool.fronts[0].counter("CLEAR_ATTEMPTS") >= 12)


def test_log_is_limited(pool):
    before = sum("clear-text attempt" in line for line in pool.logs)
    for _ in range(5):
        c = imap_clear(pool)
        for i in range(9):
            c.ask(b"a LOGIN u%d x" % i)
    time.sleep(0.2)
    check(sum("clear-text attempt" in line for line in pool.logs) - before <= 10)


# ---- hostile input ----

def test_long_lines(pool):
    for service, want in (("imaps", b"* BYE"), ("imap", b"* BYE"), ("pop3s", b"-ERR"), ("pop3", b"-ERR")):
        c = pool.client(service) if service.endswith("s") else Client(pool.connect(service))
        c.line()
        try:
            c.send(b"a" * 1000000)
        except (ConnectionError, ssl.SSLError):
            pass
        rest = c.rest()
        check(rest.startswith(want), service, rest)


def test_literals(pool):
    c = pool.client("imaps")
    c.line()
    check(c.ask(b"a LOGIN {4294967296}").startswith(b"a BAD [TOOBIG]"))
    check(c.ask(b"b LOGIN {99999999999999999999}").startswith(b"b BAD [TOOBIG]"))
    check(c.ask(b"c LOGIN {2000+}\r\n" + b"x" * 2000 + b" y").startswith(b"c BAD [TOOBIG]"))
    check(c.ask(b"d NOOP {5}").startswith(b"d BAD"))
    check(c.ask(b"e LOGIN {5}") == b"+ OK")
    check(c.ask(b"alice {5+}\r\nright").startswith(b"e OK"))
    for literal in (b"{4294967296+}", b"{99999999999999999999+}"):
        c = pool.client("imaps")
        c.line()
        check(c.ask(b"a LOGIN " + literal).startswith(b"* BYE"), literal)
    c = imap_clear(pool)
    check(c.ask(b"a LOGIN {99999999999999999999+}").startswith(b"* BYE"))
    c = pool.client("imaps")
    c.line()
    check(c.ask(b'a ID ("name" {4}').startswith(b"+ OK"))
    check(c.ask(b"test)").startswith(b"* ID ("))


def test_nuls_and_garbage(pool):
    for service in ("imaps", "imap", "pop3s", "pop3"):
        c = pool.client(service) if service.endswith("s") else Client(pool.connect(service))
        c.line()
        c.send(b"a LOGIN \0alice \0right\r\n")
        check(re.match(rb"a (BAD|NO)|-ERR", c.line()))
        c.send(os.urandom(20000).replace(b"\n", b" ") + b"\r\n")
        c.rest()
    c = pool.client("imaps")
    c.line()
    check(c.ask(b'a LOGIN alice "ri\0ght"').startswith(b"a BAD"))
    check(c.ask(b"b" * 200 + b" NOOP").startswith(b"* BAD"))


def test_many_commands(pool):
    c = pool.client("imaps")
    c.line()
    c.send(b"".join(b"t%d NOOP\r\n" % i for i in range(10000)))
    for i in range(10000):
        check(c.line() == b"t%d OK Done" % i, i)
    for i in range(9):
        check(c.ask(b"a FROB").startswith(b"a BAD"))
    c.send(b"a FROB\r\n")
    check(c.rest().endswith(b"* BYE Too many bad commands\r\n"))


# ---- logins ----

def test_sasl(pool):
    c = pool.client("imaps")
    c.line()
    check(c.ask(b"a AUTHENTICATE PLAIN") == b"+ " and c.ask(b"*").startswith(b"a BAD"))
    check(c.ask(b"b AUTHENTICATE PLAIN") == b"+ " and c.ask(b"!!").startswith(b"b BAD"))
    check(c.ask(b"c AUTHENTICATE PLAIN") == b"+ " and c.ask(b"x {5}").startswith(b"c BAD"))
    check(c.ask(b"d AUTHENTICATE CRAM-MD5").startswith(b"d NO"))
    check(c.ask(b"e AUTHENTICATE PLAIN") == b"+ " and c.ask(PLAIN).startswith(b"e OK"))
    c = pool.client("pop3s")
    c.line()
    check(c.ask(b"AUTH") == b"+OK Mechanisms follow" and c.line() == b"PLAIN" and c.line() == b".")
    check(c.ask(b"AUTH PLAIN") == b"+ " and c.ask(b"*").startswith(b"-ERR"))
    check(c.ask(b"AUTH PLAIN") == b"+ " and c.ask(PLAIN).startswith(b"+OK"))


def test_failed_logins(pool):
    c = pool.client("imaps")
    c.line()
    for i in range(5):
        began = time.monotonic()
        check(c.ask(b"a%d LOGIN alice wrong" % i) == b"a%d NO [AUTHENTICATIONFAILED] Wrong user name or password" % i)
        check(0.95 <= time.monotonic() - began, "the delay of a failure", time.monotonic() - began)
    check(c.rest() == b"* BYE Too many failed logins\r\n")


def test_verdicts():
    answers = {"EXPIRED": (b"[EXPIRED]", b"[AUTH]"), "AUTHORIZATION_FAILED": (b"[AUTHORIZATIONFAILED]", b"[SYS/PERM]"),
               "UNAVAILABLE": (b"[UNAVAILABLE]", b"[SYS/TEMP]"), "REFUSED": (b"[UNAVAILABLE]", b"[SYS/TEMP]"),
               "LIMIT": (b"[LIMIT]", b"[IN-USE]"), "IN_USE": (b"[INUSE]", b"[IN-USE]"), "GONE": (b"[UNAVAILABLE]", b"[SYS/TEMP]"),
               "BROKEN": (b"[UNAVAILABLE]", b"[SYS/TEMP]"), "SLOW": (b"[AUTHENTICATIONFAILED]", b"[AUTH]")}

    def session(channel, login):
        _, user, password = channel.credentials()
        verdict = user.decode()
        if verdict == "BROKEN":
            channel.data(b"not a verdict")
        elif verdict == "SLOW":
            channel.verdict("AUTHENTICATION_FAILED", delay=2)
        elif verdict != "GONE":
            channel.verdict(verdict)
        channel.close()

    pool = FrontPool(session=session)
    try:
        for verdict, (imap, pop3) in answers.items():
            c = pool.client("imaps")
            c.line()
            took = 10
            for _ in range(4):  # a busy machine may be slow once
                began = time.monotonic()
                check(c.ask(b"a LOGIN %s x" % verdict.encode()).startswith(b"a NO " + imap), verdict)
                took = min(took, time.monotonic() - began)
                if verdict not in ("LIMIT", "IN_USE") or took < 0.9:
                    break
            check(took < 0.9 if verdict in ("LIMIT", "IN_USE") else took >= (1.95 if verdict == "SLOW" else 0.95), verdict, took)
            check(c.ask(b"b NOOP").startswith(b"b OK"))
            c = pool.client("pop3s")
            c.line()
            c.ask(b"USER " + verdict.encode())
            check(c.ask(b"PASS  x y ").startswith(b"-ERR " + pop3), verdict)
    finally:
        pool.close()


def test_pipelining(pool):
    c = pool.client("imaps")
    c.line()
    c.send(b"a LOGIN alice right\r\nb NOOP\r\nc LOGOUT\r\n")
    check(c.rest().split(b"\r\n")[:4] == [b"a OK [CAPABILITY IMAP4rev1] Welcome alice", b"b OK done", b"* BYE", b"c OK bye"])
    c = pool.client("imaps")
    c.line()
    c.send(b"a LOGIN alice wrong\r\nb LOGIN alice right\r\nc NOOP\r\n")
    check([c.line()[:4] for _ in range(3)] == [b"a NO", b"b OK", b"c OK"])
    c = pool.client("pop3s")
    c.line()
    c.send(b"USER alice\r\nPASS right\r\nNOOP\r\n")
    check([c.line()[:3] for _ in range(3)] == [b"+OK", b"+OK", b"NOO"])


def test_cancel(pool):
    front = pool.fronts[0]
    release = threading.Event()
    pool.session = lambda channel, login: release.wait(20)
    try:
        c = pool.client("imaps")
        c.line()
        c.send(b"a LOGIN alice right\r\n")
        wait_for(lambda: front.logins and not front.cancelled)
        time.sleep(0.2)
        c.close()
        wait_for(lambda: front.cancelled and front.cancelled[-1] == front.logins[-1]["id"])
    finally:
        release.set()
        pool.session = default_session


# ---- the relay ----

def test_relay_backpressure(pool):
    c = logged_in(pool)
    n = 30 * 1000 * 1000
    c.send(b"b BIG %d\r\n" % n)
    time.sleep(1.0)
    rss = int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pool.fronts[0].pid).read()).group(1))
    check(rss < (60000 if "asan" not in os.environ.get("B", "") else 600000), "the front holds what the client does not take", rss)
    got = 0
    while got < n:
        more = c.sock.recv(1000000)
        check(more and more.strip(b"x\r\n") == b"", more[:20])
        got += len(more)
    check(c.ask(b"c NOOP").endswith(b"c OK done") or c.line() == b"c OK done")


def test_relay_upstream():
    done = {}

    def session(channel, login):
        channel.credentials()
        channel.verdict("OK")
        time.sleep(0.5)  # the front must wait
        total = 0
        while True:
            frame = channel.read()
            if frame is None:
                break
            total += len(frame[1])
        done["total"] = total
        channel.data(b"got %d\r\n" % total)
        channel.frame("CLOSE")
        channel.close()

    pool = FrontPool(session=session)
    try:
        c = pool.client("imaps")
        c.line()
        check(c.ask(b"a LOGIN alice right") == b"a OK Logged in")
        for _ in range(200):
            c.send(os.urandom(50000))
        socket.socket.shutdown(c.sock, socket.SHUT_WR)  # no more will come
        check(c.rest() == b"got 10000000\r\n" and done["total"] == 10000000)
    finally:
        pool.close()


def test_close_brings_the_last_bytes(pool):
    for _ in range(20):
        c = logged_in(pool)
        c.send(b"b BIG 300000\r\nc LOGOUT\r\nd NOOP\r\ne NOOP\r\n")
        check(c.rest().endswith(b"* BYE\r\nc OK bye\r\n"))


def test_session_dies():
    def session(channel, login):
        channel.credentials()
        channel.verdict("OK")
        channel.data(b"half a resp")
        if login["id"] % 2:
            channel.sock.sendall(b"\xff\0\0\0")
            channel.read()
        channel.close()

    pool = FrontPool(session=session)
    try:
        for _ in range(2):
            context = pool.context()
            context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
            c = Client(context.wrap_socket(pool.connect("imaps"), suppress_ragged_eofs=False))
            c.line()
            check(c.ask(b"a LOGIN alice right").startswith(b"a OK"))
            try:
                while c.sock.recv(100):
                    pass
                check(False, "a clean end, though the response is not whole")
            except (ssl.SSLError, ConnectionError):
                pass
    finally:
        pool.close()


def test_keepalive():
    def session(channel, login):
        channel.credentials()
        channel.verdict("OK")
        channel.data(b"+ idling\r\n")
        channel.frame("KEEPALIVE", b"\1")
        for _ in channel.lines():
            channel.frame("KEEPALIVE", b"\0")
            channel.data(b"b OK idled\r\n")

    pool = FrontPool("keepalive = 1s", session=session)
    try:
        c = pool.client("imaps")
        c.line()
        c.ask(b"a LOGIN alice right")
        check(c.line() == b"+ idling")
        check(c.line() == b"* OK Still here" and c.line() == b"* OK Still here")
        check(c.ask(b"DONE") == b"b OK idled")
        c.sock.settimeout(1.5)
        try:
            check(not c.fill(), "kept alive without IDLE")
        except socket.timeout:
            pass
    finally:
        pool.close()


# ---- limits and time ----

def test_address_limit():
    pool = FrontPool("max-connections-per-address = 3")
    try:
        held = [logged_in(pool) for _ in range(3)]
        check(Client(pool.connect("imap")).rest() == b"* BYE [LIMIT] Too many connections from your address\r\n")
        check(Client(pool.connect("pop3")).rest().startswith(b"-ERR [SYS/TEMP]"))
        check(pool.client("imaps").rest().startswith(b"* BYE [LIMIT]"))
        check(pool.fronts[0].counter("REFUSED_LIMIT") == 3)
        held.pop().close()
        wait_for(lambda: pool.fronts[0].counter("CONNECTIONS_IMAPS") == 2)
        check(logged_in(pool))
    finally:
        pool.close()


def test_total_limit():
    pool = FrontPool("max-connections = 2")
    try:
        held = [imap_clear(pool) for _ in range(2)]
        check(Client(pool.connect("imap")).rest().startswith(b"* BYE [UNAVAILABLE]"))
        check(held[0].ask(b"a NOOP").startswith(b"a OK"))
    finally:
        pool.close()


def test_one_client_a_process():
    pool = FrontPool("connections-per-process = 1", fronts=2)
    try:
        a, b = logged_in(pool), logged_in(pool)
        check([len(f.logins) for f in pool.fronts] == [1, 1], "two clients in one process")
        waiting = pool.connect("imap")
        waiting.settimeout(0.3)
        try:
            check(not waiting.recv(1))
        except socket.timeout:
            pass
        a.close()
        waiting.settimeout(30)
        check(any(f.exited.wait(30) for f in pool.fronts), "a front ends with its client")
        check(sum(f.exited.is_set() for f in pool.fronts) == 1)
        check(all(pool.exits[f.slot] == 0 for f in pool.fronts if f.exited.is_set()))
        pool.spawn()
        check(waiting.recv(4) == b"* OK")
        check(b.ask(b"b NOOP"))
    finally:
        pool.close()


def cpu_seconds(pid):
    fields = open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_half_open_connections(pool):
    idle = [pool.connect("imaps" if i % 2 else "pop3s") for i in range(90)]
    for i, s in enumerate(idle):
        s.sendall(client_hello(0x0303)[:i % 40])
    check(logged_in(pool).ask(b"b NOOP") == b"b OK done")
    before = cpu_seconds(pool.fronts[0].pid)
    time.sleep(1.0)
    check(cpu_seconds(pool.fronts[0].pid) - before < 0.3, "half-open connections cost time")
    for s in idle:
        s.close()
    wait_for(lambda: pool.fronts[0].counter("CONNECTIONS_POP3S") == 0)


def test_timeouts():
    pool = FrontPool("handshake-timeout = 1s\nlogin-timeout = 2s")
    try:
        silent, clear, tls = pool.connect("imaps"), imap_clear(pool), pool.client("pop3s")
        silent.settimeout(10)
        check(silent.recv(10) == b"")
        check(clear.rest() == b"* BYE No login for too long\r\n")
        check(tls.rest().endswith(b"-ERR [SYS/TEMP] No login for too long\r\n"))
    finally:
        pool.close()


def test_few_descriptors():
    pool = FrontPool(prefix=("prlimit", "--nofile=80:80"))
    try:
        conns = []
        for _ in range(40):
            conns.append(pool.connect("imap"))
        conns[0].recv(100)
        before = cpu_seconds(pool.fronts[0].pid)
        time.sleep(1.0)
        check(cpu_seconds(pool.fronts[0].pid) - before < 0.3, "spins without descriptors")
        for c in conns:
            c.close()
        check(logged_in(pool))
    finally:
        pool.close()


# ---- stop and drain ----

def test_stop_accept():
    pool = FrontPool()
    try:
        old = pool.fronts[0]
        c, other = logged_in(pool), imap_clear(pool)
        old.line.send("STOP_ACCEPT")
        pool.spawn()
        time.sleep(0.1)
        for _ in range(5):
            logged_in(pool).close()
        check(len(old.logins) == 1 and len(pool.fronts[1].logins) == 5, len(old.logins))
        before = cpu_seconds(old.pid)
        time.sleep(0.5)
        check(cpu_seconds(old.pid) - before < 0.2, "a draining front spins")
        check(c.ask(b"b NOOP") == b"b OK done" and other.ask(b"c NOOP") == b"c OK Done")
        c.close()
        other.close()
        check(old.exited.wait(10) and pool.exits[1] == 0)
    finally:
        pool.close()


def test_stop():
    for how in ("STOP", "end-of-file"):
        pool = FrontPool()
        try:
            c, clear, tls, silent = logged_in(pool), imap_clear(pool), pool.client("pop3s"), pool.connect("imaps")
            tls.line()
            pool.client("imaps").line()  # so the silent one was accepted, too
            if how == "STOP":
                pool.fronts[0].line.send("STOP")
            else:
                pool.fronts[0].line.sock.shutdown(socket.SHUT_RDWR)
            check(clear.rest().startswith(b"* BYE") and tls.rest().startswith(b"-ERR [SYS/TEMP]"), how)
            silent.recv(1)
            check(c.ask(b"b NOOP") == b"b OK done")
            check(c.ask(b"c LOGOUT") == b"* BYE")
            check(pool.fronts[0].exited.wait(10) and pool.exits[1] == 0, how, pool.exits)
        finally:
            pool.close()


# ---- secrets and the sandbox ----

def memory_holds(pid, needle):
    found = []
    with open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in open("/proc/%d/maps" % pid):
            span, mode = line.split()[:2]
            if "r" not in mode or "[v" in line:
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(begin)
                while begin < end:
                    chunk = mem.read(min(end - begin, 1 << 24))
                    if not chunk:
                        break
                    if needle in chunk:
                        found.append(line.strip())
                    begin += len(chunk)
            except (OSError, OverflowError, ValueError):
                continue
    return found


def test_no_password_in_memory(pool):
    if os.geteuid() != 0 or "asan" in os.environ.get("B", ""):  # shadow memory is too large to search
        return
    check(memory_holds(pool.fronts[0].pid, b"restante ready"), "the search finds nothing at all")
    secret, wrong = b"Zx9-unlikely-Secret", b"Qy7-unlikely-Secret"
    plain = base64.b64encode(b"\0alice\0" + secret)
    right = lambda channel, login: (channel.credentials(), channel.verdict("OK"), list(channel.lines()))
    pool.session = right
    live = []
    try:
        for how in ("login", "quoted", "literal", "sasl", "initial", "pop3", "split", "pipelined", "tls12"):
            context = pool.context(maximum_version=ssl.TLSVersion.TLSv1_2) if how == "tls12" else pool.context()
            c = Client(pool.tls("pop3s" if how == "pop3" else "imaps", context=context))
            c.line()
            if how in ("login", "tls12"):
                answer = c.ask(b"a LOGIN alice " + secret)
            elif how == "quoted":
                answer = c.ask(b'a LOGIN alice "%s"' % secret)
            elif how == "literal":
                c.ask(b"a LOGIN {5}")
                c.ask(b"alice {%d}" % len(secret))
                answer = c.ask(secret)
            elif how == "sasl":
                c.ask(b"a AUTHENTICATE PLAIN")
                answer = c.ask(plain)
            elif how == "initial":
                answer = c.ask(b"a AUTHENTICATE PLAIN " + plain)
            elif how == "pop3":
                c.ask(b"USER alice")
                answer = c.ask(b"PASS " + secret)
            elif how == "split":
                for byte in b"a LOGIN alice " + secret:
                    c.send(bytes([byte]))
                answer = c.ask(b"")
            else:
                c.send(b"x NOOP\r\n" * 30 + b"a LOGIN alice " + secret + b"\r\nb LOGIN alice " + secret + b"\r\nc NOOP\r\n")
                for _ in range(30):
                    c.line()
                answer = c.line()
                live.append(c)
                check(b"OK" in answer)
                continue  # what follows the login belongs to the session
            check(b"OK" in answer, how, answer)
            live.append(c)
            for needle in (secret, plain):
                check(not memory_holds(pool.fronts[0].pid, needle), how, memory_holds(pool.fronts[0].pid, needle))
        pool.session = default_session
        c = pool.client("imaps")
        c.line()
        check(c.ask(b"a LOGIN alice " + wrong).startswith(b"a NO"))
        check(not memory_holds(pool.fronts[0].pid, wrong), "after a failed login")
        check(c.ask(b"b NOOP").startswith(b"b OK"))
    finally:
        pool.session = default_session


def test_sandbox(pool):
    pid = pool.fronts[0].pid
    status = open("/proc/%d/status" % pid).read()
    check(re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status), status)
    if os.geteuid() == 0:
        check(re.search(r"Uid:\s+65534\s+65534\s+65534", status) and re.search(r"Groups:\s*\n", status), status)
        check(re.search(r"CapEff:\s+0+\n", status), status)
        check(os.readlink("/proc/%d/root" % pid) == pool.path("empty"))


def test_idle_memory():
    if "asan" in os.environ.get("B", ""):
        return
    pool = FrontPool("max-connections-per-address = 1000")
    try:
        read = lambda: int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pool.fronts[0].pid).read()).group(1))
        held = [logged_in(pool) for _ in range(50)]
        before = read()
        held += [logged_in(pool) for _ in range(150)]
        cost = (read() - before) / 150
        print("an idle connection costs a front %.1f KiB" % cost)
        check(cost < 60, cost, len(held))
    finally:
        pool.close()


# ---- configuration ----

def test_problems():
    pool = FrontPool()
    try:
        os.mkdir(pool.path("weak"))
        openssl = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
        openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-subj", "/CN=weak", "-keyout", pool.path("weak/server.key"), "-out",
                pool.path("weak/server.pem"))
        pool.certify("other.example", prefix="other")
        pool.certify("late.example", prefix="late", arguments=("--days", "-3"))
        openssl("pkey", "-in", pool.path("server.key"), "-aes256", "-passout", "pass:x", "-out", pool.path("locked.key"))
        with open(pool.path("turned.pem"), "w") as f:
            parts = open(pool.path("server.pem")).read().split("-----BEGIN")
            f.write("-----BEGIN" + parts[2] + "-----BEGIN" + parts[1] + open(pool.path("other/server.pem")).read())
        conf = "[front]\nuser = nobody\nchroot = %s\n" % pool.path("empty")
        section = lambda name, certificate, key: "[tls%s]\ncertificate = %s\nprivate-key = %s\n" % (
            name, pool.path(certificate), pool.path(key))
        conf += section("", "server.pem", "other/server.key") + section(" a.example", "missing.pem", "server.key") + \
            section(" b.example", "weak/server.pem", "weak/server.key") + section(" c.example", "server.pem", "locked.key") + \
            section(" d.example", "turned.pem", "server.key") + section(" e.example", "server.key", "ca.pem") + \
            section(" f.example", "late/server.pem", "late/server.key")
        with open(pool.path("test.conf"), "w") as f:
            f.write(conf)
        run = subprocess.run([FRONT, "-t", pool.path("test.conf")], capture_output=True, text=True)
        check(run.returncode == 1, run)
        for want in (r"conf:\d+: .*other/server.key: this key does not belong", r"missing.pem: cannot be opened: No such file",
                     r"weak/server.pem: a key of 1024 bits is too weak", r"locked.key: the key is encrypted", r"turned.pem: certificate \d was not issued",
                     r"server.key: there is no certificate", r"ca.pem: there is no private key"):
            check(re.search(want, run.stdout), want, run.stdout)
        check("late" not in run.stdout and "late/server.pem: the certificate has expired" in run.stderr, run)
        good = section("", "server.pem", "server.key") + "[front]\nuser = nobody\nchroot = %s\n" % pool.path("empty")
        with open(pool.path("test.conf"), "w") as f:
            f.write(good)
        run = subprocess.run([FRONT, "-t", pool.path("test.conf")], capture_output=True, text=True)
        check(run.returncode == 0 and not run.stdout, run)
    finally:
        pool.close()


def main():
    tests = [(name, f) for name, f in globals().items() if name.startswith("test_")]
    passed = failed = 0
    shared = None
    for name, test in tests:
        if sys.argv[1:] not in ([], ["-v"]) and name not in sys.argv[1:]:
            continue
        if "-v" in sys.argv[1:]:
            print(name, flush=True)
        try:
            if test.__code__.co_argcount:
                if shared is None or shared.process.poll() is not None or name in ("test_refusals_in_the_clear", "test_log_is_limited"):
                    if shared:
                        shared.close()
                    shared = FrontPool("max-connections-per-address = 200")
                test(shared)
                check(shared.fronts[0].slot not in shared.exits, "the front died", shared.exits)
            else:
                test()
            passed += 1
        except Exception:
            failed += 1
            print("FAILED", name)
            traceback.print_exc(file=sys.stdout)
            if shared:
                print("   ", shared.exits, shared.logs[-5:])
                shared.close()
                shared = None
    if shared:
        shared.close()
    print("test_front: %d passed, %d failed" % (passed, failed))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
