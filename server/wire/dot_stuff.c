#include "server/wire/dot_stuff.h"

#include <errno.h>
#include <string.h>

/* Whether the byte at i begins a line, where the byte at from does if from_begins. */
static bool begins_line(const char *p, size_t i, size_t from, bool from_begins)
{
	return i == from ? from_begins : p[i - 1] == '\n';
}

static size_t count_dots(struct slice chunk, bool begins)
{
	size_t n = begins && chunk.n > 0 && chunk.p[0] == '.';
	ssize_t at;

	while ((at = slice_find_slice(chunk, SLICE("\n."))) >= 0) {
		n++;
		chunk = slice_tail(chunk, (size_t)at + 2);
	}
	return n;
}

/* Move the bytes from the last one down, so that nothing is overwritten before it was moved. */
static void double_dots(struct buf *out, size_t from, bool begins, size_t n_dots)
{
	char *p = out->p;
	size_t src = out->n, dst = out->n + n_dots;

	while (dst > src) {
		p[--dst] = p[--src];
		if (p[dst] == '.' && begins_line(p, src, from, begins))
			p[--dst] = '.';
	}
}

int dot_stuff_tail(struct dot_stuff *state, struct buf *out, size_t from)
{
	struct slice chunk = slice_tail(buf_slice(out), from);

	if (chunk.n == 0)
		return 0;

	bool begins = !state->in_line;
	bool in_line = chunk.p[chunk.n - 1] != '\n';
	size_t n_dots = count_dots(chunk, begins);

	if (n_dots > 0) {
		if (!buf_reserve(out, n_dots))
			return -ENOBUFS;
		double_dots(out, from, begins, n_dots);
		buf_grown(out, n_dots);
	}
	state->in_line = in_line;
	return 0;
}

int dot_stuff_end(struct dot_stuff *state, struct buf *out)
{
	return buf_add(out, state->in_line ? SLICE("\r\n.\r\n") : SLICE(".\r\n"));
}
