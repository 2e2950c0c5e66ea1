#!/usr/bin/env python3
"""Writes the corpus of messages: make.py [--big] DIR. Every message is here for a reason, which its name tells.

--big adds messages of megabytes. The small ones are kept in this directory; run again after a change.
"""
import base64
import os
import random
import sys

M = {}
BIG = {}


def add(name, text, big=False):
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    (BIG if big else M)[name] = data


def crlf(data):
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


HEAD = b"From: Sender <sender@example.org>\nTo: Reader <reader@example.org>\nSubject: %s\nDate: Fri, 01 Mar 2024 12:34:56 +0900\nMessage-ID: <%s@example.org>\nMIME-Version: 1.0\n"


def head(name, subject=b"a test"):
    return HEAD % (subject, name.encode())


def multi(boundary, parts, subtype=b"mixed", preamble=b"", epilogue=b"", end=True):
    out = b'Content-Type: multipart/%s; boundary="%s"\n\n' % (subtype, boundary) + preamble
    for p in parts:
        out += b"--" + boundary + b"\n" + p + b"\n"
    return out + (b"--" + boundary + b"--\n" if end else b"") + epilogue


def text(body, ctype=b"text/plain", extra=b""):
    return b"Content-Type: " + ctype + b"\n" + extra + b"\n" + body


# Plain messages.
add("plain", head("plain") + b"\nHello.\n")
add("plain-crlf", crlf(head("plain-crlf") + b"\nHello.\n\nTwo.\n"))
add("empty-file", b"")
add("only-lf", b"\n")
add("only-crlf", b"\r\n")
add("only-cr", b"\r")
add("only-header", head("only-header"))
add("only-header-no-eol", b"Subject: x")
add("only-blank-line-header", head("x") + b"\n")
add("only-body", b"\nno header at all\n")
add("no-eol-at-end", head("no-eol") + b"\nlast line without end")
add("body-only-newlines", head("nl") + b"\n\n\n\n\n")
add("no-blank-line", b"Subject: x\nthis line is no field\nnor this\n")
add("mbox-from-line", b"From sender@example.org Fri Mar  1 12:34:56 2024\n" + head("mbox") + b"\nHello\nFrom here\n")
add("leading-blank-continuation", b" folded first line\nSubject: x\n\nbody\n")
add("header-spaces-before-colon", b"Subject : spaced\nFrom\t: a@b\nTo:c@d\n\nbody\n")
add("header-empty-fields", b"Subject:\nFrom:\nTo: \nCc:\t\nDate:\nMessage-ID:\nIn-Reply-To: \n\nbody\n")
add("header-duplicates", b"Subject: one\nSubject: two\nFrom: a@b\nFrom: c@d\nTo: e@f\nTo: g@h\nDate: x\nDate: y\nMessage-ID: <1>\nMessage-ID: <2>\n\nbody\n")
add("header-case", b"sUBJECT: odd case\nfROM: a@b\nCONTENT-TYPE: TEXT/PLAIN; CHARSET=UTF-8\ncontent-transfer-encoding: QUOTED-PRINTABLE\n\nbody=20\n")
add("header-folded", b"Subject: one\n two\n\tthree\n  four\nFrom: A\n B\n <a@b>\nTo:\n a@b,\n c@d\n\nbody\n")
add("header-folded-crlf", crlf(b"Subject: one\n two\n\tthree\nFrom: A\n B\n <a@b>\n\nbody\n"))
add("header-fold-blank-lines", b"Subject: one\n \n two\n\t\n\nbody\n")
add("header-trailing-blanks", b"Subject: trailing   \t \nFrom: a@b   \nMessage-ID: <x>  \n\nbody\n")
add("header-colons", b"Subject: a: b:: c\n:\n: x\n::\n\nbody\n")
add("header-cr-inside", b"Subject: a\rb\rc\nFrom: a@b\r\n\r\nbody\r")
add("header-quotes", b'Subject: "quoted" and \\back\\slash\nFrom: "A \\"B\\" \\\\ C" <a@b>\n\nbody\n')
add("header-8bit-latin1", b"Subject: caf\xe9 cr\xe8me\nFrom: Andr\xe9 <a@b>\n\nbody \xe9\n")
add("header-8bit-utf8", "Subject: 日本語の件名\nFrom: 山田太郎 <yamada@example.jp>\nTo: \"鈴木\" <suzuki@example.jp>\n\n本文\n")
add("header-8bit-sjis", "Subject: 日本語の件名です\nFrom: 山田 <a@b>\n\n本文\n".encode("cp932"))
add("header-8bit-eucjp", "Subject: 日本語の件名です\nFrom: 山田 <a@b>\n\n本文\n".encode("euc_jp"))
add("header-raw-iso2022jp", "Subject: 日本語の件名\nFrom: 山田 <a@b>\n\n本文\n".encode("iso2022_jp"))
add("header-nul", b"Subject: nul\x00inside\nFrom: nul\x00 <a@b>\n\nbody\x00nul\n")
add("header-controls", b"Subject: bell\x07 esc\x1b del\x7f\nFrom: a\x01b@c\n\nbody\n")
add("header-long-line", b"Subject: " + b"x" * 5000 + b"\nFrom: a@b\n\nbody\n")
add("header-many-fields", b"".join(b"X-%d: v\n" % i for i in range(500)) + b"Subject: last\n\nbody\n")
add("header-many-recipients", b"To: " + b",\n ".join(b"User %d <u%d@example.org>" % (i, i) for i in range(300)) + b"\n\nbody\n")
add("mixed-line-ends", b"Subject: x\r\nFrom: a@b\nTo: c@d\r\n\nbody\r\nlf\ncr\rmix\r\r\n\n\r\n")
add("cr-only-lines", b"Subject: x\rFrom: a@b\r\rbody\r")
add("body-nuls", head("nuls") + b"\n\x00\x00\n\x00")
add("body-long-line", head("longline") + b"\n" + b"y" * 20000 + b"\n")
add("body-dashes", head("dashes") + b"\n--\n---\n-- \n--x\n-\n")

# Addresses.
ADDRESSES = [
    b"a@b", b"<a@b>", b"A B <a@b>", b'"A, B" <a@b>', b"a@b (Comment)", b"(one) a@b (two)", b"a@b, c@d", b"a", b"<a>", b"A <a>",
    b"A B", b"A B, C D <c@d>", b"undisclosed-recipients:;", b"undisclosed-recipients: ;", b"G: a@b, c@d;", b"G: a@b, c@d;, e@f",
    b"G: a@b", b'"Q G": a@b;', b"G: A <a@b>; (c)", b"<@r1,@r2:a@b>", b"A <@r1>", b"<>", b"A <>", b"A <a@b> junk",
    b'A "B" C <a@b>', b"A.B <a@b>", b"A. B. <a@b>", b"F. Bar <a@b>", b"a.b.c@d.e", b"a..b@c", b"a @ b", b'"a b"@c', b"a@[1.2.3.4]",
    b"a@[IPv6:::1]", b"a@", b"@b", b"=?utf-8?Q?foo?= <a@b>", b"=?utf-8?Q?a?=\n =?utf-8?Q?b?= <a@b>", b"\xe3\x81\x82 <a@b>",
    b'"\xe3\x81\x82" <\xe3\x81\x82@b>', b"A (x) B (y) <a@b> (z)", b"a@b (x) (y)", b'"a\\"b\\\\c" <a@b>', b"", b"()", b"(c)",
    b'"A"<a@b>', b"A<a@b>", b"O'Neil <a@b>", b'"A" "B" <a@b>', b"A\n B\n\tC <a@b>", b'A <a@b>, "B" <c@d>,\n C <e@f>', b'<"a b"@c>',
    b"A  B   C <a@b>", b"a@b(c)", b"a(c)@(d)b", b'"" <a@b>', b"MAILER-DAEMON", b"root (Cron Daemon)", b"a@b (n (e (s) t) ed)",
    b"a@b (q\\)uoted)", b'"G, H": a@b, "x y" <c@d>;', b"a@b (c) , d@e (f)", b"a@b,",
]
ODD = [
    b"a@b,, c@d", b", a@b", b"G:", b"A <a@b", b"A a@b", b"A a@b, c@d", b"a . b @ c . d", b'"a".b@c', b"a@b@c", b"<a@b@c>", b"<a@>",
    b"<@b>", b'"unterminated <a@b>', b"(unterminated a@b", b"a@b; c@d", b"a b c", b"<a@b><c@d>", b"A [B] <a@b>", b"foo@bar <a@b>",
    b"G:a@b;H:c@d;", b"G:H:a@b;;", b"G: ;x@y", b"a@b c@d", b"<a b@c>", b"<a@b.>", b"<a@b c>", b"a@b>", b">a@b", b"A <mailto:a@b>",
    b"<a,b@c>", b"A\x00B <a@b>", b"A\\ B <a@b>", b"a(c)b@d", b"A<a@b>B<c@d>", b"@a:b@c", b"a@.b", b"; a@b", b": a@b", b"A <a@b>;",
    b"((((((((((((((((((((a@b", b"<<<<a@b>>>>", b'"""""a@b', b",,,,,", b";;;;", b"A <@r1:>", b".a@b", b"a.@b",
]
for i in range(0, len(ADDRESSES), 8):
    add("addresses-%02d" % (i // 8), b"".join(n + b": " + v + b"\n" for n, v in zip(
        [b"From", b"Sender", b"Reply-To", b"To", b"Cc", b"Bcc"], ADDRESSES[i:i + 6])) + b"\nbody\n")
    add("addresses-%02db" % (i // 8), b"".join(n + b": " + v + b"\n" for n, v in zip([b"To", b"Cc"], ADDRESSES[i + 6:i + 8])) + b"\nbody\n")
for i, v in enumerate(ODD):
    add("address-odd-%02d" % i, b"To: " + v + b"\n\nbody\n")

# MIME as it should be.
add("alternative", head("alt") + multi(b"b1", [text(b"plain"), text(b"<p>html</p>", b"text/html; charset=utf-8")], b"alternative"))
add("alternative-crlf", crlf(head("alt") + multi(b"b1", [text(b"plain\n\n"), text(b"<p>html</p>", b"text/html; charset=utf-8")], b"alternative")))
add("attachment", head("att") + multi(b"=_x", [text(b"see attached\n"), text(base64.encodebytes(bytes(range(256))), b'application/octet-stream; name="a.bin"', b'Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename="a.bin"; size=256\n')]))
add("related", head("rel") + multi(b"r", [text(b"<img src=cid:1>", b"text/html"), text(b"AAAA", b"image/gif", b"Content-ID: <1@x>\nContent-Transfer-Encoding: base64\nContent-Location: http://example.org/\n a.gif\nContent-Description: a picture\n")], b"related"))
add("nested", head("nest") + multi(b"outer", [multi(b"inner", [text(b"one"), text(b"two", b"text/html")], b"alternative"), text(b"three")]))
add("preamble-epilogue", head("pre") + multi(b"b", [text(b"one")], preamble=b"This is a preamble.\n--not\n", epilogue=b"This is an epilogue.\n--b\nnot a part\n"))
add("rfc822", head("fwd") + b"Content-Type: message/rfc822\n\n" + head("inner", b"inner") + b"\ninner body\n")
add("rfc822-in-mixed", head("fwd") + multi(b"b", [text(b"see"), b"Content-Type: message/rfc822\nContent-Description: fwd\n\n" + head("in", b"inner") + multi(b"c", [text(b"1"), text(b"2")])]))
add("rfc822-twice", head("f") + b"Content-Type: message/rfc822\n\nSubject: 1\nContent-Type: message/rfc822\n\nSubject: 2\n\ndeep\n")
add("digest", head("dig") + multi(b"d", [b"\nSubject: one\n\nfirst\n", text(b"text in digest"), b"\nFrom: x@y\nSubject: two\n\nsecond\n"], b"digest"))
add("delivery-report", head("dsn") + multi(b"r", [text(b"failed"), text(b"Reporting-MTA: dns; x\n", b"message/delivery-status"), text(b"Subject: orig\n", b"text/rfc822-headers")], b"report; report-type=delivery-status"))
add("signed", head("sig") + multi(b"s", [text(b"signed"), text(b"MIAG", b'application/pkcs7-signature; name="smime.p7s"', b"Content-Transfer-Encoding: base64\n")], b'signed; protocol="application/pkcs7-signature"; micalg=sha-256'))
add("message-partial", head("p") + b'Content-Type: message/partial; id="x@y"; number=1; total=2\n\nSubject: x\n\nhalf')
add("message-external", head("e") + b"Content-Type: message/external-body; access-type=local-file; name=x\n\nContent-Type: text/plain\n\n")
add("message-global", head("g") + "Content-Type: message/global\n\nSubject: 日本\n\nbody\n".encode())
add("languages", head("l") + b"Content-Language: en, de (x), ja-JP\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\nContent-Location: x\n\nbody\n")
add("languages-odd", head("l") + b"Content-Language: ,en,,de;fr\n\nbody\n")
add("content-fields-folded", head("l") + b"Content-Type: text/plain;\n\tcharset=\"utf-8\";\n format=flowed\nContent-Description: one\n two\nContent-ID: <a\n b>\nContent-Disposition: inline;\n\tfilename=\"a\n b\"\n\nbody\n")
add("encoding-odd", head("l") + b"Content-Transfer-Encoding: (c) BASE64 (d)\n\nAAAA\n")
add("encoding-junk", head("l") + b"Content-Transfer-Encoding: base64 junk\n\nAAAA\n")
add("encoding-empty", head("l") + b"Content-Transfer-Encoding:\nContent-ID:\nContent-Description: \nContent-Disposition:\nContent-MD5:\nContent-Language:\nContent-Location:\n\nAAAA\n")
add("disposition-odd", head("l") + b"Content-Disposition: ; filename=x\n\nbody\n")

# MIME as it should not be.
add("no-mime-version", b"Subject: x\n" + multi(b"b", [text(b"one"), text(b"two")]))
add("no-end-boundary", head("x") + multi(b"b", [text(b"one"), text(b"two")], end=False))
add("no-inner-end", head("x") + multi(b"o", [multi(b"i", [text(b"one")], end=False), text(b"two")]))
add("no-boundary-lines", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\nno boundary here\n")
add("no-boundary-parameter", head("x") + b"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n")
add("empty-boundary", head("x") + b'Content-Type: multipart/mixed; boundary=""\n\n--\n\none\n--\n\ntwo\n----\n')
add("empty-multipart", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n")
add("empty-multipart-closed", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b--\n")
add("empty-part", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n--b--\n")
add("empty-parts", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b\n--b\n\n\n--b--\n")
add("empty-nested", head("x") + multi(b"o", [b"Content-Type: multipart/mixed; boundary=i\n", b"Content-Type: multipart/mixed; boundary=i\n\n", b"Content-Type: multipart/mixed; boundary=i\n\n--i--"]))
add("boundary-in-header", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\nContent-Type: text/plain\n\nx\n--b--\n")
add("boundary-in-folded-header", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html;\n--b\n x=y\n\nx\n--b--\n")
add("boundary-at-eof", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b")
add("boundary-at-eof-eol", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\n")
add("boundary-prefix", head("x") + multi(b"o", [multi(b"oi", [text(b"1"), text(b"2")]), text(b"3")]))
add("boundary-prefix-reverse", head("x") + multi(b"oi", [multi(b"o", [text(b"1"), text(b"2")]), text(b"3")]))
add("boundary-prefix-dashes", head("x") + multi(b"b", [multi(b"b--", [text(b"1"), text(b"2")]), text(b"3")]))
add("boundary-same-nested", head("x") + multi(b"b", [multi(b"b", [text(b"1"), text(b"2")]), text(b"3")]))
add("boundary-longer-line", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--bcd\n\none\n--b  \n\ntwo\n--b--xyz\n\nthree\n")
add("boundary-trailing-blanks", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b  \t\n\none\n--b \r\n\r\ntwo\n--b-- \nepilogue\n")
add("boundary-long", head("x") + multi(b"q" * 300, [text(b"one"), text(b"two")]))
add("boundary-70", head("x") + multi(b"0123456789" * 7, [text(b"one"), text(b"two")]))
add("boundary-odd-characters", head("x") + multi(b"a'()+_,-./:=? b", [text(b"one"), text(b"two")]))
add("boundary-8bit", head("x") + multi(b"\xe3\x81\x82", [text(b"one"), text(b"two")]))
add("boundary-continued", head("x") + b"Content-Type: multipart/mixed; boundary*0=ab;\n boundary*1=cd\n\n--abcd\n\none\n--abcd--\n")
add("boundary-unquoted-equals", head("x") + b"Content-Type: multipart/mixed; boundary=----=_Part_1\n\n------=_Part_1\n\none\n------=_Part_1--\n")
add("boundary-twice", head("x") + b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--b\n\none\n--a\n\ntwo\n--a--\n")
add("boundary-dash-lines", head("x") + multi(b"b", [text(b"-\n--\n---\n-- b\n --b\n-b\n--B\nx--b")]))
add("boundary-crlf-mixed", head("x") + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\n\r\none\r\n--b\r\n\ntwo\n--b--\r\n")
add("boundary-cr-before", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\r\r\n--b\n\ntwo\r--b\nthree\n--b--\n")
add("boundary-after-close", head("x") + multi(b"o", [multi(b"i", [text(b"1")], epilogue=b"epilogue\n--i\nagain\n"), text(b"2")]))
add("boundary-outer-closes-inner", head("x") + b"Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\n1\n--o--\n--i--\n")
add("multipart-base64", head("x") + b"Content-Transfer-Encoding: base64\n" + multi(b"b", [text(b"one")]))
add("rfc822-base64", head("x") + b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKYm9keQo=\n")
add("rfc822-empty", head("x") + b"Content-Type: message/rfc822\n\n")
add("rfc822-no-body", head("x") + b"Content-Type: message/rfc822\n")
add("rfc822-cut-in-mixed", head("x") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n--b\nContent-Type: message/rfc822\n\nSubject: cut\n--b--\n")
add("digest-empty-parts", head("x") + b"Content-Type: multipart/digest; boundary=b\n\n--b\n\n--b\n--b\n\n\n--b--\n")
add("type-twice", head("x") + b"Content-Type: text/html\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n")
add("deep-50", head("x") + (lambda m: [m := multi(b"d%d" % i, [m]) for i in range(50)][-1])(text(b"leaf")))
add("deep-rfc822-30", b"Content-Type: message/rfc822\n\n" * 30 + b"Subject: deepest\n\nleaf\n")
add("deep-mixed", head("x") + (lambda m: [m := multi(b"d%d" % i, [b"Content-Type: message/rfc822\n\n" + m, text(b"x")]) for i in range(10)][-1])(text(b"leaf")))
add("deep-99", head("x") + (lambda m: [m := multi(b"%03d" % i, [m]) for i in range(99)][-1])(text(b"leaf")))
add("deep-150", head("x") + (lambda m: [m := multi(b"%03d" % i, [m]) for i in range(150)][-1])(text(b"leaf")))
add("deep-rfc822-150", b"Content-Type: message/rfc822\n\n" * 150 + b"Subject: deepest\n\nleaf\n")
add("many-parts", head("x") + multi(b"b", [b"\n%d" % i for i in range(200)]))
add("uuencode", head("uu") + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n#86)C\n`\nend\n")

# Content-Type in all shapes.
TYPES = [
    b"text/plain; a = \"b\" ; c = d (comment)", b"TEXT/Plain; CharSet=\"UTF-8\"", b"(c) text(x)/(y)plain (z); a=b", b"text / html; a=b",
    b"text/plain; a=\"\\\"q\\\\\"; b=\"a\n b\"", b"text/plain; a=\xe3\x81\x82; b=\"\xe3\x81\x82\"", b"text/plain;a*0=x;a*1=y;z=1",
    b"text/plain;a*0*=utf-8''%41;a*1=%42", b"text/plain;a*0=x;a*2=y", b"text/plain;a*=utf-8'en'%41%42;a=x", b"text/plain;a*1=y;a*0=x",
    b"text/plain; charset=\"\"", b"image/png; name==?utf-8?Q?foo?=; b=c", b"image/png; name=x y z.png", b"image/png; name=", b"image/png;",
    b"application/x; a=\"b\tc  d\"", b"a.b/c.d+e", b"a/b; a=x@y; b=c", b"text/plain; a=; b=c", b"a/b; name='x y'; z=1",
    b"text/plain; filename*0*=utf-8''%e3%81; filename*1*=%82; filename*2=\".txt\"", b"text/plain; a=x y; b=c",
]
ODD_TYPES = [
    b"text", b"text; charset=iso-2022-jp", b"", b"/plain", b"text/", b"image", b"text/plain; a", b"text/plain; a; b=c", b"text/plain; a=\"x",
    b"text/plain charset=utf-8; b=c", b"text/plain; ; b=c;", b"text/plain; =x; b=c", b"text/plain/foo; a=b", b"text/plain,; a=b",
    b"text/\"plain\"; a=b", b"image/png;;a=b", b"image/png; a=b, c=d", b"text/plain;a**=b;b*x=c", b"text/plain;a*0=x;A*1=y",
    b"text/plain;a*00=x;a*01=y", b"text/plain;a*0*=x;a*0=y;a*1=z", b"multipart; boundary=x", b"multipart/mixed; boundary=\"b",
    b"image/png; a=b\x01c; d=e", b"image/png; a=(c)b", b"\"text/plain\"; a=b", b"text/plain (c; d=e); (x)a(y)=(z)b(w)",
]
for i, v in enumerate(TYPES):
    add("type-%02d" % i, head("t") + b"Content-Type: " + v + b"\nContent-Disposition: attachment;" + v.partition(b";")[2] + b"\n\nbody\n")
for i, v in enumerate(ODD_TYPES):
    add("type-odd-%02d" % i, head("t") + b"Content-Type: " + v + b"\n\n--x\n\nbody\n--x--\n")

# Charsets.
JP = "吾輩は猫である。名前はまだ無い。"
SAMPLES = [
    ("iso-2022-jp", "iso2022_jp", JP), ("iso-2022-jp-kana", "iso2022_jp_ext", JP + "ｱｲｳ"), ("shift_jis", "cp932", JP + "①ｱｲｳ髙"),
    ("euc-jp", "euc_jp", JP), ("utf-8", "utf-8", JP + "😀"), ("gb2312", "gb2312", "你好世界"), ("gb18030", "gb18030", "你好世界𠀀"),
    ("big5", "big5", "你好世界"), ("euc-kr", "euc_kr", "안녕하세요"), ("koi8-r", "koi8_r", "Привет, мир"), ("koi8-u", "koi8_u", "Привіт"),
    ("windows-1251", "cp1251", "Привет"), ("windows-1252", "cp1252", "café – “x” €"), ("iso-8859-1", "latin1", "café"),
    ("iso-8859-2", "iso8859_2", "Łódź"), ("iso-8859-7", "iso8859_7", "Ελλάδα"), ("iso-8859-8", "iso8859_8", "שלום"),
    ("iso-8859-9", "iso8859_9", "İstanbul"), ("iso-8859-15", "iso8859_15", "€"), ("windows-1250", "cp1250", "Łódź"),
    ("windows-1253", "cp1253", "Ελλάδα"), ("windows-1255", "cp1255", "שלום"), ("windows-1256", "cp1256", "مرحبا"), ("windows-874", "cp874", "สวัสดี"),
    ("utf-7", "utf-7", "日本語"), ("utf-16", "utf-16", "日本語"), ("us-ascii", "ascii", "plain"), ("x-unknown", "latin1", "caf\xe9"),
    ("windows-1257", "cp1257", "Žemaitė"), ("windows-1258", "cp1258", "Vi\u00ea\u0323t"), ("iso-2022-kr", "iso2022_kr", "안녕하세요"), ("ibm866", "cp866", "Привет"),
]
for name, codec, sample in SAMPLES:
    label = name.replace("-kana", "").encode()
    raw = sample.encode(codec)
    word = b"=?" + label + b"?B?" + base64.b64encode(raw) + b"?="
    add("charset-" + name, b"Subject: " + word + b"\nFrom: " + word + b" <a@b>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=" + label +
        b"\nContent-Transfer-Encoding: base64\n\n" + base64.encodebytes(raw))
NEC = b"\x1b$B-!F|K\\\x1b(B ok"  # a circled digit one of NEC's row 13
add("charset-iso-2022-jp-vendor", b"Subject: =?ISO-2022-JP?B?" + base64.b64encode(NEC) + b"?=\nContent-Type: text/plain; charset=iso-2022-jp\n\n" + NEC + b"\n")
add("charset-iso-2022-jp-cut", b"Subject: =?ISO-2022-JP?B?" + base64.b64encode(b"\x1b$BF|K") + b"?=\n =?ISO-2022-JP?B?" + base64.b64encode(b"\\\x1b(B") + b"?=\nContent-Type: text/plain; charset=iso-2022-jp\n\n\x1b$BF|K")
add("charset-utf8-split", b"Subject: =?utf-8?B?5pel5pw=?= =?utf-8?B?rOiqng==?=\nFrom: =?utf-8?Q?=E6=97?=\n =?utf-8?Q?=A5?= <a@b>\n\nbody\n")
add("charset-utf8-invalid", b"Subject: =?utf-8?Q?=FF=FE=C0=80=ED=A0=80?=\nContent-Type: text/plain; charset=utf-8\n\n\xff\xfe\xc0\x80\n")
add("words-broken", b"Subject: =?utf-8?Q?no end\nFrom: =?utf-8?X?x?= <a@b>\nTo: =?utf-8?B?!!!?= <a@b>\nCc: =??Q?x?= <a@b>\nBcc: =?utf-8*en?Q?lang?= <a@b>\n\nbody\n")
add("qp-broken", head("qp") + b"Content-Transfer-Encoding: quoted-printable\n\n=\n=4\n=4G =zz trailing   \nsoft=  \n=E3=81=\n=82=")
add("base64-broken", head("b64") + b"Content-Transfer-Encoding: base64\n\nSGVs\n!!bG8=\n=\nQUJD\nA")

# Dates.
for i, v in enumerate([b"Fri, 1 Mar 2024 12:34:56 +0900", b"1 Mar 24 12:34 EST", b"Fri Mar  1 12:34:56 2024", b"2024-03-01T12:34:56+09:00", b"garbage", b"Fri, 01 Mar 2024\n 12:34:56 +0900 (JST)"]):
    add("date-%d" % i, b"Date: " + v + b"\nSubject: Re: [list] Fwd: date\n\nbody\n")

# Deep and broken MIME.
def nest(levels, wrap, inner):
    for i in reversed(range(levels)):
        inner = wrap(i, inner)
    return inner


add("deep-alternating-60", head("deep-alternating") + nest(60, lambda i, x: multi(b"m%d" % i, [text(b"level %d" % i), x]) if i % 2 else b"Content-Type: message/rfc822\n\nSubject: level %d\n" % i + x, text(b"bottom")))
add("deep-unclosed-40", head("deep-unclosed") + nest(40, lambda i, x: multi(b"u%d" % i, [x], end=False), text(b"bottom")))
add("deep-outer-closes-all", head("deep-outer") + multi(b"outer", [nest(20, lambda i, x: multi(b"i%d" % i, [x], end=False), text(b"bottom")), text(b"second")]))
add("wide-200", head("wide") + multi(b"w", [text(b"%d" % i) for i in range(200)]))
add("boundary-comment", head("boundary-comment") + b"Content-Type: multipart/mixed (a comment); boundary=b (another)\n\n--b\n\none\n--b--\n")
add("boundary-backslash", head("boundary-backslash") + b'Content-Type: multipart/mixed; boundary="a\\"b"\n\n--a"b\n\none\n--a"b--\n')
add("boundary-only-close", head("boundary-only-close") + b"Content-Type: multipart/mixed; boundary=b\n\n--b--\nepilogue\n")
add("boundary-missing-inner", head("boundary-missing-inner") + multi(b"o", [b"Content-Type: multipart/alternative\n\n--i\n\nno one knows me\n--i--\n", text(b"after")]))
add("boundary-never-comes", head("boundary-never-comes") + b"Content-Type: multipart/mixed; boundary=expected\n\n--other\nContent-Type: text/plain\n\nlost\n--other--\n")
add("boundary-lower-case", head("boundary-lower-case") + b"Content-Type: multipart/mixed; boundary=ABC\n\n--abc\n\nnot a part\n--ABC\n\na part\n--ABC--\n")
add("boundary-two-parameters", head("boundary-two") + b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n--a\n\none\n--b\n\ntwo\n--a--\n")
add("part-header-cut", head("part-header-cut") + b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n--b\nContent-Type: text/plain\n")

# Headers of 8-bit bytes, as they were written before anyone asked.
for name, charset, words in [("gb18030", "gb18030", "\u4f60\u597d\uff0c\u4e16\u754c"), ("koi8-r", "koi8-r", "\u041f\u0440\u0438\u0432\u0435\u0442"), ("windows-1251", "cp1251", "\u041f\u0440\u0438\u0432\u0435\u0442"), ("big5", "big5", "\u4f60\u597d"), ("euc-kr", "euc-kr", "\uc548\ub155"), ("windows-1255", "cp1255", "\u05e9\u05dc\u05d5\u05dd")]:
    raw = words.encode(charset)
    add("header-8bit-" + name, b"From: " + raw + b" <a@example.org>\nTo: \"" + raw + b"\" <b@example.org>\nSubject: " + raw + b"\nContent-Type: text/plain; charset=" + name.encode() + b"; name=\"" + raw + b".txt\"\n\n" + raw + b"\n")
add("header-8bit-mixed", "Subject: \u65e5\u672c".encode("utf-8") + b" \x93\xfa\x96\x7b \xc6\xfc\xcb\xdc\nFrom: \xe9\xe8 <\xe0@b>\n\nthree charsets in one line\n")

# ISO-2022-JP as vendors wrote it, and the rest of Japan's.
JP = b"Subject: =?ISO-2022-JP?B?%s?=\nContent-Type: text/plain; charset=iso-2022-jp\n\n%s\n"


def jp(name, raw):
    add("iso-2022-jp-" + name, JP % (base64.b64encode(raw), raw))


jp("jis78", b"\x1b$@F|K\\\x1b(J yen \\ \x1b(B")
jp("shift-out-kana", b"\x0e6@6E\x0f ok")
jp("8bit-kana", b"\xb6\xc0\xb6\xc5 ok")
jp("ibm-extension", b"\x1b$B|q|r\x1b(B ok")
jp("x0212", b"\x1b$(D0!0\"\x1b(B ok")
jp("line-end-in-kanji", b"\x1b$BF|K\\\nF|K\\\x1b(B ok")
jp("unknown-escape", b"\x1b$(OF|K\\\x1b(B \x1b.A\x1bN! ok")
jp("gb2312-escape", b"\x1b$AFs\x1b(B ok")
add("shift_jis-gaiji", b"Subject: =?Shift_JIS?B?" + base64.b64encode(b"\x87\x40\xfa\x40\xf0\x40 ok") + b"?=\nContent-Type: text/plain; charset=Shift_JIS\n\n\x87\x40\xfa\x40\xf0\x40 ok\n")
add("euc-jp-three-bytes", b"Content-Type: text/plain; charset=euc-jp\n\n\x8f\xb0\xa1\x8e\xb6\xad\xa1 ok\n")
add("charset-gb18030-four-bytes", b"Content-Type: text/plain; charset=gb18030\n\n\x81\x30\x81\x30\x95\x32\x82\x36 ok\n")
add("charset-hz-gb-2312", b"Content-Type: text/plain; charset=hz-gb-2312\n\n~{<:Ky2;S{~} ok\n")
add("charset-windows-as-latin", b"Content-Type: text/plain; charset=iso-8859-1\n\n\x93quoted\x94 \x80 100 \x96 ok\n")

# Nothing, or next to it; mixed line ends; NULs.
add("empty-base64", head("empty-base64") + b"Content-Transfer-Encoding: base64\n\n")
add("empty-html", head("empty-html") + b"Content-Type: text/html\n\n<html><head><title>x</title></head><body></body></html>\n")
add("line-ends-crcrlf", b"Subject: x\r\r\nFrom: a@b\r\r\n\r\r\nbody\r\r\n")
add("line-ends-lfcr", b"Subject: x\n\rFrom: a@b\n\r\n\rbody\n\r")
add("line-ends-header-crlf-body-lf", crlf(head("crlf-lf") + b"Content-Type: multipart/mixed; boundary=b\n\n") + b"--b\n\none\n--b\r\n\r\ntwo\r\n--b--\n")
add("line-ends-cr-in-blank-line", b"Subject: x\n\r \nFrom: a@b\n\nbody\n")
add("nul-in-names", b"Sub\x00ject: x\nFrom\x00: a@b\nSubject: y\n\nbody\n")
add("nul-in-boundary", head("nul") + b'Content-Type: multipart/mixed; boundary="a\x00b"\n\n--a\x00b\n\none\n--a\x00b--\n')
add("nul-in-base64", head("nul-b64") + b"Content-Transfer-Encoding: base64\n\nSGVs\x00bG8=\n")
add("nul-only", b"\x00")

# What a list of messages shows of them.
add("preview-newsletter", head("newsletter") + multi(b"b", [text(b"\n"), text(b"<html><head><style>p{x:y}</style></head><body><div style='display:none'>First words" + b"&zwnj;&nbsp;&#847;" * 60 + b"</div><!--[if mso]><p>Outlook</p><![endif]--><table><tr><td>Hello</td><td>reader</td></tr></table></body></html>\n", b"text/html; charset=utf-8")], b"alternative"))
add("preview-reply", head("reply", b"Re: a test") + b"References: <a@x> <b@x>\nIn-Reply-To: <b@x>\nContent-Type: text/plain; charset=utf-8; format=flowed\n\nOn Friday, Alice\n<a@x> wrote:\n> old\n> words\n\nNew words.\n-- \nBob\n")
add("preview-forward", head("forward", b"Fwd: a test") + b"\nFor you.\n\n-------- Forwarded Message --------\nFrom: c@d\n\nOld.\n")
add("preview-attachment-first", head("attachment-first") + multi(b"b", [text(b"listed", b"text/plain; name=list.txt", b"Content-Disposition: attachment; filename=list.txt\n"), text(b"The text.")]))

# Large ones.
add("header-1mb", b"X-Pad: " + b"p" * 900000 + b"\nSubject: after\nFrom: a@b\n\nbody\n", big=True)
add("header-2mb", b"Subject: before\n" + b"X-Pad: " + b"p" * 2000000 + b"\nFrom: a@b\n\nbody\n", big=True)
add("header-1mb-fields", b"".join(b"X-%d: some value that takes place\n" % i for i in range(25000)) + b"Subject: last\n\nbody\n", big=True)
add("header-1mb-folded", b"Subject: x\n" + b" folded and folded again\n" * 30000 + b"\nbody\n", big=True)
add("recipients-9000", b"To: " + b",\n ".join(b"u%d@example.org" % i for i in range(9000)) + b"\n\nbody\n", big=True)
add("parts-9000", head("x") + multi(b"b", [b"\n"] * 9000), big=True)
add("body-10mb", head("x") + b"\n" + b"0123456789" * 7 * 0 + (b"A line of text as it is in mail, not too long.\n" * 210000), big=True)
add("body-binary", head("x") + b"Content-Transfer-Encoding: binary\n\n" + random.Random(1).randbytes(2000000), big=True)
add("base64-10mb", head("x") + multi(b"b", [text(b"see"), text(base64.encodebytes(random.Random(2).randbytes(7000000)), b"application/zip", b"Content-Transfer-Encoding: base64\n")]), big=True)


def mutate(seed):
    """A message made of pieces of others: cut, doubled, joined."""
    r = random.Random(seed)
    names = sorted(n for n in M if len(M[n]) < 4000 and not n.startswith("nul-in-"))  # what those differ in is listed by name
    data = bytearray(M[r.choice(names)])
    for _ in range(r.randrange(1, 6)):
        at = r.randrange(len(data) + 1)
        kind = r.randrange(5)
        if kind == 0:
            del data[at:at + r.randrange(1, 20)]
        elif kind == 1:
            data[at:at] = r.choice([b"\n", b"\r\n", b"\r", b"--b\n", b"\n--b--\n", b"\n\n", b" ", b"\"", b"(", b";", b"--", b"\x00", b"\xe9", b"Content-Type: message/rfc822\n\n"])
        elif kind == 2:
            other = M[r.choice(names)]
            cut = r.randrange(len(other) + 1)
            data[at:at] = other[cut:cut + r.randrange(200)]
        elif kind == 3:
            data[at:at] = data[at:at + r.randrange(100)]
        else:
            data = bytearray(crlf(bytes(data)))
    return bytes(data)


def main():
    args = [a for a in sys.argv[1:] if a != "--big"]
    where = args[0] if args else os.path.dirname(os.path.abspath(__file__))
    chosen = dict(M, **(BIG if "--big" in sys.argv else {}))
    for name, data in chosen.items():
        with open(os.path.join(where, name + ".eml"), "wb") as f:
            f.write(data)
    print("%d messages" % len(chosen))


if __name__ == "__main__":
    main()
