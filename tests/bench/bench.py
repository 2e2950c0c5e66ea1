"""CPU of the whole server per operation, for restante and for Debian's Dovecot in the same run.

    make bench            N=300 operations each (variable N)

Both servers use the same users, PAM stack, certificate, Maildir and client; the CPU of all their processes is read
from a cgroup where one can be made, else from /proc. The PAM stack is pam_permit, so that the password hash, which
costs the same everywhere, does not hide what the servers cost.
"""
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness
from harness import Machine, Server, free_port, recv_line, run, wait_for

N = int(os.environ.get("N", "300"))


class Meter:
    """CPU seconds of a process and all that it starts."""

    def __init__(self, name):
        self.directory = None
        for base, procs in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage"), ("/sys/fs/cgroup", "cpu.stat")):
            path = f"{base}/restante-bench-{os.getpid()}-{name}"
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.path.exists(f"{path}/{procs}"):
                self.directory, self.file = path, f"{path}/{procs}"
                break
            with contextlib.suppress(OSError):
                os.rmdir(path)

    def enter(self):
        """For preexec_fn: what this process starts is counted."""
        if self.directory:
            with open(self.directory + "/cgroup.procs", "w") as f:
                f.write(str(os.getpid()))

    def usec(self, master):
        if not self.directory:
            return self.usec_of_proc(master)
        with open(self.file) as f:
            text = f.read()
        return int(text.split("usage_usec ")[1].split()[0]) if "usage_usec" in text else int(text) / 1000

    def usec_of_proc(self, master):
        total, todo = 0, [master]
        children = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
                children.setdefault(int(fields[1]), []).append((int(pid), fields))
        own = open(f"/proc/{master}/stat").read().rsplit(")", 1)[1].split()
        total += sum(map(int, own[11:15]))
        while todo:
            for pid, fields in children.get(todo.pop(), []):
                total += sum(map(int, fields[11:15]))
                todo.append(pid)
        return total * 1e6 / os.sysconf("SC_CLK_TCK")

    def close(self):
        if self.directory:
            with contextlib.suppress(OSError):
                os.rmdir(self.directory)


class Restante:
    name = "restante"

    def __init__(self, machine):
        self.meter = Meter("restante")
        self.server = Server(machine, start=False, auth={"pam-service": "restante-bench"},
                             front={"max-connections-per-address": "100000", "processes": "2"}, session={"max-connections-per-user": "10000"})
        popen = subprocess.Popen
        subprocess.Popen = lambda *a, **k: popen(*a, preexec_fn=self.meter.enter, **k)
        try:
            self.server.start()
        finally:
            subprocess.Popen = popen
        self.ports = self.server.ports
        self.pid = self.server.process.pid

    def pids(self):
        return [self.pid] + [pid for pid, _, _ in self.server.descendants()]

    def stop(self):
        self.server.stop()
        self.meter.close()


DOVECOT = """
base_dir = {dir}/run
state_dir = {dir}/run
log_path = {dir}/dovecot.log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
mail_location = maildir:~/Maildir
first_valid_uid = 1000
auth_mechanisms = plain
auth_cache_size = 0
mail_max_userip_connections = 100000
default_process_limit = 500
default_client_limit = 4000
passdb {{
  driver = pam
  args = max_requests=1000 restante-bench
}}
userdb {{
  driver = passwd
}}
# The tuned set-up: login processes that serve many, and mail processes kept ready.
service imap-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  service_count = 0
  process_min_avail = 2
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service imap {{
  process_min_avail = 4
  service_count = 1
}}
service pop3 {{
  process_min_avail = 4
  service_count = 1
}}
"""


class Dovecot:
    name = "Dovecot"

    def __init__(self, machine):
        self.meter = Meter("dovecot")
        self.dir = machine.path("dovecot")
        os.makedirs(self.dir + "/run", mode=0o755)
        self.ports = {s: free_port() for s in harness.SERVICES}
        config = self.dir + "/dovecot.conf"
        with open(config, "w") as f:
            f.write(DOVECOT.format(dir=self.dir, cert=machine.path("certs", "server.pem"), key=machine.path("certs", "server.key"), **self.ports))
        self.process = subprocess.Popen(["dovecot", "-F", "-c", config], preexec_fn=self.meter.enter, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_for(lambda: self.try_connect(), "Dovecot to listen")

    def try_connect(self):
        with contextlib.suppress(OSError):
            harness.socket.create_connection(("127.0.0.1", self.ports["imaps"])).close()
            return True

    def pids(self):
        found, todo = [self.pid], [self.pid]
        while todo:
            parent = todo.pop()
            with contextlib.suppress(OSError):
                for pid in map(int, open(f"/proc/{parent}/task/{parent}/children").read().split()):
                    found.append(pid)
                    todo.append(pid)
        return found

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.meter.close()


class Client:
    def __init__(self, machine, server):
        self.server = server
        self.context = ssl.create_default_context(cafile=machine.ca)

    def tls(self, service):
        s = harness.socket.create_connection(("127.0.0.1", self.server.ports[service]), timeout=60)
        s.setsockopt(harness.socket.IPPROTO_TCP, harness.socket.TCP_NODELAY, 1)
        s = self.context.wrap_socket(s, server_hostname="localhost")
        assert b"OK" in recv_line(s)
        return s

    def command(self, s, line, end):
        s.sendall(line + b"\r\n")
        data = b""
        while True:
            got = s.recv(65536)
            assert got, data
            data += got
            if any(x.startswith(end) for x in data.split(b"\r\n")[:-1]):
                assert end + b"OK" in data or end == b"+OK", data[-300:]
                return data

    def imap_login(self, user):
        s = self.tls("imaps")
        self.command(s, b"a LOGIN %s x" % user.encode(), b"a ")
        return s

    def imap_once(self, user):
        s = self.imap_login(user)
        self.command(s, b"b LOGOUT", b"b ")
        s.close()

    def imap_visit(self, user):
        s = self.imap_login(user)
        self.command(s, b"b SELECT INBOX", b"b ")
        self.command(s, b"c FETCH 1 (FLAGS UID)", b"c ")
        self.command(s, b"d LOGOUT", b"d ")
        s.close()

    def pop3_once(self, user):
        s = self.tls("pop3s")
        self.command(s, b"USER " + user.encode(), b"+OK")
        self.command(s, b"PASS x", b"+OK")
        self.command(s, b"STAT", b"+OK")
        self.command(s, b"QUIT", b"+OK")
        s.close()


def private_kib(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith(("Private_Dirty:", "Private_Clean:")):
                    total += int(line.split()[1])
    return total


def per_operation(server, operation, n):
    operation(0)  # the first time is not counted: caches, Maildirs, spares
    time.sleep(1)
    before = server.meter.usec(server.pid)
    for i in range(n):
        operation(i)
    time.sleep(1)  # what is done behind the client's back counts too
    return (server.meter.usec(server.pid) - before) / n


def measure(machine, server):
    client = Client(machine, server)
    users = machine.bench_users
    rows = {}
    rows["TLS handshake and greeting only, us"] = per_operation(server, lambda i: client.tls("imaps").close(), N)
    rows["IMAPS login and logout, many users in turn, us"] = per_operation(server, lambda i: client.imap_once(users[i % len(users)]), N)
    held = client.imap_login("alice")
    rows["IMAPS login and logout, user already connected, us"] = per_operation(server, lambda i: client.imap_once("alice"), N)
    held.close()
    rows["IMAPS login, SELECT, FETCH one, logout, us"] = per_operation(server, lambda i: client.imap_visit(users[i % len(users)]), N)
    rows["POP3S login, STAT, QUIT, us"] = per_operation(server, lambda i: client.pop3_once(users[i % len(users)]), N)
    before = private_kib(server.pids())
    idle = [client.imap_login("alice") for _ in range(100)]
    time.sleep(1)
    rows["idle IMAPS connection, one user, KiB private"] = (private_kib(server.pids()) - before) / len(idle)
    for s in idle:
        s.close()
    time.sleep(2)
    before = private_kib(server.pids())
    idle = [client.imap_login(u) for u in machine.idle_users]
    time.sleep(1)
    rows["idle IMAPS connection, a user each, KiB private"] = (private_kib(server.pids()) - before) / len(idle)
    for s in idle:
        s.close()
    return rows


def main():
    harness.own_namespace()
    for n in range(200):
        harness.USERS[f"bench{n:03}"] = (21000 + n, "x")
    real_hash, harness.hash_password = harness.hash_password, lambda _: "*"
    machine = Machine()
    harness.hash_password = real_hash
    machine.bench_users = [f"bench{n:03}" for n in range(100)]
    machine.idle_users = [f"bench{n:03}" for n in range(100, 200)]  # nobody of them logged in before
    try:
        machine.pam_service("restante-bench", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
        for user in ["alice", *machine.bench_users, *machine.idle_users]:
            machine.maildir(user, harness.SAMPLES)
        kinds = [Restante]
        if shutil.which("dovecot"):
            kinds.append(Dovecot)
        else:
            print("Dovecot is not installed (apt-get install dovecot-imapd dovecot-pop3d): restante alone")
        results = {}
        for kind in kinds:
            server = kind(machine)
            try:
                results[kind.name] = measure(machine, server)
            finally:
                server.stop()
        version = run("dovecot", "--version").stdout.decode().split()[0] if len(kinds) > 1 else ""
        print(f"{N} operations each; CPU of all processes of the server" + (f"; Dovecot {version}" if version else ""))
        print(f"{'':52}" + "".join(f"{name:>12}" for name in results))
        for row in results["restante"]:
            print(f"{row:52}" + "".join(f"{results[name][row]:12.0f}" for name in results))
    finally:
        machine.close()


if __name__ == "__main__":
    main()
