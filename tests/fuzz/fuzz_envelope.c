/* fuzz_envelope.c - ENVELOPE of any header: balanced, and nothing but what the grammar allows. */
#include "base/must.h"
#include "maildir/message/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void skip_string(struct slice *s)
{
	uint64_t size;

	if (slice_skip(s, '{')) {
		struct slice digits;

		must(slice_split(s, '}', &digits) && slice_number(digits, s->n, &size));
		must(slice_skip(s, '\r') && slice_skip(s, '\n') && size <= s->n);
		must(slice_find(slice_take(s, size), '\0') < 0);
		return;
	}
	if (!slice_skip(s, '"')) {
		must(slice_skip_nocase(s, SLICE("NIL")));
		return;
	}
	while (!slice_skip(s, '"')) {
		slice_skip(s, '\\');
		must(s->n > 0 && s->p[0] > 0 && s->p[0] != '\r' && s->p[0] != '\n');
		*s = slice_tail(*s, 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf out = BUF(1 << 28);

	must(envelope_format(slice_from(bytes, n), &out) == 0);

	struct slice s = buf_slice(&out);
	size_t depth = 0;

	do {
		if (slice_skip(&s, '('))
			depth++;
		else if (slice_skip(&s, ')'))
			depth--;
		else if (!slice_skip(&s, ' '))
			skip_string(&s);
	} while (depth > 0 && s.n > 0);
	must(depth == 0 && s.n == 0);
	return 0;
}
