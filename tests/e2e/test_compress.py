"""COMPRESS=DEFLATE (RFC 4978) over TLS, with Python's zlib as the client."""
import os
import re
import shutil
import signal
import time
import zlib

import harness
from harness import SAMPLES, Server, check, crlf, equal, recv_all, recv_line, run, wait_for
from test_ctl import login


class Client:
    """A connection that may be compressed. raw counts what came over TLS."""

    def __init__(self, server, user="alice", password="correct horse"):
        self.socket, answer = login(server, user, password)
        check(b" OK " in answer, "login", answer)
        check(b"COMPRESS=DEFLATE" in answer, "the capability", answer)
        self.deflate = self.inflate = None
        self.waiting, self.raw = b"", 0

    def send(self, data, flush=zlib.Z_SYNC_FLUSH):
        self.socket.sendall(self.deflate.compress(data) + self.deflate.flush(flush) if self.deflate else data)

    def read(self):
        data = self.socket.recv(65536)
        self.raw += len(data)
        check(data, "the connection is open")
        self.waiting += self.inflate.decompress(data) if self.inflate else data

    def line(self):
        while b"\n" not in self.waiting:
            self.read()
        line, self.waiting = self.waiting.split(b"\n", 1)
        return line + b"\n"

    def until(self, tag):
        lines = []
        while not lines or not lines[-1].startswith(tag + b" "):
            lines.append(self.line())
            literal = re.search(rb"\{(\d+)\}\r\n$", lines[-1])
            if literal:
                while len(self.waiting) < int(literal[1]):
                    self.read()
                lines.append(self.waiting[:int(literal[1])])
                self.waiting = self.waiting[int(literal[1]):]
        return lines

    def ask(self, command, tag=b"x"):
        self.send(tag + b" " + command + b"\r\n")
        return self.until(tag)

    def compress(self, **kwargs):
        equal(self.ask(b"COMPRESS DEFLATE")[-1], b"x OK DEFLATE active\r\n", "COMPRESS")
        equal(self.waiting, b"", "nothing behind the answer")
        self.deflate = zlib.compressobj(9, zlib.DEFLATED, -15, **kwargs)
        self.inflate = zlib.decompressobj(-15)
        return self

    def rest(self):
        return self.waiting + self.inflate.decompress(recv_all(self.socket))

    def close(self):
        self.socket.close()


def fronts(server):
    return server.processes()["restante-front" if "restante-front" in server.processes() else "front"]


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])


def fresh(machine, messages=SAMPLES, **kwargs):
    shutil.rmtree(machine.path("home", "alice", "Maildir"), ignore_errors=True)
    machine.maildir("alice", messages)
    return Server(machine, **kwargs)


def test_dialogue(machine):
    server = fresh(machine)
    plain = Client(server)
    plain.ask(b"SELECT INBOX")
    plain.ask(b"SELECT INBOX")  # nothing is recent now
    want = plain.ask(b"FETCH 1:* (UID FLAGS BODY.PEEK[])")
    packed = Client(server).compress()
    packed.ask(b"SELECT INBOX")
    packed.raw = 0
    equal(packed.ask(b"FETCH 1:* (UID FLAGS BODY.PEEK[])"), want, "the same answer")
    check(packed.raw * 10 < sum(map(len, want)), "in fewer bytes", packed.raw)
    literal = b"Subject: appended\r\n\r\n" + b"words, words\r\n" * 50000
    packed.send(b"y APPEND INBOX {%d}\r\n" % len(literal))
    equal(packed.line()[:2], b"+ ", "a continuation")
    packed.send(literal + b"\r\n")
    check(b" OK " in packed.until(b"y")[-1], "APPEND")
    got = packed.ask(b"UID FETCH 10 BODY.PEEK[]")
    equal(got[1], literal, "what was appended")
    for byte in b"z NOOP\r\n":  # each in a flush of its own
        packed.send(bytes([byte]))
    check(b"z OK" in packed.until(b"z")[-1], "byte by byte")
    packed.send(b"a NOOP\r\nb NOOP\r\nc LOGOUT\r\n")
    last = packed.rest()
    check(b"a OK" in last and b"b OK" in last and b"* BYE" in last and last.rstrip().endswith(b"c OK LOGOUT completed"), "pipelined", last)


def test_refusals(machine):
    server = fresh(machine)
    s = server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost")
    greeting = recv_line(s)
    check(b"COMPRESS" not in greeting, "no capability before login", greeting)
    s.sendall(b"a COMPRESS DEFLATE\r\n")
    check(recv_line(s).startswith(b"a BAD"), "before login")
    s.close()
    client = Client(server)
    for line, want in ((b"COMPRESS", b"x BAD"), (b"COMPRESS LZMA", b"x BAD"), (b"COMPRESS DEFLATE x", b"x BAD"), (b"COMPRESS  DEFLATE", b"x BAD")):
        check(client.ask(line)[-1].startswith(want), "refused", line)
    client.compress()
    equal(client.ask(b"COMPRESS DEFLATE")[-1], b"x NO [COMPRESSIONACTIVE] DEFLATE is active already\r\n", "a second one")
    check(client.ask(b"compress deflate")[-1].startswith(b"x NO [COMPRESSIONACTIVE]"), "in any case of letters")
    check(b"x OK" in client.ask(b"NOOP")[-1], "and it goes on")
    client.close()


def test_any_flush(machine):
    """Whatever blocks a client sends, with any pause between them."""
    server = fresh(machine)
    for kwargs in ({}, {"memLevel": 1}, {"strategy": zlib.Z_FIXED}, {"strategy": zlib.Z_HUFFMAN_ONLY}):
        client = Client(server).compress(**kwargs)
        for i, flush in enumerate((zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH)):
            if not kwargs:
                time.sleep(2.5)  # the front lets go of its memory
            tag = b"t%d" % i
            client.send(tag + b" NOOP\r\n", flush)
            check(b"OK" in client.until(tag)[-1], f"{kwargs}, flush {flush}")
        client.send(b"e LOGOUT\r\n", zlib.Z_FINISH)
        check(b"e OK" in client.rest(), "the end of the stream")


def test_idle(machine):
    """Untagged responses and the front's own word come compressed; also to a connection at rest."""
    server = fresh(machine, front={"keepalive": "3s"})
    client = Client(server).compress()
    client.ask(b"SELECT INBOX")
    client.send(b"i IDLE\r\n")
    equal(client.line()[:2], b"+ ", "IDLE")
    for _ in range(2):
        equal(client.line(), b"* OK Still here\r\n", "kept alive")
    machine.deliver(machine.path("home", "alice", "Maildir"), b"Subject: new\n\nx\n", 20001)
    equal(client.line(), b"* 10 EXISTS\r\n", "new mail")
    client.send(b"DONE\r\n")
    check(b"i OK" in client.until(b"i")[-1], "DONE")
    # DONE and the next command at once
    client.send(b"j IDLE\r\n")
    client.line()
    client.send(b"DONE\r\nk NOOP\r\n")
    check(b"k OK" in client.until(b"k")[-1], "behind IDLE")
    client.close()


def test_switch_behind_idle(machine):
    """COMPRESS right behind the end of IDLE, in one piece."""
    server = fresh(machine)
    client = Client(server)
    client.ask(b"SELECT INBOX")
    client.send(b"i IDLE\r\n")
    client.line()
    client.send(b"DONE\r\nx COMPRESS DEFLATE\r\n")
    check(client.until(b"x")[-1] == b"x OK DEFLATE active\r\n", "COMPRESS")
    client.deflate, client.inflate = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
    client.inflate.decompress(b"")
    check(b"OK" in client.ask(b"NOOP")[-1], "compressed")
    client.close()


def test_slow_reader(machine):
    """A client that does not read holds up nobody, and gets all of it in the end."""
    body = b"Subject: big\n\n" + os.urandom(6 << 20).hex().encode() + b"\n"
    server = fresh(machine, messages=[body])
    client = Client(server).compress()
    client.ask(b"SELECT INBOX")
    before = max(resident_kib(pid) for pid in fronts(server))
    client.send(b"f FETCH 1 BODY.PEEK[]\r\n")
    time.sleep(1)
    other = Client(server)
    check(b"OK" in other.ask(b"NOOP")[-1], "another connection")
    check(max(resident_kib(pid) for pid in fronts(server)) < before + 4096 or harness.SANITIZED, "memory while it waits")
    equal(client.until(b"f")[1], crlf(body), "all of it")
    client.close()


def test_bomb(machine):
    """200 MB in 200 kB: read no faster than the session takes it, in little memory; others go on."""
    server = fresh(machine)
    client = Client(server).compress()
    before = {pid: resident_kib(pid) for pid in fronts(server)}
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(bomb.compress(b"\0" * (1 << 20)) for _ in range(200)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    check(len(packed) < 300000, "a bomb", len(packed))
    started = time.monotonic()
    try:
        client.socket.sendall(packed)
    except OSError:
        pass  # closed already
    other = Client(server)
    check(b"OK" in other.ask(b"NOOP")[-1], "another connection")
    check(time.monotonic() - started < 5, "is served meanwhile")
    for pid in fronts(server):
        check(resident_kib(pid) < before.get(pid, 0) + 8192 or harness.SANITIZED, "memory", before, resident_kib(pid))
    client.close()


def test_rubbish(machine):
    server = fresh(machine)
    for junk in (b"a NOOP\r\n", b"\xff" * 100, zlib.compress(b"a NOOP\r\n"), b"\x03\x00a NOOP\r\n"):
        client = Client(server).compress()
        client.socket.sendall(junk)
        equal(recv_all(client.socket), b"", f"closed after {junk[:10]}")
    check(b"OK" in Client(server).ask(b"NOOP")[-1], "the server goes on")


def test_goodbye(machine):
    """What the server says at its end is compressed too."""
    server = fresh(machine)
    client = Client(server).compress()
    client.ask(b"SELECT INBOX")
    server.ctl("kick", "alice")
    check(b"* BYE" in client.rest(), "of kick")
    client = Client(server).compress()
    server.process.send_signal(signal.SIGTERM)
    check(b"* BYE" in client.rest(), "of a stop")


def bytes_of(server):
    """What sessions wrote, and what of it came to the clients."""
    sent = {row["counter"]: row["value"] for row in server.status()["counters"]}["bytes-to-clients"]
    written = sum(map(int, re.findall(r"closed: .* out=(\d+)", server.log_text())))
    return written, sent


def test_offlineimap(machine):
    """A real client that compresses: imaplib2, by offlineimap. Two ways, and a second run that moves nothing."""
    messages = SAMPLES[:5] + [b"Subject: number %d\n\n" % i + b"the same words again\n" * 200 for i in range(200)]
    server = fresh(machine, messages=messages)
    home = machine.path("offlineimap")
    shutil.rmtree(home, ignore_errors=True)
    os.makedirs(home)
    with open(home + "/rc", "w") as f:
        f.write(f"""[general]
accounts = a
metadata = {home}/meta
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = {home}/mail
[Repository r]
type = IMAP
remotehost = localhost
remoteport = {server.ports['imaps']}
remoteuser = alice
remotepass = correct horse
ssl = yes
sslcacertfile = {machine.ca}
usecompression = yes
""")
    run("offlineimap", "-c", home + "/rc", "-o", "-u", "basic", timeout=120)
    local = home + "/mail/INBOX"
    equal(sum(len(os.listdir(f"{local}/{d}")) for d in ("cur", "new")), len(messages), "messages fetched")
    wait_for(lambda: "closed: user=alice" in server.log_text(), "the log line of the end")
    written, sent = bytes_of(server)
    check(sent * 3 < written, "it came compressed", sent, written)
    with open(local + "/new/1700009999.x:2,", "wb") as f:
        f.write(b"Subject: from here\n\n" + b"up\n" * 5000)
    run("offlineimap", "-c", home + "/rc", "-o", "-u", "basic", timeout=120)
    remote = machine.path("home", "alice", "Maildir")
    equal(sum(b"Subject: from here" in open(f"{remote}/cur/{name}", "rb").read() for name in os.listdir(remote + "/cur")), 1, "one sent up")


def test_memory_of_quiet_connections(machine):
    """Compressed connections that are quiet cost what others cost, give or take 10 kB each; at work it is some 60 more."""
    n = 100

    def cost(compress):
        server = fresh(machine, front={"processes": "1", "max-connections-per-address": "2000"}, session={"max-connections-per-user": "1000"})
        [front] = fronts(server)
        clients = [Client(server).compress() for _ in range(3)]  # what only the first ones cost
        time.sleep(3)
        before = resident_kib(front)
        for _ in range(n):
            clients.append(Client(server))
            if compress:
                clients[-1].compress()
            clients[-1].ask(b"SELECT INBOX")
        time.sleep(3)
        quiet = resident_kib(front) - before
        for client in clients:  # all at once: none is at rest
            client.ask(b"NOOP")
        busy = resident_kib(front) - before
        for client in clients:
            client.close()
        server.stop()
        return quiet, busy
    plain, _ = cost(False)
    quiet, busy = cost(True)
    print(f"     KiB of the front for {n} connections: plain {plain}, compressed and quiet {quiet}, at work {busy}")
    check(quiet < plain + 10 * n or harness.SANITIZED, "memory of quiet ones", plain, quiet)
    check(busy > quiet + 40 * n, "which was really given back", busy, quiet)


TESTS = [test_dialogue, test_offlineimap, test_refusals, test_any_flush, test_idle, test_switch_behind_idle, test_slow_reader, test_bomb, test_rubbish,
         test_goodbye, test_memory_of_quiet_connections]
if __name__ == "__main__":
    harness.main("compress", TESTS)
