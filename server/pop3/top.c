#include "server/pop3/top.h"

struct top top_start(uint64_t lines)
{
	return (struct top){ .lines_left = lines };
}

/* A line ended with a LF. */
static void end_line(struct top *top)
{
	if (top->in_body)
		top->lines_left--;
	else
		top->in_body = !top->in_line;
	top->in_line = false;
	top->saw_cr = false;
	top->is_done = top->in_body && top->lines_left == 0;
}

/* Some bytes of a line, without its LF. The CR before that LF may come alone, with the LF in the next chunk. */
static void add_to_line(struct top *top, struct slice bytes)
{
	if (bytes.n == 0 || top->in_line)
		return;
	if (bytes.n == 1 && bytes.p[0] == '\r' && !top->saw_cr)
		top->saw_cr = true;
	else
		top->in_line = true;
}

size_t top_take(struct top *top, struct slice chunk)
{
	size_t at = 0;

	while (at < chunk.n && !top->is_done) {
		struct slice rest = slice_tail(chunk, at);
		ssize_t lf = slice_find(rest, '\n');

		add_to_line(top, lf < 0 ? rest : slice_head(rest, (size_t)lf));
		at += lf < 0 ? rest.n : (size_t)lf + 1;
		if (lf >= 0)
			end_line(top);
	}
	return at;
}
