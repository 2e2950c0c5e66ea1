"""Where secrets are not: a copy of the password in a front, the master or a session; the private key outside the front pool."""
import base64
import os
import re

import harness
from harness import SAMPLES, Server, check, recv_line
from test_kill import fronts_by_connection, uid_of


def memory_of(pid):
    """All that is mapped writable, and all private mappings."""
    data = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (....) \S+ \S+ (\d+)\s*(.*)", line)
            start, end, mode, name = int(found.group(1), 16), int(found.group(2), 16), found.group(3), found.group(5)
            if not mode.startswith("r") or name.startswith(("[vvar", "[vsyscall", "[vdso")) or end - start > 1 << 28:
                continue
            if mode[1] != "w" and name.startswith("/"):
                continue
            try:
                mem.seek(start)
                data.append(mem.read(end - start))
            except (OSError, ValueError):
                pass
    return b"\0".join(data)


def places(server, *needles):
    found = []
    for pid, exe, _ in [(server.process.pid, "restanted", "")] + server.descendants():
        try:
            memory = memory_of(pid)
        except OSError:
            continue
        for needle in needles:
            if needle in memory:
                found.append((pid, exe, needle))
    return found


def test_passwords(machine):
    """Every way to give a password, right and wrong, on connections that stay open."""
    machine.maildir("carol", SAMPLES)
    server = Server(machine)
    right, wrong = b"carol-secret-7", b"wRonG-PassWord-%d"
    held = []

    def imap(service, *lines):
        s = server.connect(service)
        if service == "imap":
            recv_line(s)
            s.sendall(b"t STARTTLS\r\n")
            recv_line(s)
        s = server.tls().wrap_socket(s, server_hostname="localhost")
        if service == "imaps":
            recv_line(s)
        for line in lines:
            s.sendall(line + b"\r\n")
            recv_line(s)
        held.append(s)

    def pop3(*lines):
        s = server.tls().wrap_socket(server.connect("pop3s"), server_hostname="localhost")
        recv_line(s)
        for line in lines:
            s.sendall(line + b"\r\n")
            recv_line(s)
        held.append(s)

    def sasl(password):
        return base64.b64encode(b"\0carol\0" + password)

    needles = [right, sasl(right)]
    for n in range(3):
        bad = wrong % n
        needles += [bad, sasl(bad)]
    imap("imaps", b"a LOGIN carol " + wrong % 0)
    imap("imaps", b'a LOGIN carol "' + wrong % 1 + b'"', b"b LOGIN carol " + right)
    imap("imap", b"a LOGIN carol {%d}" % len(right), right)
    imap("imaps", b"a LOGIN carol {%d+}\r\n" % len(right) + right)
    imap("imaps", b"a AUTHENTICATE PLAIN " + sasl(right))
    imap("imap", b"a AUTHENTICATE PLAIN", sasl(wrong % 2))
    imap("imaps", b"a AUTHENTICATE PLAIN", sasl(right))
    imap("imaps", b"a LOGIN carol " + right + b"\r\nb NOOP\r\nc NOOP")
    pop3(b"USER carol", b"PASS " + wrong % 0)
    pop3(b"AUTH PLAIN " + sasl(wrong % 1))
    pop3(b"USER carol", b"PASS " + right)
    check(len(held) == 11, "connections held open")
    front = fronts_by_connection(server, held[0])
    check(front, "a live front was searched")
    check(b"restante" in memory_of(front), "the search sees memory")
    found = [f for f in places(server, *needles) if f[1] != "restante-auth"]
    check(not found, "copies of passwords", found)
    in_worker = places(server, *needles)
    check(not in_worker, "a worker keeps no password of a finished login either", in_worker)


def test_private_key(machine):
    """No process but those of the front pool has the private key: neither its file nor its number."""
    machine.maildir("carol", SAMPLES)
    server = Server(machine)
    m = server.imap("carol")
    pem = open(machine.path("certs", "server.key")).read()
    der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-")))
    text = harness.run("openssl", "pkey", "-in", machine.path("certs", "server.key"), "-noout", "-text").stdout.decode()
    private = bytes.fromhex(re.search(r"priv:\s*([0-9a-f:\s]+)pub", text).group(1).replace(":", "").replace(" ", "").replace("\n", "")).lstrip(b"\0")
    check(len(private) >= 30, "the private number", len(private))
    needles = [pem.encode()[:200], der[-60:], private, private[::-1]]
    found = {exe for _, exe, _ in places(server, *needles)}
    check(found <= {"restante-front"}, "the key is elsewhere", found)
    check(found == {"restante-front"}, "the search would find it: the fronts have it", found)
    m.logout()


TESTS = [test_passwords, test_private_key]
if __name__ == "__main__":
    harness.main("secrets", TESTS)
