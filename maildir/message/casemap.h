/* casemap.h - what SEARCH and SORT take for the same text: i;unicode-casemap. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Append UTF-8 text in its compared form: titlecase and full decomposition of each character, so that "Ａ", "a" and
 * "A" are one, half-width and full-width kana are one, "é" is found as written in one or two characters.
 * Beyond RFC 5051, the characters that charsets disagree about (wave dash and full-width tilde, ...) are one too.
 * Any cut at a character is right: f(a) f(b) is f(ab). Bytes that are no UTF-8 pass as they are.
 *
 * Returns  0; -ENOBUFS: out is as before.
 * RFC      5051 section 2; 4790 section 9.2 for ASCII.
 */
_must_check_ int casemap_append(struct slice utf8, struct buf *out);

/*
 * The compared form of ASCII text, which is as long: quicker than the above.
 * Returns false: there are bytes that are not ASCII; ret_folded is undefined then. It has room for s.n bytes.
 */
bool casemap_ascii(struct slice s, char *ret_folded);

/* The most bytes that one byte of input becomes. */
enum { CASEMAP_GROWTH = 11 };
