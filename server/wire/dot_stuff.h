/* dot_stuff.h - the body of a POP3 multiline reply: lines that begin with a dot get a second one. Pure. */
#pragma once

#include "base/buf.h"

/*
 * Stuffing happens in place, behind whoever appended: most chunks hold no line that begins with a dot and are then
 * only looked at, not copied. Chunks may end anywhere, also between CR and LF. Lines end with CRLF; that is the
 * appender's to see to. Input is any bytes.
 */
struct dot_stuff {
	bool in_line; /* false: the next byte begins a line */
};

/* Start with all zeros. */
#define DOT_STUFF_START ((struct dot_stuff){ .in_line = false })

/*
 * Stuff what was appended to out since it held from bytes.
 * Returns 0; -ENOBUFS: the dots do not fit out's maximum, nothing was changed.
 * RFC 1939 section 3.
 */
_must_check_ int dot_stuff_tail(struct dot_stuff *state, struct buf *out, size_t from);

/*
 * End the reply: the line end that the last line may lack, then ".".
 * Returns 0 or -ENOBUFS.
 */
_must_check_ int dot_stuff_end(struct dot_stuff *state, struct buf *out);
