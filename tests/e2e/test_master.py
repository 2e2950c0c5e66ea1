#!/usr/bin/env python3
"""The master alone, with stand-ins for the three roles (tests/tools/fake_roles.c) that do what good ones never do."""
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

B = os.path.abspath(os.environ.get("B", "build"))
passed = failed = 0


class Server:
    """A restanted in a directory of its own; `with` ends it and looks for what it left behind."""

    def __init__(self, **settings):
        self.dir = tempfile.mkdtemp(prefix="restante-master-")
        shutil.copy(B + "/restanted", self.dir)
        for role in ("front", "auth", "session"):
            shutil.copy(B + "/tests/fake_roles", self.dir + "/restante-" + role)
        self.port = free_port()
        self.settings = {
            "listen": {"imaps": "127.0.0.1:%d" % self.port},
            "tls": {"certificate": "/c.pem", "private-key": "/c.key"},
            "front": {"processes": "2"},
            "auth": {"verify-timeout": "2s"},
            "mail": {},
            "session": {"spares": "2"},
            "log": {"level": "debug"},
            "control": {"socket": self.dir + "/control.sock"},
        }
        self.set(**settings)
        self.process = None
        self.log_path = os.devnull

    def set(self, **settings):
        """Settings as section__key=value; None takes one out."""
        for name, value in settings.items():
            section, key = name.split("__")
            self.settings[section].pop(key.replace("_", "-"), None)
            if value is not None:
                self.settings[section][key.replace("_", "-")] = value
        with open(self.dir + "/restante.conf", "w") as f:
            for section, keys in self.settings.items():
                f.write("[%s]\n" % section)
                f.writelines("%s = %s\n" % item for item in keys.items())

    def command(self):
        return [self.dir + "/restanted", "-c", self.dir + "/restante.conf"]

    def start(self, wait=True, env=None, prefix=(), stderr=None):
        if not stderr:
            self.log_path = self.dir + "/log"
        log = stderr or open(self.log_path, "wb")
        self.process = subprocess.Popen(list(prefix) + self.command(), stderr=log, stdout=log, env=dict(os.environ, **(env or {})))
        if wait:
            self.wait_for(self.log_has, "is up:")
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def log_has(self, text):
        return text in self.log()

    def wait_for(self, what, *args, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = what(*args)
            if value:
                return value
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError("waited in vain for %s%s" % (getattr(what, "__name__", what), args))

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(15)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process and self.process.poll() is None:
            children = descendants(self.process.pid)
            status = self.stop()
            time.sleep(0.1)
            left = [pid for pid in children if alive(pid)]
            if kind is None:
                check(status == 0, "exit status %s\n%s" % (status, self.log()[-2000:]))
                check(not left, "left behind: %s" % left)
                check("AddressSanitizer" not in self.log(), "sanitizer")
        if kind is not None:
            print(self.log()[-3000:])
        shutil.rmtree(self.dir)

    # What a client does.
    def connect(self, port=None):
        return Client(port or self.port)

    def login(self, user, password="ok", port=None):
        c = self.connect(port)
        c.answer = c.say("LOGIN %s %s" % (user, password))
        return c

    def can_log_in(self, user="probe"):
        try:
            with self.login(user) as c:
                return c.answer == "OK " + user
        except OSError:
            return False

    # What an admin does.
    def ask(self, *words):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.dir + "/control.sock")
        s.sendall("\t".join(words).encode() + b"\n")
        data = b""
        while True:
            part = s.recv(65536)
            if not part:
                break
            data += part
        s.close()
        assert data.endswith(b".\n"), data
        return [line.split("\t") for line in data.decode().split("\n")[:-2]]

    def table(self, verb, name):
        rows, columns = [], None
        for line in self.ask(verb):
            if line[0] == "T":
                columns = [c.split(":")[0] for c in line[2:]] if line[1] == name else None
            elif line[0] == "R" and columns:
                rows.append(dict(zip(columns, line[1:])))
        return rows

    def pool(self, name):
        pids = [int(p["pid"]) for p in self.table("status", "pools") if p["pool"] == name and p["state"] == "ready"]
        return pids[-1] if pids else 0

    def ready(self, role):
        return int([p for p in self.table("status", "processes") if p["role"] == role][0]["ready"])

    def generation(self):
        return int(self.table("status", "server")[0]["generation"])


class Client:
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 10)
        self.s.settimeout(10)
        self.buffer = b""

    def send(self, line):
        self.s.sendall(line.encode() + b"\n")

    def read(self):
        while b"\n" not in self.buffer:
            part = self.s.recv(4096)
            if not part:
                return "EOF"
            self.buffer += part
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def say(self, line):
        self.send(line)
        try:
            return self.read()
        except ConnectionResetError:
            return "EOF"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stat_of(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()
    except OSError:
        return None


def alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[0] != "Z"


def children_of(parent):
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        stat = stat_of(int(path[6:]))
        if stat and int(stat[1]) == parent:
            found.append(int(path[6:]))
    return found


def descendants(pid):
    found = children_of(pid)
    return found + [d for child in found for d in descendants(child)]


def zombies(pid):
    return [p for p in descendants(pid) if stat_of(p) and stat_of(p)[0] == "Z"]


def cpu_ticks(pid):
    stat = stat_of(pid)
    return int(stat[11]) + int(stat[12])


def check(ok, text="", *args):
    if not ok:
        raise AssertionError(text % args if args else text)


def equal(got, want):
    check(got == want, "got %r, want %r" % (got, want))


def kill(pid, sig=signal.SIGKILL):
    check(pid > 1, "no process to kill")
    os.kill(pid, sig)


# ---- tests ----


def test_logins():
    with Server().start() as server:
        with server.login("alice") as a, server.login("alice") as b, server.login("bob") as c:
            equal([a.answer, b.answer, c.answer], ["OK alice", "OK alice", "OK bob"])
            pids = [x.say("PID") for x in (a, b, c)]
            check(pids[0] == pids[1] != pids[2], "one process a user: %s" % pids)
            equal(a.say("hello"), "hello")
        with server.login("alice", "bad") as c:
            equal(c.answer, "NO 1")
            equal(c.say("LOGIN alice ok"), "OK alice")
        with server.connect() as c:
            c.send("LOGIN alice hang")
            c.send("CANCEL")
            c.send("LOGIN alice ok")
            c.send("LOGIN alice ok")  # again, without waiting: it takes the place of the one before
            check(c.read() in ("OK alice", "GONE"), "an answer")


def test_workers_that_fail():
    with Server(auth__workers_max="2").start() as server:
        with server.login("alice", "die") as c:
            equal(c.answer, "GONE")
        with server.login("alice", "wrong-id") as c:
            equal(c.answer, "GONE")
        server.wait_for(server.can_log_in)
        hanging = [server.connect() for _ in range(2)]
        for c in hanging:
            c.send("LOGIN alice hang")
        with server.login("bob") as c:  # waits until a worker that hangs is ended
            equal(c.answer, "OK bob")
        equal([c.read() for c in hanging], ["GONE", "GONE"])
        for c in hanging:
            c.s.close()


def test_retire():
    with Server(session__linger="1s").start() as server:
        with server.login("alice") as c:
            first = int(c.say("PID"))
        server.wait_for(lambda: not alive(first))
        with server.login("alice") as c:
            check(int(c.say("PID")) != first, "a new process")
            equal(c.say("DROPPED"), "no")
        check(not server.log_has("unexpectedly"), "no surprise")


def test_retire_crosses_adopt():
    with Server(session__linger="0s", session__spares="4").start() as server:
        for i in range(200):
            with server.login("alice") as c:
                equal((i, c.answer), (i, "OK alice"))
                equal(c.say("x"), "x")
        check(not server.log_has("is ended"), "nobody was ended")


def test_death_of_a_session():
    with Server().start() as server:
        a, b, c = server.login("alice"), server.login("alice"), server.login("bob")
        pid = int(a.say("PID"))
        equal(a.say("SEGV"), "GONE")
        equal(b.read(), "GONE")
        equal(c.say("still here"), "still here")
        server.wait_for(lambda: not alive(pid))
        with server.login("alice") as again:
            equal(again.say("DROPPED"), "yes")
            second = int(again.say("PID"))
            kill(second)
            equal(again.read(), "GONE")
        # Killed before it could show that the new index is good.
        with server.login("alice") as again:
            equal(again.say("DROPPED"), "yes")
            with server.login("alice"):
                pass
            time.sleep(0.2)
            kill(int(again.say("PID")))
            equal(again.read(), "GONE")
        with server.login("alice") as again:
            equal(again.say("DROPPED"), "no")
        equal(c.say("still here"), "still here")
        check(server.log_has("of user=alice ended: killed by signal 11"), "the log names the user")
        for x in (a, b, c):
            x.s.close()


def test_kill_each_process():
    with Server().start() as server:
        other = server.login("bob")
        with server.connect() as c:
            front = int(c.say("PID").split()[0])
        mine = int(other.say("PID"))
        for pid in descendants(server.process.pid):
            stat = stat_of(pid)
            if not stat or pid in (mine, front) or int(stat[1]) == server.process.pid:
                continue
            kill(pid)
            time.sleep(0.05)
        server.wait_for(server.can_log_in)
        server.wait_for(lambda: server.ready("front") == 2 and server.ready("auth") >= 2 and server.ready("session") == 2)
        before = cpu_ticks(server.process.pid)
        time.sleep(1)
        check(cpu_ticks(server.process.pid) - before <= 5, "nothing spins")
        equal(zombies(server.process.pid), [])
        other.s.close()


def test_kill_pools():
    with Server().start() as server:
        a = server.login("alice")
        session = int(a.say("PID"))
        for name in ("auth-pool", "session-pool", "front-pool"):
            pid = server.wait_for(server.pool, name)
            kill(pid)
            server.wait_for(lambda: server.pool(name) not in (0, pid))
            equal(a.say("still " + name), "still " + name)
            server.wait_for(server.can_log_in, name)
        server.wait_for(lambda: len(server.table("status", "generations")) == 2)
        check(session in children_of(server.process.pid), "the session is the master's child now")
        kill(session)
        equal(a.read(), "GONE")
        with server.login("alice") as again:
            check(int(again.say("PID")) != session, "another process")
        equal(zombies(server.process.pid), [])
        a.s.close()
        server.wait_for(lambda: len(server.table("status", "generations")) == 1)
        for pid in children_of(server.process.pid):
            kill(pid)
        server.wait_for(lambda: server.can_log_in() and server.pool("front-pool") and server.pool("auth-pool"))
        for pid in descendants(server.process.pid):
            try:
                kill(pid)
            except ProcessLookupError:
                pass
        server.wait_for(server.can_log_in, seconds=20)
        equal(zombies(server.process.pid), [])


def test_backoff():
    with Server().start() as server:
        last = 0
        for _ in range(4):
            last = server.wait_for(lambda: server.pool("session-pool") not in (0, last) and server.pool("session-pool"))
            kill(last)
        began = server.log().count("session-pool")
        server.wait_for(lambda: server.pool("session-pool") not in (0, last))
        check(server.log().count("session-pool") - began < 3, "it does not spin")
        server.wait_for(server.can_log_in)


def test_reload():
    with Server().start() as server:
        a = server.login("alice")
        session, first = a.say("PID"), server.generation()
        equal(server.ask("reload"), [["M", "configuration taken: generation %d accepts connections" % (first + 1)]])
        with server.connect() as c:
            equal(c.say("PID").split()[1], str(first + 1))
        equal(a.say("PID"), session)
        equal([g["state"] for g in server.table("status", "generations")], ["draining", "accepting"])
        a.s.close()
        server.wait_for(lambda: len(server.table("status", "generations")) == 1)
        check(not server.log_has("unexpectedly"), "no surprise")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.generation() == first + 2)
        for c in server.table("status", "certificates"):
            equal((c["subject"], c["key"], c["file"]), ("mail.example.org", "EC P-256", "/c.pem"))


def test_reload_of_what_is_broken():
    with Server().start() as server:
        a, first = server.login("alice"), server.generation()
        server.set(tls__certificate="/broken.pem", auth__pam_service="broken", mail__path="/broken/%u")
        reply = server.ask("reload")
        texts = [line[1] for line in reply if line[0] == "E"]
        check(any(re.search(r"restante.conf:\d+: the certificate is broken", t) for t in texts), "%s", texts)
        check(any("the PAM service is broken" in t for t in texts), "%s", texts)
        check(any("the mail path is broken" in t for t in texts), "%s", texts)
        equal(server.generation(), first)
        equal(a.say("still here"), "still here")
        check(server.can_log_in(), "the old one serves")
        check("broken" in server.table("status", "server")[0]["last_error"], "status shows it")
        equal(len(server.table("status", "problems")), 3)
        # Only one pool refuses: the others get the old one back.
        server.set(tls__certificate="/c.pem", auth__pam_service="restante")
        equal(len([line for line in server.ask("reload") if line[0] == "E"]), 2)
        server.wait_for(lambda: server.pool("auth-pool") and server.pool("session-pool"))
        check(server.can_log_in(), "the old one serves")
        # A pool that dies while it reads.
        server.set(mail__path=None, tls__certificate="/deadly.pem")
        check(any("front-pool ended" in line[1] for line in server.ask("reload")), "a pool died")
        server.set(tls__certificate="/c.pem", mail__path="/deadly/%u")
        check(any("session-pool ended" in line[1] for line in server.ask("reload")), "a pool died")
        server.set(mail__path=None)
        server.wait_for(lambda: server.pool("session-pool"))
        # A text that is wrong altogether.
        server.set(front__no_such_key="1")
        check(any("no-such-key" in line[1] for line in server.ask("reload")), "a key that is none")
        server.set(front__no_such_key=None)
        equal(server.ask("reload")[0][0], "M")
        equal(server.table("status", "problems"), [])
        equal(a.say("still here"), "still here")
        a.s.close()


def test_reload_changes_listeners():
    with Server().start() as server:
        other, taken = free_port(), socket.socket()
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server.set(listen__imaps="127.0.0.1:%d, 127.0.0.1:%d" % (other, taken.getsockname()[1]))
        reply = server.ask("reload")
        check("cannot listen on 127.0.0.1:%d for imaps" % taken.getsockname()[1] in reply[0][1], "%s", reply)
        check(server.can_log_in(), "the old address serves")
        server.set(listen__imaps="127.0.0.1:%d" % other)
        equal(server.ask("reload")[0][0], "M")
        with server.login("alice", port=other) as c:
            equal(c.answer, "OK alice")
        server.wait_for(lambda: not server.can_log_in())
        taken.close()


def test_old_generations():
    with Server(front__processes="1").start() as server:
        open_ones = []
        for i in range(10):
            open_ones.append(server.login("alice"))
            equal(server.ask("reload")[0][0], "M")
        equal(open_ones[0].read(), "EOF")
        equal(open_ones[9].say("x"), "x")
        check(len(server.table("status", "generations")) <= 9, "at most eight old ones")
        for c in open_ones:
            c.s.close()


def test_peers_that_misbehave():
    with Server(front__processes="1").start() as server:
        for word in ("FOREIGN", "GARBAGE", "OUT-OF-TURN"):
            with server.connect() as c:
                pid = int(c.say("PID").split()[0])
                c.send(word)
                equal((word, c.read()), (word, "EOF"))
                check(server.log_has("front[%d] is ended" % pid), word)
            server.wait_for(server.can_log_in, word)
        for word in ("GARBAGE", "LIE"):
            with server.login("alice") as c, server.login("bob") as other:
                equal((word, c.say(word)), (word, "GONE"))
                equal(other.say("x"), "x")
        server.wait_for(server.can_log_in)
        with server.connect() as c:
            equal(c.say("FLOOD"), "DONE")
        check(server.log().count("]: ~~~") < 2000, "the log is bounded")
        server.wait_for(server.can_log_in)


def test_limits():
    with Server(session__max_connections_per_user="3", auth__queue_length="8", auth__verify_timeout="1s", auth__workers_max="1", auth__workers_min="1").start() as server:
        some = [server.login("alice") for _ in range(4)]
        equal([c.answer for c in some], ["OK alice"] * 3 + ["NO 7"])
        with server.login("bob") as c:
            equal(c.answer, "OK bob")
        many = [server.connect() for _ in range(20)]
        for c in many:
            c.send("LOGIN alice hang")
        time.sleep(0.5)
        check(int(server.table("status", "logins")[0]["queue_full"]) > 0, "the queue is bounded")
        for c in some + many:
            c.s.close()
        server.wait_for(server.can_log_in, seconds=20)


def test_who_and_kick():
    with Server().start() as server:
        a, b, c = server.login("alice"), server.login("alice"), server.login("bob")
        rows = server.table("who", "who")
        equal(sorted(r["user"] for r in rows), ["alice", "alice", "bob"])
        equal({(r["service"], r["address"], r["tls"], r["idle"], r["commands"], r["doing"]) for r in rows},
              {("imaps", "192.0.2.1", "TLSv1.3", "5000000", "7", "IDLE")})
        equal(c.say("SLOW-WHO"), "slow")
        equal(len(server.table("who", "who")), 3)  # the slow one is not waited for
        ids = [r["id"] for r in rows if r["user"] == "alice"]
        equal(server.ask("kick", "id", ids[0])[0][0], "M")
        check("GONE" in (a.read(), ) or b.read() == "GONE", "one is closed")
        server.wait_for(lambda: len(server.table("who", "who")) == 2)
        equal(server.ask("kick", "user", "bob")[0][0], "M")
        equal(c.read(), "GONE")
        equal(server.ask("kick", "user", "nobody")[0][0], "E")
        equal(server.ask("kick", "id", "99999")[0][0], "E")
        equal(server.ask("kick", "id", "x")[0][0], "E")
        equal(server.ask("no-such-verb")[0][0], "E")
        equal(server.ask("kick")[0][0], "E")
        equal(oct(os.stat(server.dir + "/control.sock").st_mode & 0o777), "0o600")
        for x in (a, b, c):
            x.s.close()


def test_second_instance():
    with Server().start() as server:
        command = server.command()
        text = subprocess.run(command, stderr=subprocess.PIPE, timeout=10)
        equal(text.returncode, 1)
        words = text.stderr.decode()
        for word in ("imaps", "127.0.0.1:%d" % server.port, "Address already in use", "stop it", "control socket"):
            check(word in words, "%s", words)
        check(server.can_log_in(), "the first one goes on")
        check(os.path.exists(server.dir + "/control.sock"), "and keeps its socket")


def test_check():
    with Server() as server:
        run = subprocess.run(server.command() + ["-t"], stdout=subprocess.PIPE, timeout=10)
        equal((run.returncode, run.stdout.decode()), (0, server.dir + "/restante.conf: configuration OK\n"))
        server.set(tls__certificate="/broken.pem", auth__pam_service="broken", mail__path="/broken/%u")
        run = subprocess.run(server.command() + ["-t"], stdout=subprocess.PIPE, timeout=10)
        equal((run.returncode, len(run.stdout.decode().split("\n"))), (1, 4))
        server.set(front__no_such_key="1", session__spares="x")
        run = subprocess.run(server.command() + ["-t"], stdout=subprocess.PIPE, timeout=10)
        equal(run.returncode, 1)
        for text in (r"restante.conf:\d+: .*no-such-key", r"restante.conf:\d+: .*spares", "the certificate is broken", "the PAM service is broken"):
            check(len(re.findall(text, run.stdout.decode())) == 1, "%s in %s", text, run.stdout)
        run = subprocess.run([server.dir + "/restanted", "-c", server.dir + "/restante.conf"], stderr=subprocess.PIPE, timeout=10)
        equal(run.returncode, 1)
        check("no-such-key" in run.stderr.decode(), "serving says it too")
        for arguments, status in (["--help"], 0), (["--version"], 0), (["--nonsense"], 2), (["nonsense"], 2):
            run = subprocess.run([server.dir + "/restanted"] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10)
            equal((arguments, run.returncode), (arguments, status))
        os.unlink(server.dir + "/restante-auth")
        run = subprocess.run(server.command(), stderr=subprocess.PIPE, timeout=10)
        check(run.returncode == 1, "a program is missing")


def test_start_that_fails():
    with Server(tls__certificate="/broken.pem", auth__pam_service="broken") as server:
        server.start(wait=False)
        equal(server.process.wait(10), 1)
        for text in ("the certificate is broken", "the PAM service is broken", "cannot start: 2 problems"):
            check(server.log_has(text), text)
    with Server(auth__pam_service="deadly") as server:
        server.start(wait=False)
        equal(server.process.wait(10), 1)


def test_stop():
    for sig in (signal.SIGTERM, signal.SIGINT):
        with Server().start() as server:
            a = server.login("alice")
            children = descendants(server.process.pid)
            began = time.monotonic()
            equal(server.stop(sig), 0)
            check(time.monotonic() - began < 7, "at once, if all end")
            check(a.read() in ("GONE", "EOF"), "the client is told")
            equal([pid for pid in children if alive(pid)], [])
            check(not os.path.exists(server.dir + "/control.sock"), "the socket is removed")
    with Server(front__processes="1").start() as server:  # one that does not stop
        a = server.connect()
        a.send("MUTE")
        time.sleep(0.2)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        equal(server.process.poll(), None)
        began = time.monotonic()
        equal(server.stop(signal.SIGINT), 0)
        check(time.monotonic() - began < 7, "the second one is not polite")


def test_systemd():
    with Server() as server:
        path = server.dir + "/notify"
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(path)
        notify.settimeout(5)
        seen = []

        def wait_for(text, seconds=8):
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                try:
                    seen.append(notify.recv(4096).decode())
                except socket.timeout:
                    continue
                if text in seen[-1]:
                    return seen[-1]
            raise AssertionError("no %s in %s" % (text, seen))

        server.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "3000000"})
        wait_for("READY=1")
        wait_for("WATCHDOG=1")
        server.process.send_signal(signal.SIGHUP)
        check("MONOTONIC_USEC=" in wait_for("RELOADING=1"), "with its time")
        wait_for("READY=1")
        wait_for("STATUS=")
        pool = server.pool("auth-pool")
        kill(pool, signal.SIGSTOP)
        time.sleep(2.5)
        notify.setblocking(False)
        try:
            while True:
                notify.recv(4096)
        except BlockingIOError:
            pass
        time.sleep(2.2)
        quiet = []
        try:
            while True:
                quiet.append(notify.recv(4096))
        except BlockingIOError:
            pass
        check(b"WATCHDOG=1" not in quiet, "a pool that hangs is not called alive")
        notify.settimeout(5)
        kill(pool, signal.SIGCONT)
        wait_for("WATCHDOG=1")
        server.process.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        server.process.wait(10)


def test_systemd_that_does_not_read():
    with Server() as server:
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(server.dir + "/notify")
        server.start(env={"NOTIFY_SOCKET": server.dir + "/notify"})
        for i in range(20):
            equal(server.ask("reload")[0][0], "M")
        check(server.can_log_in(), "nobody waits for it")
        notify.setblocking(False)
        seen = b""
        end = time.monotonic() + 4
        while time.monotonic() < end:
            try:
                seen = notify.recv(4096) if not seen.startswith(b"READY") else seen + notify.recv(4096)
            except BlockingIOError:
                time.sleep(0.1)
        check(b"READY=1" in seen, "the last word is that it is ready: %s" % seen)


def test_socket_activation():
    if not shutil.which("systemd-socket-activate"):
        return
    with Server(listen__imaps=None) as server:
        prefix = ["systemd-socket-activate", "--now", "-l", "127.0.0.1:%d" % server.port, "--fdname=imaps"]
        if b"--now" not in subprocess.run(["systemd-socket-activate", "--help"], stdout=subprocess.PIPE).stdout:
            prefix.remove("--now")
        server.start(wait=False, prefix=prefix)
        end = time.monotonic() + 10
        while not server.can_log_in() and time.monotonic() < end:
            time.sleep(0.1)
        check(server.can_log_in(), "it serves")
        equal(server.table("status", "listeners"), [{"service": "imaps", "address": "127.0.0.1:%d" % server.port, "systemd": "1"}])
        equal(server.ask("reload")[0][0], "M")
        check(server.can_log_in(), "it still serves")
    with Server() as server:
        prefix = ["systemd-socket-activate", "-l", "127.0.0.1:%d" % server.port, "--fdname=smtp"]
        server.start(wait=False, prefix=prefix)
        time.sleep(0.3)
        socket.create_connection(("127.0.0.1", server.port)).close()
        equal(server.process.wait(10), 1)
        check(server.log_has('named "smtp"'), "the name is told")


def test_blocked_log():
    reading, writing = os.pipe()
    with Server() as server:
        server.start(wait=False, stderr=os.fdopen(writing, "wb"))
        server.wait_for(server.can_log_in)
        for _ in range(5):
            with server.connect() as c:
                equal(c.say("FLOOD"), "DONE")
            equal(server.ask("reload")[0][0], "M")
        check(server.can_log_in(), "nobody reads the log, and nobody waits for it")
        os.set_blocking(reading, False)
        os.read(reading, 1 << 20)
        server.ask("reload")
        check(b"were dropped" in os.read(reading, 1 << 20), "and it is told afterwards")
    os.close(reading)


def test_one_client_a_process():
    with Server(front__connections_per_process="1") as server:
        server.start()
        equal(server.ready("front"), 4)
        some = [server.login("alice") for _ in range(3)]
        server.wait_for(lambda: server.ready("front") > 4)
        for c in some:
            c.s.close()


def test_leaks_nothing():
    with Server(session__linger="0s").start() as server:
        def descriptors():
            return len(os.listdir("/proc/%d/fd" % server.process.pid))

        def calm():
            return int(server.table("status", "processes")[2]["busy"]) == 0

        server.can_log_in()
        server.wait_for(calm)
        time.sleep(0.3)
        before = descriptors()
        for i in range(100):
            server.login("user%d" % (i % 7), "ok" if i % 3 else "bad").s.close()
        server.wait_for(calm)
        time.sleep(0.5)
        check(descriptors() <= before + 3, "%d descriptors before, %d after" % (before, descriptors()))


def main():
    global passed, failed
    names = sys.argv[1:]
    for name, test in list(globals().items()):
        if not name.startswith("test_") or (names and name not in names):
            continue
        began = time.monotonic()
        try:
            test()
            passed += 1
            print("ok   %s (%.1f s)" % (name, time.monotonic() - began), flush=True)
        except Exception as problem:  # one failure must not hide the others
            failed += 1
            print("FAIL %s: %s: %s" % (name, type(problem).__name__, problem), flush=True)
    print("master: %d passed, %d failed" % (passed, failed))
    return failed > 0


sys.exit(main())
