#include "server/pop3/line.h"

#include "base/limits.h"

/* The end has not come: keep a line that may still become one, drop one that is too long already. */
static enum pop3_line_result wait_for_end(struct pop3_line *state, struct buf *in)
{
	if (state->skipped_bytes > 0 || in->n > LIMIT_POP3_LINE_BYTES) {
		state->skipped_bytes += in->n;
		buf_consume(in, in->n);
	}
	return state->skipped_bytes > POP3_LINE_FLOOD_BYTES ? POP3_LINE_FLOOD : POP3_LINE_MORE;
}

enum pop3_line_result pop3_line_next(
	struct pop3_line *state, struct buf *in, struct slice *ret_line)
{
	ssize_t end = slice_find(buf_slice(in), '\n');

	if (end < 0)
		return wait_for_end(state, in);

	struct slice line = slice_head(buf_slice(in), (size_t)end);
	bool too_long = state->skipped_bytes > 0 || line.n >= LIMIT_POP3_LINE_BYTES;

	buf_consume(in, line.n + 1); /* the bytes stay where they are until in is appended to */
	state->skipped_bytes = 0;
	if (too_long)
		return POP3_LINE_TOO_LONG;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	*ret_line = line;
	return POP3_LINE_OK;
}
