/* bodystructure.h - writes BODY and BODYSTRUCTURE of a parsed message, ready to send. Pure. */
#pragma once

#include "base/buf.h"
#include "maildir/message/mime.h"

/*
 * Append the parenthesised structure of part (of the root: the FETCH item's value).
 *
 * extended  with extension data: BODYSTRUCTURE; without: BODY.
 * Returns   0; -ENOBUFS: it does not fit; out is as before.
 * RFC       9051 section 7.5.2. Parameters continued by RFC 2231 are joined (its section 6). A multipart without
 *           parts shows one empty text/plain part, since the grammar demands one.
 */
_must_check_ int bodystructure_format(const struct mime_part *part, bool extended, struct buf *out);
