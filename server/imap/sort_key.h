/* sort_key.h - what a message is sorted by, as bytes: the order of the bytes is the order of the messages. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * A key holds one part for each criterion, one after the other. Parts of one criterion compare as
 * their values do, or (reverse) the other way round; none is the beginning of another.
 *
 * Return 0, or -ENOBUFS: it does not fit, out is as before.
 */
_must_check_ int sort_key_add_number(struct buf *out, int64_t value, bool reverse);
/* Text compares by its bytes: it is in the form of i;unicode-casemap already (card_format.h). */
_must_check_ int sort_key_add_text(struct buf *out, struct slice text, bool reverse);
