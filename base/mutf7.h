/* mutf7.h - modified UTF-7, in which IMAP4rev1 names mailboxes. Pure. RFC 3501 section 5.1.3. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

/*
 * Append what modified UTF-7 means, as UTF-8.
 * Returns 0; -EINVAL: not modified UTF-7 in its one right form (8-bit bytes, an open shift, printable ASCII in base64,
 * "&...-&...-" without text between, broken surrogates, non-zero bits left over); -ENOBUFS. On failure out is as before.
 */
_must_check_ int mutf7_decode(struct slice name, struct buf *out);

/* Append valid UTF-8 as modified UTF-7. Returns 0; -EINVAL: not UTF-8; -ENOBUFS. On failure out is as before. */
_must_check_ int mutf7_encode(struct slice utf8, struct buf *out);
