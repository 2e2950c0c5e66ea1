/* base64.h - base64 as SASL and IMAP use it: one line, no blanks, padding required. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/* How many characters encode bytes. */
static inline size_t base64_encoded_size(size_t bytes)
{
	return (bytes + 2) / 3 * 4;
}

/* Append the encoding of s to out. Returns 0, or -ENOBUFS. RFC 4648 section 4. */
_must_check_ int base64_encode(struct slice s, struct buf *out);

/*
 * Append what s encodes to out.
 * Returns 0; -EINVAL: a character outside the alphabet, a length that is no multiple of 4,
 * wrong padding, or non-zero bits under it; -ENOBUFS. On failure out is as before.
 * RFC 4648 section 4, strict as RFC 9051 section 9 (base64) asks.
 */
_must_check_ int base64_decode(struct slice s, struct buf *out);
