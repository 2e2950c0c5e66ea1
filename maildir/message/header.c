#include "maildir/message/header.h"

#include "maildir/message/crlf.h"

#include <errno.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Bytes of the line in front, with its line end. */
static size_t line_bytes(struct slice in)
{
	ssize_t lf = slice_find(in, '\n');

	return lf < 0 ? in.n : (size_t)lf + 1;
}

static bool is_empty_line(struct slice in)
{
	return in.p[0] == '\n' || (in.n >= 2 && in.p[0] == '\r' && in.p[1] == '\n');
}

static struct slice without_line_end(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* The name in front of the colon, or nothing: blanks may follow a name, never stand in it. */
static struct slice name_before(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		if (is_blank(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n')
			return slice_head(s, 0);
	return s;
}

bool header_next(struct slice *in, struct header_field *ret_field)
{
	if (in->n == 0)
		return false;
	if (is_empty_line(*in)) {
		*in = slice_tail(*in, line_bytes(*in));
		return false;
	}

	size_t n = line_bytes(*in);

	while (n < in->n && is_blank(in->p[n]))
		n += line_bytes(slice_tail(*in, n));

	struct slice raw = slice_take(in, n);
	ssize_t colon = slice_find(raw, ':');
	struct slice name = name_before(slice_head(raw, colon < 0 ? 0 : (size_t)colon));

	*ret_field = (struct header_field){
		.raw = raw,
		.name = name,
		.value = without_line_end(name.n > 0 ? slice_tail(raw, (size_t)colon + 1) : raw),
	};
	return true;
}

struct slice header_find(struct slice header, struct slice name)
{
	struct header_field field;

	while (header_next(&header, &field))
		if (slice_equal_nocase(field.name, name))
			return slice_from(field.value.p ? field.value.p : field.raw.p, field.value.n);
	return slice_from(NULL, 0);
}

int header_unfold(struct slice value, struct buf *out)
{
	value = slice_trim(value);
	if (value.n == 0)
		return 0;

	char *at = buf_reserve(out, value.n);
	size_t n = 0;

	if (!at)
		return -ENOBUFS;
	for (size_t i = 0; i < value.n; i++) {
		bool fold = value.p[i] == '\n' ||
			(value.p[i] == '\r' && i + 1 < value.n && value.p[i + 1] == '\n');

		if (!fold)
			at[n++] = value.p[i];
	}
	buf_grown(out, n);
	return 0;
}

static bool is_among(struct slice name, const struct slice *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name.n > 0 && slice_equal_nocase(name, names[i]))
			return true;
	return false;
}

/* Append one field with CRLF line ends; with end_line also if the message ends within it. */
static int add_field(struct slice raw, bool replace_nul, bool end_line, struct buf *out)
{
	bool cr = false;
	int r = crlf_append(raw, replace_nul, &cr, out);

	if (r < 0 || !end_line || raw.p[raw.n - 1] == '\n')
		return r;
	return buf_add_str(out, cr ? "\n" : "\r\n");
}

int header_select(struct slice header, const struct slice *names, size_t n, bool except,
	bool replace_nul, struct buf *out)
{
	size_t before = out->n, left = header.n;
	struct header_field field;
	int r = 0;

	while (r == 0 && header_next(&header, &field)) {
		if (is_among(field.name, names, n) != except)
			r = add_field(field.raw, replace_nul, !except, out);
		left = header.n;
	}
	if (r == 0 && (!except || header.n < left)) /* or: there was an empty line */
		r = buf_add_str(out, "\r\n");
	if (r < 0)
		buf_truncate(out, before);
	return r;
}
