"""Mail made by seed, as files of a Maildir: the same in every run."""
import base64
import os
import random

WORDS = "meeting report lunch invoice photos tickets minutes holiday draft question answer plan budget".split()
FIRST_SECOND = 1700000000


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


def full(number):
    """2 to 12 kB, a third of them plain, a third with an alternative, a third with an attachment."""
    r = random.Random(number)
    return header(r, number) + body(r, number % 3)


def short(number):
    """What a mailbox of very many holds here: a header and a line."""
    return f"From: u{number % 500}@example.com\nTo: alice@example.org\nSubject: {WORDS[number % len(WORDS)]} {number}\nMessage-ID: <{number}@example.com>\n\nbody text\n"


def name(number, text):
    """As a delivery agent names it, with both sizes."""
    return f"{FIRST_SECOND + number}.M{number}P1.bench,S={len(text)},W={len(text) + text.count(chr(10))}"


def write_all(directory, n, message, uid):
    for number in range(n):
        text = message(number)
        with open(os.path.join(directory, name(number, text) + ":2,S"), "w") as f:
            f.write(text)
            os.fchown(f.fileno(), uid, uid)


def link_all(source, target):
    """The same files once more: no server writes to a message."""
    for entry in os.scandir(source):
        os.link(entry.path, os.path.join(target, entry.name))
