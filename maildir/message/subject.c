/* The grammar and the numbered steps are those of RFC 5256 section 2.1. */
#include "maildir/message/subject.h"

#include "base/must.h"
#include "maildir/message/rfc2047.h"

#include <errno.h>

/* Step 1, second half: every run of blanks becomes one. In place. */
static void squeeze(struct buf *b, size_t from)
{
	size_t n = from;

	for (size_t i = from; i < b->n; i++) {
		char c = b->p[i] == '\t' ? ' ' : b->p[i];

		if (c != ' ' || n == from || b->p[n - 1] != ' ')
			b->p[n++] = c;
	}
	buf_truncate(b, n);
}

static void skip_blanks(struct slice *s)
{
	while (slice_skip(s, ' '))
		;
}

/* subj-blob: "[" ... "]" and blanks, without brackets inside. */
static bool skip_blob(struct slice *s)
{
	if (s->n == 0 || s->p[0] != '[')
		return false;
	for (size_t i = 1; i < s->n && s->p[i] != '['; i++)
		if (s->p[i] == ']') {
			*s = slice_tail(*s, i + 1);
			skip_blanks(s);
			return true;
		}
	return false;
}

static bool skip_colon(struct slice *s)
{
	return slice_skip(s, ':') || slice_skip_nocase(s, SLICE("\xef\xbc\x9a")); /* U+FF1A, full-width */
}

/* The count of "Re^2:" or "Re2:". */
static void skip_count(struct slice *s)
{
	struct slice in = *s;

	slice_skip(&in, '^');
	while (in.n > 0 && ascii_is_digit(in.p[0]))
		in = slice_tail(in, 1);
	skip_blanks(&in);
	if (slice_starts_with(in, SLICE(":")) || slice_starts_with(in, SLICE("\xef\xbc\x9a")))
		*s = in;
}

/* subj-refwd. */
static bool skip_refwd(struct slice *s)
{
	struct slice in = *s;

	if (!slice_skip_nocase(&in, SLICE("re")) && !slice_skip_nocase(&in, SLICE("fwd")) &&
		!slice_skip_nocase(&in, SLICE("fw")))
		return false;
	skip_count(&in);
	skip_blanks(&in);
	skip_blob(&in);
	if (!skip_colon(&in))
		return false;
	*s = in;
	return true;
}

/* Step 3: subj-leader, which is blobs and a subj-refwd, or a blank. */
static bool skip_leader(struct slice *s, bool *is_reply)
{
	struct slice in = *s;

	if (slice_skip(s, ' '))
		return true;
	while (skip_blob(&in))
		;
	if (!skip_refwd(&in))
		return false;
	*is_reply = true;
	*s = in;
	return true;
}

/* Step 2: subj-trailer. */
static void cut_trailers(struct slice *s, bool *is_reply)
{
	for (;;) {
		if (s->n > 0 && s->p[s->n - 1] == ' ') {
			s->n--;
		} else if (s->n >= 5 && slice_equal_nocase(slice_tail(*s, s->n - 5), SLICE("(fwd)"))) {
			s->n -= 5;
			*is_reply = true;
		} else {
			return;
		}
	}
}

/*
 * Steps 3 to 5. When no leader is left, all blobs in front go, but not the one that is all there is. Taking them off
 * one by one could not bring up another leader: skip_leader() has looked behind all of them.
 */
static void skip_leaders(struct slice *s, bool *is_reply)
{
	while (skip_leader(s, is_reply))
		;
	for (struct slice in = *s; skip_blob(&in) && in.n > 0;)
		*s = in;
}

static struct slice base_of(struct slice s, bool *is_reply)
{
	for (;;) {
		cut_trailers(&s, is_reply);
		skip_leaders(&s, is_reply);
		if (!slice_starts_with_nocase(s, SLICE("[fwd:")) || s.p[s.n - 1] != ']')
			return s;
		s = slice_from(s.p + 5, s.n - 6); /* step 6 */
		*is_reply = true;
	}
}

int subject_base(struct slice value, struct buf *out, bool *ret_is_reply)
{
	size_t before = out->n;
	bool is_reply = false;
	int r = rfc2047_decode(value, out);

	if (r < 0)
		return r;
	squeeze(out, before);

	struct slice base = base_of(slice_tail(buf_slice(out), before), &is_reply);

	if (base.n > 0)
		memmove(out->p + before, base.p, base.n);
	buf_truncate(out, before + base.n);
	if (ret_is_reply)
		*ret_is_reply = is_reply;
	return 0;
}
