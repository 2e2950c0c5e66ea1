/* line.h - POP3 framing: one command line off the front of the input. Pure. */
#pragma once

#include "base/buf.h"
#include "base/parse.h"

/* All zeros at first. */
struct pop3_line {
	size_t skipped_bytes; /* of an overlong line whose end has not come yet; 0: no such line */
};

enum pop3_line_result {
	POP3_LINE_OK,   /* *ret_line is set */
	POP3_LINE_MORE, /* the end of the line has not come yet */
	POP3_LINE_TOO_LONG, /* a line over LIMIT_POP3_LINE_BYTES ended just now, and was dropped whole */
	POP3_LINE_FLOOD, /* POP3_LINE_FLOOD_BYTES came without a line end: close the connection */
};

enum { POP3_LINE_FLOOD_BYTES = 64 * 1024 };

/*
 * Take the next line off in.
 * ret_line  without its CRLF (a bare LF is taken for a line end too, as some clients send it); may hold any other
 *           byte, NUL and CR too; valid until in is appended to.
 * RFC       1939 section 3, 2449 section 4.
 */
enum pop3_line_result pop3_line_next(
	struct pop3_line *state, struct buf *in, struct slice *ret_line);
