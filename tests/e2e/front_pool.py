"""A master made of Python: runs `restante-front --pool` with its frames, and answers logins by a script of the test."""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
FRONT = os.path.join(BUILD, "restante-front")
SERVICES = ("imaps", "imap", "pop3s", "pop3")
SLOT_BYTES, SLOTS, FRONTS, TABLE_BYTES = 4096, 65536, 128, 16384


def read_enum(path, name, prefix):
    text = open(os.path.join(ROOT, path)).read()
    body = re.search(r"enum %s \{(.*?)\n\};" % name, text, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    return {n[len(prefix):]: i for i, n in enumerate(re.findall(r"\b%s\w+" % prefix, body))}


KIND = read_enum("server/ipc/frames.h", "frame_kind", "FRAME_")
NAME = {v: k for k, v in KIND.items()}
CHANNEL = read_enum("server/ipc/channel.h", "channel_kind", "CHANNEL_")
VERDICT = read_enum("base/verdict.h", "verdict", "VERDICT_")
COUNTER = read_enum("server/ipc/status.h", "status_counter", "STATUS_")


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return struct.pack("!H", len(s)) + s


class Frame:
    def __init__(self, packet, fds):
        self.kind, self.body, self.fds = NAME.get(packet[0], "?"), packet[1:], fds

    def number(self, code):
        n = struct.calcsize("!" + code)
        value, = struct.unpack("!" + code, self.body[:n])
        self.body = self.body[n:]
        return value

    def text(self):
        n = self.number("H")
        value, self.body = self.body[:n], self.body[n:]
        return value


class Line:
    """One end of a SEQPACKET line."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, kind, body=b"", fds=()):
        packet = bytes([KIND[kind]]) + body
        if fds:
            socket.send_fds(self.sock, [packet], list(fds))
        else:
            self.sock.send(packet)

    def receive(self):
        packet, fds, _, _ = socket.recv_fds(self.sock, 16 * 1024, 32)
        return Frame(packet, list(fds)) if packet else None


def make_line():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


class Channel:
    """The session's (or worker's) end of a connection."""

    def __init__(self, fd):
        self.sock = socket.socket(fileno=fd)
        self.sock.setblocking(True)
        self.held = b""

    def frame(self, kind, payload=b""):
        self.sock.sendall(struct.pack("!I", CHANNEL[kind] << 24 | len(payload)) + payload)

    def data(self, payload):
        for at in range(0, len(payload), 65536):
            self.frame("DATA", payload[at:at + 65536])

    def verdict(self, verdict, words=b"", delay=0.0):
        self.frame("VERDICT", bytes([VERDICT[verdict]]) + struct.pack("!Q", int(delay * 1e6)) + words)

    def read(self):
        """The next frame, or None at the end."""
        while True:
            if len(self.held) >= 4:
                head, = struct.unpack("!I", self.held[:4])
                n = head & 0xFFFFFF
                if len(self.held) >= 4 + n:
                    payload, self.held = self.held[4:4 + n], self.held[4 + n:]
                    return [k for k, v in CHANNEL.items() if v == head >> 24][0], payload
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                return None
            if not more:
                return None
            self.held += more

    def credentials(self):
        kind, payload = self.read()
        assert kind == "CREDENTIALS", kind
        f = Frame(b"\0" + payload[1:], [])
        return f.text(), f.text(), f.text()

    def lines(self):
        """The client's lines, CRLF left out, until its end."""
        held = b""
        while True:
            while b"\n" in held:
                line, held = held.split(b"\n", 1)
                yield line.rstrip(b"\r")
            frame = self.read()
            if frame is None:
                return
            if frame[0] == "TIMEOUT":
                yield frame[0]
            else:
                held += frame[1]

    def close(self):
        self.sock.close()


def default_session(channel, login):
    """Password "right" is right. Then: NOOP, LOGOUT or QUIT, BIG n (n bytes), COUNT n (reads n bytes, tells their sum)."""
    _, user, password = channel.credentials()
    if password != b"right":
        channel.verdict("AUTHENTICATION_FAILED")
        return channel.close()
    channel.verdict("OK", b"[CAPABILITY IMAP4rev1] Welcome " + user)
    for line in channel.lines():
        words = line.split()
        if words[-1:] in ([b"LOGOUT"], [b"QUIT"]):
            channel.data(b"* BYE\r\n" + words[0] + b" OK bye\r\n")
            channel.frame("CLOSE")
            break
        if words[1:2] == [b"BIG"]:
            channel.data(b"x" * int(words[2]) + b"\r\n")
        else:
            channel.data(words[0] + b" OK done\r\n" if words else b"BAD\r\n")
    channel.close()


class FrontProcess:
    def __init__(self, pool, slot, line):
        self.pool, self.slot, self.line, self.pid, self.status = pool, slot, line, None, None
        self.ready, self.exited = threading.Event(), threading.Event()
        self.logins, self.cancelled = [], []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                frame = self.line.receive()
            except OSError:
                frame = None
            if frame is None:
                return
            if frame.kind == "READY":
                self.ready.set()
            elif frame.kind == "LOG":
                self.pool.add_log(frame)
            elif frame.kind == "CANCEL":
                self.cancelled.append(frame.number("Q"))
            elif frame.kind == "LOGIN":
                login = {"id": frame.number("Q"), "service": SERVICES[frame.number("B")], "front": self}
                frame.number("B"), frame.text(), frame.number("H")
                login["version"], login["cipher"] = frame.text().decode(), frame.text().decode()
                self.logins.append(login)
                threading.Thread(target=self.pool.serve, args=(Channel(frame.fds[0]), login), daemon=True).start()

    def counter(self, name):
        at = self.slot * SLOT_BYTES + 8 * COUNTER[name]
        return struct.unpack("=Q", os.pread(self.pool.status_fd, 8, at))[0]


class FrontPool:
    """A pool with its own directory, certificates and listening sockets; as root its fronts are in a chroot."""

    def __init__(self, front="", tls=None, session=default_session, fronts=1, keys=True, prefix=()):
        self.directory = tempfile.mkdtemp(prefix="restante-front-")
        os.chmod(self.directory, 0o755)
        os.mkdir(os.path.join(self.directory, "empty"), 0o755)
        self.session, self.logs, self.problems, self.certificates = session, [], [], []
        self.fronts, self.exits = [], {}
        self.certify("mail.example.org", "127.0.0.1")
        self.config = tls(self) if tls else self.tls_section("", ("server", "server-rsa"))
        self.config += "[front]\nuser = nobody\nchroot = %s/empty\n%s\n[auth]\nfailure-delay = 1s\n" % (self.directory, front)
        self.status_fd = os.memfd_create("status")
        os.ftruncate(self.status_fd, SLOTS * SLOT_BYTES + (FRONTS + 1) * TABLE_BYTES)
        os.pwrite(self.status_fd, os.urandom(16), 0)
        self.listeners = [socket.create_server(("127.0.0.1", 0), backlog=1000) for _ in SERVICES]
        for s in self.listeners:
            s.setblocking(False)
        self.ports = {s: l.getsockname()[1] for s, l in zip(SERVICES, self.listeners)}
        self.keys = [os.urandom(80)] if keys else []
        self.start(prefix)
        for _ in range(fronts):
            self.spawn()

    # ---- setting up ----

    def certify(self, *names, prefix="", arguments=()):
        to = os.path.join(self.directory, prefix)
        os.makedirs(to, exist_ok=True)
        subprocess.run([FRONT, "--make-certificates", to, *names, *arguments], check=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def tls_section(self, name, files):
        return "[tls%s]\ncertificate = %s\nprivate-key = %s\n" % (
            " " + name if name else "", ", ".join(self.path(f + ".pem") for f in files), ", ".join(self.path(f + ".key") for f in files))

    def start(self, prefix):
        ours, theirs = make_line()
        self.process = subprocess.Popen([*prefix, FRONT, "--pool", str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        self.line = Line(ours)
        self.taken = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        memfd = os.memfd_create("conf")
        os.write(memfd, self.config.encode())
        self.line.send("CONFIG", struct.pack("!Q", 1) + text("test.conf"), [memfd])
        os.close(memfd)
        if not self.taken.wait(30) or self.problems:
            raise RuntimeError("configuration not taken: %r" % self.problems)
        self.line.send("LISTENERS", text(bytes(range(len(SERVICES)))), [l.fileno() for l in self.listeners])
        if self.keys:
            self.line.send("TICKET_KEYS", text(b"".join(self.keys)))

    def spawn(self):
        ours, theirs = make_line()
        front = FrontProcess(self, len(self.fronts) + 1, Line(ours))
        self.fronts.append(front)
        self.line.send("SPAWN", struct.pack("!II", front.slot, 0), [theirs.fileno(), self.status_fd])
        theirs.close()
        if not front.ready.wait(30):
            raise RuntimeError("front not ready: %r" % (self.logs,))
        return front

    def run(self):
        while True:
            try:
                frame = self.line.receive()
            except OSError:
                frame = None
            if frame is None:
                return
            if frame.kind == "PROBLEM":
                self.problems.append(frame.text().decode())
            elif frame.kind in ("READY", "CONFIG_BAD"):
                self.taken.set()
            elif frame.kind == "CERTIFICATE":
                self.certificates.append((frame.text().decode(), frame.text().decode(), frame.text().decode(), frame.text().decode(),
                                          frame.number("Q")))
            elif frame.kind == "LOG":
                self.add_log(frame)
            elif frame.kind == "SPAWNED":
                slot, pid = frame.number("I"), frame.number("I")
                self.fronts[slot - 1].pid = pid
            elif frame.kind == "EXITED":
                slot, _, status = frame.number("I"), frame.number("I"), frame.number("I")
                self.exits[slot] = status
                self.fronts[slot - 1].exited.set()

    def add_log(self, frame):
        frame.number("B")
        self.logs.append(frame.text().decode())

    def serve(self, channel, login):
        try:
            self.session(channel, login)
        except (OSError, ValueError):
            channel.close()

    # ---- being a client ----

    def connect(self, service):
        s = socket.create_connection(("127.0.0.1", self.ports[service]), timeout=30)
        return s

    def context(self, **options):
        c = ssl.create_default_context(cafile=self.path("ca.pem"))
        c.check_hostname = False
        for name, value in options.items():
            setattr(c, name, value)
        return c

    def tls(self, service, name=None, context=None, session=None):
        return (context or self.context()).wrap_socket(self.connect(service), server_hostname=name, session=session)

    def client(self, service):
        return Client(self.tls(service))

    def close(self):
        for line in [self.line] + [f.line for f in self.fronts]:
            try:  # close() alone would not end what a thread still reads from
                line.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            line.sock.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for l in self.listeners:
            l.close()
        os.close(self.status_fd)
        shutil.rmtree(self.directory)


class Client:
    """Lines over a socket."""

    def __init__(self, sock):
        self.sock, self.held = sock, b""

    def send(self, data):
        self.sock.sendall(data)

    def fill(self):
        try:
            more = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            more = b""
        self.held += more
        return more

    def line(self):
        while b"\n" not in self.held:
            if not self.fill():
                raise EOFError(self.held)
        line, self.held = self.held.split(b"\n", 1)
        return line.rstrip(b"\r")

    def rest(self):
        while self.fill():
            pass
        rest, self.held = self.held, b""
        return rest

    def ask(self, data):
        self.send(data + b"\r\n")
        return self.line()

    def close(self):
        self.sock.close()
