#include "server/imap/grammar_partial.h"

#include "server/wire/token.h"

static enum parse take_end(struct slice *in, bool from_end, uint32_t *ret_number)
{
	if (from_end && !slice_skip(in, '-'))
		return PARSE_BAD;
	return token_nz_number(in, ret_number);
}

enum parse grammar_partial(struct slice *in, struct partial *ret_partial)
{
	struct partial p = { .from_end = slice_starts_with(*in, SLICE("-")) };
	struct slice s = *in;

	if (take_end(&s, p.from_end, &p.first) != PARSE_OK || !slice_skip(&s, ':') ||
		take_end(&s, p.from_end, &p.last) != PARSE_OK)
		return PARSE_BAD;
	if (p.first > p.last) {
		uint32_t first = p.last;

		p.last = p.first;
		p.first = first;
	}
	p.text = slice_head(*in, in->n - s.n);
	*in = s;
	*ret_partial = p;
	return PARSE_OK;
}

bool partial_of(const struct partial *partial, uint64_t n, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t last = partial->last < n ? partial->last : n;

	if (partial->first > n)
		return false;
	*ret_first = partial->from_end ? n - last + 1 : partial->first;
	*ret_last = partial->from_end ? n - partial->first + 1 : last;
	return true;
}
