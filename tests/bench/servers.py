"""The two servers that are measured: restante and Debian's Dovecot, with the same users, PAM stack, certificate and mail.

The CPU of all processes of a server is read from a cgroup where one can be made, else from /proc. The PAM stack is
pam_permit, so that the password hash, which costs the same everywhere, does not hide what the servers cost.
"""
import contextlib
import os
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness
from harness import Server, free_port, recv_line, wait_for

PAM = "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n"


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

    def __init__(self, machine, linger="60s"):
        self.meter = Meter("restante")
        self.server = Server(machine, start=False, auth={"pam-service": "restante-bench"},
                             front={"max-connections-per-address": "100000", "processes": "2"},
                             session={"max-connections-per-user": "10000", "linger": linger})
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
maildir_very_dirty_syncs = yes
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

    def __init__(self, machine, linger=None):
        """linger: its mail processes never stay after their connection."""
        self.meter = Meter("dovecot")
        self.dir = machine.path("dovecot")
        os.makedirs(self.dir + "/run", mode=0o755, exist_ok=True)
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
        s = harness.socket.create_connection(("127.0.0.1", self.server.ports[service]), timeout=120)
        s.setsockopt(harness.socket.IPPROTO_TCP, harness.socket.TCP_NODELAY, 1)
        s = self.context.wrap_socket(s, server_hostname="localhost")
        assert b"OK" in recv_line(s)
        return s

    def command(self, s, line, end):
        """Send a command and read to its end, as fast as it can be done here. Returns the last 64 kB."""
        s.sendall(line + b"\r\n")
        data = b""
        while not self.is_ended(data, end):
            got = s.recv(1 << 18)
            assert got, data
            data = data[-(1 << 16):] + got
        assert end + b"OK" in data or end == b"+OK", data[-300:]
        return data

    @staticmethod
    def is_ended(data, end):
        if not data.endswith(b"\r\n"):
            return False
        start = data.rfind(b"\r\n", 0, -2)
        return data.startswith(end, start + 2 if start >= 0 else 0)

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
