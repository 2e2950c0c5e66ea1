#include "maildir/message/token.h"

#include <errno.h>

enum { LINE_BYTES = 998 }; /* RFC 5322 section 2.1.1 */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Bytes of the comment in front, parentheses included; all, if it does not end. A counter, no recursion: it may be deep. */
static size_t comment_bytes(struct slice in)
{
	size_t depth = 0;

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\\')
			i++;
		else if (in.p[i] == '(')
			depth++;
		else if (in.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return in.n;
}

/* Append with quoted pairs undone and line ends left out. */
static int add_unquoted(struct slice s, struct buf *out)
{
	if (s.n == 0)
		return 0;

	char *at = buf_reserve(out, s.n);
	size_t n = 0;

	if (!at)
		return -ENOBUFS;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' || (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n'))
			continue;
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		at[n++] = s.p[i];
	}
	buf_grown(out, n);
	return 0;
}

/* What stands between the outer parentheses. */
static struct slice comment_text(struct slice comment)
{
	struct slice s = slice_tail(comment, 1);

	if (s.n > 0 && s.p[s.n - 1] == ')')
		s.n--;
	return s;
}

static void skip_spaces(struct slice *in)
{
	size_t i = 0;

	while (i < in->n && is_space(in->p[i]))
		i++;
	*in = slice_tail(*in, i);
}

int token_take_cfws(struct slice *in, struct buf *last_comment)
{
	int r = 0;

	for (skip_spaces(in); r == 0 && in->n > 0 && in->p[0] == '('; skip_spaces(in)) {
		struct slice comment = slice_take(in, comment_bytes(*in));

		if (!last_comment)
			continue;
		buf_clear(last_comment);
		r = add_unquoted(comment_text(comment), last_comment);
	}
	return r;
}

void token_skip_cfws(struct slice *in)
{
	(void)!token_take_cfws(in, NULL);
}

/*
 * Bytes of text in ISO-2022-JP in front, from the escape into a two-byte set to the one out of it, or 0. Japanese
 * headers held it raw before RFC 1342, and its bytes look like quotes, parentheses and angle brackets.
 */
static size_t iso2022jp_bytes(struct slice in)
{
	if (!slice_starts_with(in, SLICE("\x1b$")))
		return 0;

	ssize_t end = slice_find_slice(slice_head(in, LINE_BYTES), SLICE("\x1b("));

	return end < 0 || (size_t)end + 3 > in.n ? 0 : (size_t)end + 3;
}

/* Take bytes as long as they are above space, no DEL, and none of stops. */
static struct slice take_until(struct slice *in, const char *stops)
{
	size_t i = 0;

	while (i < in->n && (uint8_t)in->p[i] > ' ' && in->p[i] != 0x7f && !strchr(stops, in->p[i]))
		i++;
	return slice_take(in, i);
}

struct slice token_take_mime(struct slice *in)
{
	return take_until(in, "()<>@,;:\\\"/[]?=");
}

struct slice token_take_atom(struct slice *in)
{
	size_t japanese = iso2022jp_bytes(*in);

	return japanese > 0 ? slice_take(in, japanese) : take_until(in, "()<>@,;:\\\"[].");
}

int token_take_quoted(struct slice *in, struct buf *out)
{
	size_t i = 1;

	while (i < in->n && in->p[i] != '"')
		i += in->p[i] == '\\' ? 2 : 1;

	bool ended = i < in->n;
	size_t end = ended ? i : in->n;
	int r = add_unquoted(slice_from(in->p + 1, end - 1), out);

	*in = slice_tail(*in, ended ? end + 1 : end);
	return r < 0 ? r : ended ? 0 : -EINVAL;
}
