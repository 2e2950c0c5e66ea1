/* rfc2047.h - encoded words in header fields to UTF-8. Pure but for libc's converters (charset.h). */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Append value as UTF-8: unfolded, encoded words decoded, 8-bit bytes guessed (charset.h).
 *
 * Blanks between encoded words are left out; adjacent words of one charset are decoded as one text, so that a
 * character, or the state of ISO-2022-JP, may go on from one to the next (against RFC 2047 section 5, but found).
 * Words are found at any place, also inside quotes and without blanks around them. What is no encoded word stays.
 * NULs and other control characters than tab become blanks.
 *
 * Returns  0; -ENOBUFS: out is as before.
 * RFC      2047; 2231 section 5 (language in the charset).
 */
_must_check_ int rfc2047_decode(struct slice value, struct buf *out);
