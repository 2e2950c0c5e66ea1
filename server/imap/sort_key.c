#include "server/imap/sort_key.h"

#include <endian.h>
#include <errno.h>

static void write_reversed(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)~p[i];
}

int sort_key_add_number(struct buf *out, int64_t value, bool reverse)
{
	uint64_t ordered = htobe64((uint64_t)value ^ UINT64_C(1) << 63);

	if (reverse)
		ordered = ~ordered;
	return buf_add(out, slice_from(&ordered, sizeof ordered));
}

/* A text ends with 0; 0 and 1 inside become 1 1 and 1 2. */
int sort_key_add_text(struct buf *out, struct slice text, bool reverse)
{
	size_t n = 0;

	if (buf_room(out) < 2 * text.n + 1)
		return -ENOBUFS;

	char *p = buf_reserve(out, 2 * text.n + 1);

	if (!p)
		return -ENOBUFS;
	for (size_t i = 0; i < text.n; i++) {
		bool escaped = (unsigned char)text.p[i] <= 1;

		if (escaped)
			p[n++] = 1;
		p[n++] = (char)(text.p[i] + escaped);
	}
	p[n++] = 0;
	if (reverse)
		write_reversed(p, n);
	buf_grown(out, n);
	return 0;
}
