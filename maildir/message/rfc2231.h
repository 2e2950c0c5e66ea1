/* rfc2231.h - parameters of Content-Type and Content-Disposition: continuations and charsets. Pure. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "maildir/message/mime.h"

/*
 * Take apart "; a=b; c*0=d; c*1=e", what follows the value of a field. Continuations are joined: "c=de"; when any
 * piece is extended, as "c*", the pieces that are not being percent-encoded. Pieces of which one is missing stay as
 * they are written. Joined ones come behind all others.
 *
 * Returns  the first parameter in the arena, NULL: there is none.
 * Limits   MIME_PARAMS.
 * RFC      2045 section 5.1, 2231 sections 3, 4 and 6.
 */
struct mime_param *rfc2231_parse(struct slice in, struct arena *arena);

/*
 * Append the value of a parameter as UTF-8: of name* with charset and percent-encoding undone, else of name, where
 * encoded words are decoded (against RFC 2047, but usual).
 * Returns 0; -ENOENT: there is no such parameter; -ENOBUFS: out is as before.
 */
_must_check_ int rfc2231_value(const struct mime_param *params, struct slice name, struct buf *out);
