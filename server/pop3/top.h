/* top.h - where the answer to TOP ends: after the header, the empty line, and so many lines of the body. Pure. */
#pragma once

#include "base/slice.h"

struct top {
	uint64_t lines_left; /* of the body */
	bool in_body;
	bool in_line; /* the current line is known not to be empty */
	bool saw_cr;  /* all there was of the current line is a CR */
	bool is_done;
};

/* Begin with so many lines of the body to give. */
struct top top_start(uint64_t lines);

/*
 * Look at the next chunk of the message (CRLF line ends, cut anywhere) before it is dot-stuffed.
 * Returns how many of its bytes belong to the answer; fewer than chunk.n, or top->is_done, once it is complete.
 * RFC 1939 section 7, TOP.
 */
size_t top_take(struct top *top, struct slice chunk);
