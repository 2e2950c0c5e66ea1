"""CPU of the front for each MB it relays, with COMPRESS=DEFLATE and without, and how much smaller it becomes.

    sudo B=build python3 tests/bench/compress.py
"""
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import harness
from harness import Server
from test_compress import Client, fresh, fronts

WORDS = [w for w in re.findall(r"[A-Za-z]{2,}", open(os.path.join(harness.ROOT, "man", "restante-internals.7")).read())]


def text(rng, size):
    lines, n = [], 0
    while n < size:
        lines.append(" ".join(rng.choice(WORDS) for _ in range(12)))
        n += len(lines[-1]) + 1
    return "\n".join(lines).encode()


def cpu_ms(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def measure(server, client, command, rounds):
    [front] = fronts(server)
    before, plain, client.raw = cpu_ms(front), 0, 0
    for _ in range(rounds):
        plain += sum(map(len, client.ask(command)))
    return (cpu_ms(front) - before) / (plain / 1e6), client.raw / plain, plain / 1e6


def upload(server, client, body, rounds):
    [front] = fronts(server)
    before = cpu_ms(front)
    for _ in range(rounds):
        client.send(b"y APPEND INBOX {%d+}\r\n" % len(body) + body + b"\r\n")
        client.until(b"y")
    return (cpu_ms(front) - before) / (len(body) * rounds / 1e6)


def main(machine):
    rng = random.Random(1)
    heads = [b"From: Some One <user%d@example.org>\nSubject: number %d\nDate: Tue, 14 Nov 2023 22:13:20 +0000\n"
             b"Message-ID: <%d@example.org>\n\n%s\n" % (i % 97, i, rng.getrandbits(60), text(rng, 4000)) for i in range(2000)]
    binary = b"Subject: picture\nContent-Transfer-Encoding: base64\n\n" + __import__("base64").encodebytes(rng.randbytes(6 << 20))
    for name, messages, command, rounds in (("ENVELOPE", heads, b"FETCH 1:* (UID FLAGS ENVELOPE)", 20), ("bodies of text", heads, b"FETCH 1:* BODY.PEEK[]", 5),
                                            ("a base64 attachment", [binary], b"FETCH 1 BODY.PEEK[]", 5)):
        for compress in (False, True):
            server = fresh(machine, messages=messages, front={"processes": "1"})
            client = Client(server)
            if compress:
                client.compress()
            client.ask(b"SELECT INBOX")
            client.ask(command)
            cost, ratio, mb = measure(server, client, command, rounds)
            print(f"{name:20} {'compressed' if compress else 'plain':10} {cost:6.1f} ms of the front a MB  {ratio * 100:5.1f} % of the octets  ({mb:.0f} MB)",
                  flush=True)
            if name.startswith("bodies"):
                print(f"{'APPEND of text':20} {'compressed' if compress else 'plain':10} {upload(server, client, text(rng, 1 << 20), 30):6.1f} ms of the front a MB",
                      flush=True)
            client.close()
            server.stop()


if __name__ == "__main__":
    harness.main("bench_compress", [main])
