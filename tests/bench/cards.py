"""What lists of messages cost: ENVELOPE, BODYSTRUCTURE and header fields of many, CPU of the whole server per message.

    B=build python3 tests/bench/cards.py       MESSAGES=10000

The first fetch makes what the second has kept. The messages are made by seed: 2 to 12 kB, a third of them plain, a third
with an alternative, a third with an attachment; headers as they are after three servers. Debian's Dovecot, where it is
installed, serves the same mail.
"""
import base64
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bench import Client, Dovecot, Machine, Restante, harness

MESSAGES = int(os.environ.get("MESSAGES", "10000"))
USER = "alice"
THUNDERBIRD = (b"(UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
               b"X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])")
WORDS = "meeting report lunch invoice photos tickets minutes holiday draft question answer plan budget".split()


def header(r, number):
    hops = "".join(f"Received: from mx{h}.example.net (mx{h}.example.net [192.0.2.{h}])\n\tby mx{h + 1}.example.net with ESMTPS id {r.getrandbits(64):x}\n"
                   f"\tfor <alice@example.org>; Mon, 1 Jan 2024 10:00:0{h} +0000\n" for h in range(3))
    subject = " ".join(r.sample(WORDS, 4))
    return (f"Return-Path: <u{r.randrange(500)}@example.com>\n{hops}DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=k1;\n\tb={base64.b64encode(r.randbytes(190)).decode()}\n"
            f"From: User Number <u{r.randrange(500)}@example.com>\nTo: Alice <alice@example.org>\nSubject: {r.choice(['', 'Re: '])}{subject}\n"
            f"Date: Mon, 1 Jan 2024 10:{r.randrange(60):02}:00 +0000\nMessage-ID: <{number}.{r.getrandbits(48):x}@example.com>\n"
            f"References: <{r.getrandbits(48):x}@example.com>\n <{r.getrandbits(48):x}@example.com>\nUser-Agent: bench\nMIME-Version: 1.0\n")


def body(r, kind):
    text = "\n".join(" ".join(r.choices(WORDS, k=10)) for _ in range(r.randrange(10, 60))) + "\n"
    if kind == 0:
        return f"Content-Type: text/plain; charset=utf-8\n\n{text}"
    second = (f"Content-Type: text/html; charset=utf-8\n\n<html><body><p>{text}</p></body></html>\n" if kind == 1 else
              f"Content-Type: application/pdf; name=a.pdf\nContent-Disposition: attachment; filename=a.pdf\nContent-Transfer-Encoding: base64\n\n{base64.encodebytes(r.randbytes(4000)).decode()}")
    return (f"Content-Type: multipart/{['', 'alternative', 'mixed'][kind]}; boundary=\"=_b\"\n\n--=_b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
            f"--=_b\n{second}\n--=_b--\n")


def fill(maildir):
    r = random.Random(8)
    for n in range(MESSAGES):
        path = os.path.join(maildir, "cur", f"{1700000000 + n}.M{n}P1.bench:2,S")
        with open(path, "w") as f:
            f.write(header(r, n) + body(r, n % 3))
        os.chown(path, harness.USERS[USER][0], harness.USERS[USER][0])


def drain(connection, line, tag):
    """Send a command and read to its end, as fast as it can be done here."""
    connection.sendall(line + b"\r\n")
    tail = b""
    while True:
        piece = connection.recv(1 << 18)
        if not piece:
            raise EOFError(line)
        tail = (tail + piece)[-512:]
        if b"\r\n" + tag + b" OK" in tail and tail.endswith(b"\r\n"):
            return


def measure(machine, server):
    client = Client(machine, server)
    rows = {}

    def fetch(name, items):
        connection = client.imap_login(USER)
        drain(connection, b"s SELECT INBOX", b"s")
        before = server.meter.usec(server.pid)
        drain(connection, b"f FETCH 1:* " + items, b"f")
        time.sleep(0.5)
        rows[name] = (server.meter.usec(server.pid) - before) / MESSAGES
        connection.close()

    connection = client.imap_login(USER)
    drain(connection, b"s SELECT INBOX", b"s")  # UIDs are given, before anything is measured
    drain(connection, b"f FETCH 1:* (FLAGS)", b"f")
    connection.close()
    fetch("ENVELOPE BODYSTRUCTURE, from scratch, us a message", b"(ENVELOPE BODYSTRUCTURE)")
    fetch("ENVELOPE BODYSTRUCTURE, again, us a message", b"(ENVELOPE BODYSTRUCTURE)")
    fetch("header fields as Thunderbird asks, us a message", THUNDERBIRD)
    fetch("header fields as Thunderbird asks, again", THUNDERBIRD)
    return rows


def main():
    harness.own_namespace()
    real_hash, harness.hash_password = harness.hash_password, lambda _: "*"
    machine = Machine()
    harness.hash_password = real_hash
    results = {}
    try:
        machine.pam_service("restante-bench", "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n")
        for kind in [Restante] + ([Dovecot] if shutil.which("dovecot") else []):
            home = machine.path("home", USER, "Maildir")
            machine.maildir(USER)
            fill(home)
            server = kind(machine)
            try:
                results[kind.name] = measure(machine, server)
            finally:
                server.stop()
            shutil.rmtree(home)
        print(f"{MESSAGES} messages; CPU of all processes of the server")
        print(f"{'':52}" + "".join(f"{name:>12}" for name in results))
        for row in results["restante"]:
            print(f"{row:52}" + "".join(f"{results[name][row]:12.1f}" for name in results))
    finally:
        machine.close()


if __name__ == "__main__":
    main()
