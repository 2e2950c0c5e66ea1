/* message_id.h - the ids of Message-ID, In-Reply-To and References, in the form in which two of them are compared. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Take the next id off the front of a raw field value, and append it, without <>, to out: quotes, blanks, folding and
 * control characters are left out, the case stays.
 * What stands between ids (phrases, comments, addresses without <>) is passed over; a "<" that is not closed ends at
 * the next one, or at the end.
 *
 * Returns  false: there is none any more, out is as before. An id never is empty.
 * Limits   max_bytes: a longer id is cut off. out must have that much room.
 * RFC      5322 section 3.6.4, 5256 section 3 (REFERENCES: "normalized").
 */
bool message_id_next(struct slice *in, size_t max_bytes, struct buf *out);
