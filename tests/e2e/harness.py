"""Frame of the e2e tests: a private machine (mount namespace with users of its own), a real restanted, and checks.

A test file is a program: it calls main(NAME, TESTS) with functions that take a Machine. As root the program
starts itself again in a mount namespace of its own, in which /etc/passwd, shadow, group and pam.d are copies
with the test users: real pam_unix accounts, and nothing of the machine is touched.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
SANITIZED = "asan" in os.environ.get("B", "")
SERVICES = ("imaps", "imap", "pop3s", "pop3")
USERS = {  # name: (uid, password, shell)
    "alice": (20001, "correct horse"),
    "bob": (20002, 'b"o\\b pass'),
    "carol": (20003, "carol-secret-7"),
    "hanako": (20004, "パスワード"),
    "expired": (20005, "expired-pass"),
    "locked": (20006, "locked-pass"),
}
FRONT_UID = 20900
VMAIL_UID = 20901


class Failed(Exception):
    pass


def check(condition, text, *details):
    if not condition:
        raise Failed(text + "".join("\n    " + repr(d)[:2000] for d in details))


def equal(got, want, text=""):
    check(got == want, f"{text}: got {got!r:.1500}, want {want!r:.1500}")


def wait_for(probe, text, seconds=60.0, interval=0.05):
    """Poll until probe() is true; its value is returned. The bound is for hangs only, no test measures time."""
    if SANITIZED:
        seconds *= 3
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("timed out waiting for " + text)
        time.sleep(interval)


def run(*args, timeout=60, check_status=True, **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    if "input" in kwargs:
        kwargs.pop("stdin")
    done = subprocess.run(args, capture_output=True, timeout=timeout, **kwargs)
    if check_status and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout.decode(errors='replace')[-3000:]}"
                     f"\n{done.stderr.decode(errors='replace')[-3000:]}")
    return done


given_ports = set()


def free_port():
    """A port nobody listens on, never the same one twice in a program."""
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in given_ports:
            given_ports.add(port)
            return port


def own_namespace():
    if os.geteuid() != 0 or os.environ.get("RESTANTE_E2E_NAMESPACE"):
        return
    os.environ["RESTANTE_E2E_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])


def hash_password(password):
    return run("openssl", "passwd", "-6", "-stdin", input=password.encode() + b"\n").stdout.decode().strip()


class Machine:
    """Users, PAM files, certificates and Maildirs of one test program, all under one temporary directory."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="restante-e2e.")
        os.chmod(self.dir, 0o755)
        self.servers = []
        self.cleanups = []  # called after each test
        self.log_number = 0
        for d in ("etc", "home", "certs", "vmail", "run"):
            os.makedirs(self.path(d))
        os.chmod(self.path("run"), 0o755)
        os.chown(self.path("vmail"), VMAIL_UID, VMAIL_UID)
        self.make_accounts()
        self.make_certificates("certs")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def make_accounts(self):
        passwd = open("/etc/passwd").read()
        group = open("/etc/group").read()
        shadow = open("/etc/shadow").read()
        passwd += f"restante-e2e:x:{FRONT_UID}:{FRONT_UID}::/nonexistent:/usr/sbin/nologin\n"
        passwd += f"vmail-e2e:x:{VMAIL_UID}:{VMAIL_UID}::{self.path('vmail')}:/usr/sbin/nologin\n"
        group += f"restante-e2e:x:{FRONT_UID}:\nvmail-e2e:x:{VMAIL_UID}:\nmailers:x:20950:alice\n"
        for name, (uid, password) in USERS.items():
            home = self.path("home", name)
            passwd += f"{name}:x:{uid}:{uid}:{name}:{home}:/bin/sh\n"
            group += f"{name}:x:{uid}:\n"
            hashed = hash_password(password)
            expire = "1" if name == "expired" else ""
            shadow += f"{name}:{'!' if name == 'locked' else ''}{hashed}:19000:0:99999:7::{expire}:\n"
            os.makedirs(home, mode=0o700)
            os.chown(home, uid, uid)
        for name, text, mode in (("passwd", passwd, 0o644), ("group", group, 0o644), ("shadow", shadow, 0o640)):
            path = self.path("etc", name)
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, mode)
            run("mount", "--bind", path, "/etc/" + name)
        shutil.copytree("/etc/pam.d", self.path("etc", "pam.d"))
        run("mount", "--bind", self.path("etc", "pam.d"), "/etc/pam.d")
        self.pam_service("restante-e2e", "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_permit.so\n")

    def pam_service(self, name, text):
        with open("/etc/pam.d/" + name, "w") as f:
            f.write(text)

    def make_certificates(self, directory, *names, extra=()):
        path = self.path(directory)
        os.makedirs(path, exist_ok=True)
        names = names or ("localhost", "127.0.0.1", "mail.example.org")
        run(os.path.join(BUILD, "restante-front"), "--make-certificates", path, *names, *extra)
        return path

    @property
    def ca(self):
        return self.path("certs", "ca.pem")

    def maildir(self, user, messages=(), uid=None, path=None):
        """Fill a user's Maildir; messages are bytes as they lie on disk. Returns the file names, in order."""
        path = path or self.path("home", user, "Maildir")
        uid = USERS[user][0] if uid is None else uid
        names = []
        for d in ("", "cur", "new", "tmp"):
            os.makedirs(os.path.join(path, d), mode=0o700, exist_ok=True)
            os.chown(os.path.join(path, d), uid, uid)
        for number, message in enumerate(messages):
            names.append(self.deliver(path, message, uid, number))
        return names

    def deliver(self, path, message, uid, number=0):
        self.log_number += 1
        name = f"{1700000000 + number}.M{self.log_number}P{os.getpid()}.e2e"
        tmp = os.path.join(path, "tmp", name)
        with open(tmp, "wb") as f:
            f.write(message)
        os.chown(tmp, uid, uid)
        os.rename(tmp, os.path.join(path, "new", name))
        return name

    def close(self):
        for server in self.servers:
            with contextlib.suppress(Exception):
                server.kill()
        for name in ("passwd", "group", "shadow", "pam.d"):
            subprocess.run(["umount", "/etc/" + name], capture_output=True)
        if os.environ.get("RESTANTE_E2E_KEEP"):
            print("kept", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Server:
    """A running restanted with its configuration, ports and log."""

    def __init__(self, machine, listen=True, start=True, config=None, args=None, env=None, **sections):
        self.machine = machine
        machine.servers.append(self)
        machine.log_number += 1
        self.name = f"server{machine.log_number}"
        self.ports = {s: free_port() for s in SERVICES}
        self.settings = {
            "listen": {s: f"127.0.0.1:{self.ports[s]}" for s in SERVICES} if listen else {},
            "tls": {"certificate": machine.path("certs", "server.pem"), "private-key": machine.path("certs", "server.key")},
            "front": {"user": "restante-e2e", "chroot": machine.path("run", self.name + "-empty"), "processes": "2"},
            "auth": {"pam-service": "restante-e2e", "failure-delay": "0.2s", "address-failures": "100000",
                     "account-failures": "100000"},
            "mail": {"path": "~/Maildir"},
            "session": {},
            "log": {"target": "stderr"},
            "control": {"socket": machine.path("run", self.name + ".sock")},
        }
        for section, keys in sections.items():
            self.settings.setdefault(section, {}).update(keys)
        self.config = machine.path(self.name + ".conf")
        self.log_path = machine.path(self.name + ".log")
        self.notify_path = machine.path(self.name + ".notify")
        self.notifications = []
        self.process = None
        self.args = args
        self.ca = machine.ca
        self.env = env or {}
        self.write_config(config)
        if start:
            self.start()

    def write_config(self, text=None):
        if text is None:
            text = ""
            for section, keys in self.settings.items():
                text += f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None) + "\n"
        with open(self.config, "w") as f:
            f.write(text)

    def start(self, wait=True):
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.notify_path)
        self.notify.bind(self.notify_path)
        self.notifications = []
        # As systemd does: always read, for the kernel keeps only a few of them.
        threading.Thread(target=self.collect_notifications, args=(self.notify, self.notifications), daemon=True).start()
        self.log = open(self.log_path, "ab")
        args = self.args or [os.path.join(BUILD, "restanted"), "-c", self.config]
        env = {**os.environ, "NOTIFY_SOCKET": self.notify_path, **self.env}
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env,
                                        start_new_session=True)
        if wait:
            self.wait_notified("READY=1")

    @staticmethod
    def collect_notifications(notify, notifications):
        with contextlib.suppress(OSError):
            while True:
                notifications += notify.recv(65536).decode().split("\n")

    def read_notifications(self):
        return self.notifications

    def wait_notified(self, text):
        def probe():
            if self.process.poll() is not None:
                raise Failed(f"restanted ended with {self.process.returncode}\n{self.log_text()[-4000:]}")
            return text in self.read_notifications()
        try:
            wait_for(probe, text + " from restanted")
        except Failed as e:
            raise Failed(f"{e}\n{self.log_text()[-4000:]}") from None

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def wait_log(self, pattern, seconds=60):
        return wait_for(lambda: re.search(pattern, self.log_text()), f"log line {pattern!r} in\n{self.log_text()[-3000:]}", seconds)

    def ctl(self, *args, check_status=True):
        done = run(os.path.join(BUILD, "restantectl"), "-s", self.settings["control"]["socket"], *args, check_status=check_status)
        return done

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def who(self):
        return json.loads(self.ctl("who", "--json").stdout)

    def descendants(self):
        """All processes below the master: list of (pid, comm, cmdline)."""
        children = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                stat = open(f"/proc/{pid}/stat").read()
                parent = int(stat.rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(pid))
        found, todo = [], [self.process.pid]
        while todo:
            for pid in children.get(todo.pop(), []):
                todo.append(pid)
                with contextlib.suppress(OSError):
                    cmdline = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
                    found.append((pid, os.path.basename(os.readlink(f"/proc/{pid}/exe")), cmdline))
        return found

    def processes(self):
        """Pids by role: {"front pool": [...], "front": [...], ...}, told apart by parenthood."""
        roles = {"restante-front": "front", "restante-auth": "auth worker", "restante-session": "session"}
        found = self.descendants()
        exes = {pid: exe for pid, exe, _ in found}
        result = {}
        for pid, exe, _ in found:
            if exe not in roles:
                continue
            is_pool = self.is_pool(pid, exes)
            name = {"auth worker": "auth"}.get(roles[exe], roles[exe]) + " pool" if is_pool else roles[exe]
            result.setdefault(name, []).append(pid)
        return result

    def is_pool(self, pid, exes):
        """A pool blocks SIGCHLD and reads it from a descriptor; a child does not."""
        with contextlib.suppress(OSError):
            blocked = re.search(r"SigBlk:\s*(\w+)", open(f"/proc/{pid}/status").read())
            return bool(int(blocked.group(1), 16) & 1 << (signal.SIGCHLD - 1))
        return False

    # Clients

    def tls(self, **kwargs):
        context = ssl.create_default_context(cafile=kwargs.pop("ca", self.ca))
        for key, value in kwargs.items():
            setattr(context, key, value)
        return context

    def connect(self, service):
        s = socket.create_connection(("127.0.0.1", self.ports[service]), timeout=60)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def imap(self, user=None, service="imaps", **kwargs):
        import imaplib
        if service == "imaps":
            m = imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.tls(**kwargs))
        else:
            m = imaplib.IMAP4("localhost", self.ports["imap"])
            m.starttls(self.tls(**kwargs))
        if user:
            imap_login(m, user, self.password(user))
        return m

    def pop3(self, user=None, service="pop3s", **kwargs):
        import poplib
        poplib._MAXLINE = 1 << 22
        if service == "pop3s":
            p = poplib.POP3_SSL("localhost", self.ports["pop3s"], context=self.tls(**kwargs), timeout=60)
        else:
            p = poplib.POP3("localhost", self.ports["pop3"], timeout=60)
            p.stls(self.tls(**kwargs))
        if user:
            p.user(user)
            p.pass_(self.password(user))
        return p

    def password(self, user):
        return USERS[user][1]

    def stop(self):
        """SIGTERM, and a clean end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("restanted did not stop\n" + self.log_text()[-3000:]) from None
        equal(status, 0, "exit status of restanted")
        check_log_clean(self)

    def kill(self):
        if self.process and self.process.poll() is None:
            pids = [pid for pid, _, _ in self.descendants()]
            self.process.kill()
            self.process.wait()
            for pid in pids:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), "the roles to be gone")


def imap_login(m, user, password):
    """LOGIN by a quoted string, as UTF-8 where there is no other way (imaplib itself takes ASCII only)."""
    if password.isascii():
        return m.login(user, password)
    import base64
    token = base64.b64encode(b"\0" + user.encode() + b"\0" + password.encode())
    return m.authenticate("PLAIN", lambda _: base64.b64decode(token))


def check_log_clean(server):
    text = server.log_text()
    for bad in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "restante: bug:", "SIGSYS", "signal 31"):
        check(bad not in text, f"{bad} in the log of {server.name}", text[-4000:])


def recv_line(s):
    data = b""
    while not data.endswith(b"\n"):
        piece = s.recv(1)
        if not piece:
            break
        data += piece
    return data


def recv_all(s, limit=1 << 24):
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while len(data) < limit:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    return data


def reset_on_close(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def crlf(message):
    return re.sub(rb"\r?\n", b"\r\n", message)


SAMPLES = [
    b"From: a@example.org\nTo: b@example.org\nSubject: plain\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n"
    b"Message-ID: <1@example.org>\n\nHello.\n.dot first\n..two dots\n\nlast line\n",
    b"From: =?ISO-2022-JP?B?GyRCO1NFRBsoQg==?= <hanako@example.jp>\nSubject: =?ISO-2022-JP?B?GyRCRnxLXDhsGyhC?=\n"
    b"MIME-Version: 1.0\nContent-Type: text/plain; charset=ISO-2022-JP\n\n\x1b$BF|K\\8l$N%a!<%k\x1b(B\n",
    b"From: c@example.org\r\nSubject: CRLF on disk\r\n\r\nline one\r\nline two\r\n",
    b"From: d@example.org\nSubject: no line end\n\nno newline at the end",
    "From: e@example.org\nSubject: UTF-8\nContent-Type: text/plain; charset=UTF-8\n\n日本語\n".encode(),
    b"From: f@example.org\nSubject: large\n\n" + b"0123456789abcdef" * 4 * 20000 + b"\n",
    b"",
    b"no header at all",
    b"\n\nbody only, starts with an empty line\n",
]


def main(name, tests):
    """Run the tests; the last line counts. Names on the command line pick some."""
    own_namespace()
    if os.geteuid() != 0:
        print(f"{name}: these tests make users and mounts of their own and need root")
        print(f"{name}: 0 passed, 1 failed")
        sys.exit(1)
    picked = [t for t in tests if not sys.argv[1:] or t.__name__ in sys.argv[1:]]
    machine = Machine()
    passed = failed = 0
    try:
        for test in picked:
            start = time.monotonic()
            try:
                test(machine)
                for server in machine.servers:
                    if server.process and server.process.poll() is None:
                        server.stop()
                passed += 1
                print(f"ok   {test.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
            except BaseException as e:
                failed += 1
                print(f"FAIL {test.__name__}: {e}")
                if not isinstance(e, Failed):
                    traceback.print_exc(file=sys.stdout)
                for server in machine.servers:
                    print(f"--- log of {server.name}\n" + server.log_text()[-3000:] if os.path.exists(server.log_path) else "")
                if isinstance(e, KeyboardInterrupt):
                    break
            finally:
                for server in machine.servers:
                    server.kill()
                machine.servers = []
                for cleanup in machine.cleanups:
                    cleanup()
                machine.cleanups = []
                sys.stdout.flush()
    finally:
        machine.close()
    print(f"{name}: {passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
