/* envelope.h - writes the ENVELOPE of a message header, ready to send. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Append the parenthesised ENVELOPE of a raw header, or of mime_part.envelope_fields.
 *
 * Fields are shown as they are in the message, unfolded, never decoded; strings are quoted, or literals where they
 * hold 8-bit bytes; NUL is never sent. When a field comes more than once, its addresses are joined (RFC 5322
 * section 4.5.3), of strings the last counts. Sender and Reply-To default to From. A field that is there but empty
 * is NIL for an address list, "" for a string.
 *
 * Returns  0; -ENOBUFS: it does not fit; out is as before.
 * Limits   LIMIT_HEADER_BYTES, LIMIT_ADDRESSES.
 * RFC      9051 section 7.5.2, ENVELOPE.
 */
_must_check_ int envelope_format(struct slice header_raw, struct buf *out);

/*
 * Append s as IMAP string (quoted if it may be, else a literal), or NIL if s.p is NULL.
 * Line ends of folding are left out, a CR elsewhere becomes a blank, NUL U+FFFD. Returns 0 or -ENOBUFS.
 * RFC 9051 section 9: nstring, quoted, literal.
 */
_must_check_ int nstring_format(struct slice s, struct buf *out);
