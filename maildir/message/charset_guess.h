/* charset_guess.h - what charset bytes are likely to be that do not say, or say it wrong; used by charset.c. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Guess from a text, or from its first bytes, which may be cut anywhere.
 * Returns the name of a charset that charset_find() knows: ISO-2022-JP, UTF-8, EUC-JP, Shift_JIS or windows-1252.
 */
struct slice charset_guess(struct slice bytes, bool may_be_cut);

/*
 * Bytes of the UTF-8 character in front; 0: it is cut, but right so far; -n: n bytes are no character.
 * RFC 3629 section 4.
 */
int utf8_character(struct slice s);
