#!/usr/bin/env python3
"""Writes casemap_table.c: the preparation of RFC 5051 for every character it changes. Run: casemap_table.py > casemap_table.c"""
import sys
import unicodedata

# Characters for which charsets with the same bytes disagree, so that a search must not tell them apart.
DISAGREED = {0x301C: "~", 0x2212: "-", 0x2225: "\u2016", 0x2015: "\u2014"}


def prepared(cp):
    if cp in DISAGREED:
        return DISAGREED[cp]
    c = chr(cp)
    title = c.title()
    # Longer ones are from SpecialCasing.txt, which RFC 5051 does not use.
    return unicodedata.normalize("NFKD", title if len(title) == 1 else c)


def rows():
    for cp in range(0x80, 0x110000):
        if 0xD800 <= cp <= 0xDFFF or 0xAC00 <= cp <= 0xD7A3:
            continue
        text = prepared(cp)
        if text != chr(cp):
            yield cp, text.encode("utf-8")


def main():
    pool, places, table, growth = b"", {}, [], 0
    found = list(rows())
    for cp, text in sorted(found, key=lambda r: -len(r[1])):
        at = pool.find(text)
        if at < 0:
            at = len(pool)
            pool += text
        places[cp] = at
    for cp, text in found:
        table.append((cp, places[cp], len(text)))
        growth = max(growth, -(-len(text) // len(chr(cp).encode("utf-8"))))
    pages = [next((i for i, r in enumerate(table) if r[0] >= page << 8), len(table)) for page in range(0x301)]
    assert table[-1][0] < 0x30000 and len(pool) < 65536
    out = sys.stdout.write
    out("/* Written by casemap_table.py from Unicode %s; do not edit. */\n" % unicodedata.unidata_version)
    out('#include "maildir/message/casemap_table.h"\n\n')
    out("/* A byte becomes at most %d. */\n" % growth)
    out("const struct casemap_row casemap_rows[] = {\n")
    for i in range(0, len(table), 5):
        out("\t" + " ".join("{ 0x%x, %d, %d }," % r for r in table[i:i + 5]) + "\n")
    out("};\n\nconst uint16_t casemap_pages[CASEMAP_PAGES + 1] = {\n")
    for i in range(0, len(pages), 16):
        out("\t" + " ".join("%d," % p for p in pages[i:i + 16]) + "\n")
    out("};\n\nconst uint8_t casemap_pool[] = {\n")
    for i in range(0, len(pool), 20):
        out("\t" + " ".join("%d," % b for b in pool[i:i + 20]) + "\n")
    out("};\n")


main()
