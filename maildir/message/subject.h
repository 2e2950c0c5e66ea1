/* subject.h - the base subject, by which SORT and THREAD compare. Pure but for libc's converters. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Append the base subject of a raw Subject value: decoded to UTF-8, blanks made one, and "Re:", "Fwd:", "[list]",
 * "(fwd)" and the like taken off. Not folded: compare by casemap.h.
 *
 * ret_is_reply  whether anything said reply or forward: RFC 5256 section 3 needs it for REFERENCES. May be NULL.
 * Returns       0; -ENOBUFS: out is as before.
 * RFC           5256 section 2.1. Beyond it, "Re[2]:", "Re：" with a full-width colon and numbers as in "Re^2:" are known.
 */
_must_check_ int subject_base(struct slice value, struct buf *out, bool *ret_is_reply);
