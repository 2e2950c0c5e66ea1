#!/usr/bin/env python3
"""Writes nfc_table.c: what Normalization Form C needs of Unicode. Run: nfc_table.py > nfc_table.c"""
import sys
import unicodedata

CODE_POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c <= 0xDFFF and not 0xAC00 <= c <= 0xD7A3]


def decompositions():
    for c in CODE_POINTS:
        text = unicodedata.decomposition(chr(c))
        if text and not text.startswith("<"):
            parts = [int(p, 16) for p in text.split()]
            yield c, parts[0], parts[1] if len(parts) > 1 else 0


def classes():
    last = None
    for c in CODE_POINTS:
        combining = unicodedata.combining(chr(c))
        if combining == 0:
            continue
        if last and last[1] == c - 1 and last[2] == combining:
            last[1] = c
            continue
        if last:
            yield last
        last = [c, c, combining]
    yield last


def write(declaration, rows):
    rows = list(rows)
    print(f"{declaration}[] = {{")
    for row in rows:
        print("\t{ %s }," % ", ".join(f"0x{n:04x}" if i < 3 else str(n) for i, n in enumerate(row)))
    print("};\n")
    return len(rows)


def main():
    found = list(decompositions())
    pairs = [(a, b, c) for c, a, b in found if b and unicodedata.normalize("NFC", chr(a) + chr(b)) == chr(c)]
    print(f"/* Written by nfc_table.py from Unicode {unicodedata.unidata_version}. */")
    print('#include "base/nfc_table.h"\n')
    n = write("const struct nfc_decomposition nfc_decompositions", found)
    m = write("const struct nfc_pair nfc_pairs", sorted(pairs))
    k = write("const struct nfc_class nfc_classes", classes())
    print(f"const size_t nfc_decompositions_n = {n}, nfc_pairs_n = {m}, nfc_classes_n = {k};")


if __name__ == "__main__":
    sys.exit(main())
