#include "server/imap/grammar_select.h"

#include "server/wire/seqset.h"
#include "server/wire/token.h"

/* A sequence-set without "*". */
static enum parse take_set(struct slice *in, struct slice *ret_set)
{
	if (token_sequence_set(in, ret_set) != PARSE_OK)
		return PARSE_BAD;
	return slice_find(*ret_set, '*') < 0 ? PARSE_OK : PARSE_BAD;
}

/* How many numbers an ascending set holds; 0: it is not ascending. */
static uint64_t count_ascending(struct slice set)
{
	struct seq_range range;
	uint32_t last = 0;
	uint64_t count = 0;

	while (set.n > 0) {
		if (seqset_next(&set, 0, &range) != PARSE_OK || range.first <= last)
			return 0;
		count += (uint64_t)range.last - range.first + 1;
		last = range.last;
	}
	return count;
}

/* "(" known-sequence-set SP known-uid-set ")" */
static enum parse take_match(
	struct slice *in, struct grammar *grammar, struct qresync_parameter *known)
{
	uint64_t count;

	if (take_set(in, &known->match_seqnums) != PARSE_OK || token_space(in) != PARSE_OK ||
		take_set(in, &known->match_uids) != PARSE_OK || token_close(in) != PARSE_OK)
		return PARSE_BAD;
	count = count_ascending(known->match_seqnums);
	if (count == 0 || count != count_ascending(known->match_uids))
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"Sequence match data must be ascending, and in pairs");
	return PARSE_OK;
}

/* SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")" */
static enum parse take_qresync(
	struct slice *in, struct grammar *grammar, struct qresync_parameter *known)
{
	if (token_space(in) != PARSE_OK || token_open(in) != PARSE_OK ||
		token_nz_number(in, &known->uidvalidity) != PARSE_OK ||
		token_space(in) != PARSE_OK || token_number64(in, &known->modseq) != PARSE_OK)
		return PARSE_BAD;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (!slice_starts_with(*in, SLICE("("))) {
		if (take_set(in, &known->known_uids) != PARSE_OK)
			return PARSE_BAD;
		if (token_close(in) == PARSE_OK)
			return PARSE_OK;
		if (token_space(in) != PARSE_OK)
			return PARSE_BAD;
	}
	if (token_open(in) != PARSE_OK || take_match(in, grammar, known) != PARSE_OK)
		return PARSE_BAD;
	return token_close(in);
}

static enum parse take_parameter(
	struct slice *in, struct grammar *grammar, struct select_arguments *a)
{
	if (!a->condstore && token_word(in, SLICE("CONDSTORE")) == PARSE_OK) {
		a->condstore = true;
		return PARSE_OK;
	}
	if (!a->qresync && token_word(in, SLICE("QRESYNC")) == PARSE_OK) {
		a->qresync = true;
		return take_qresync(in, grammar, &a->known);
	}
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown parameter");
}

enum parse grammar_select_parameters(
	struct slice *in, struct grammar *grammar, struct select_arguments *ret_arguments)
{
	struct slice s = *in;
	struct select_arguments a = { .condstore = false };

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK)
		return PARSE_BAD;
	if (token_space(&s) == PARSE_OK) {
		if (token_open(&s) != PARSE_OK)
			return PARSE_BAD;
		do {
			if (take_parameter(&s, grammar, &a) != PARSE_OK)
				return PARSE_BAD;
		} while (token_space(&s) == PARSE_OK);
		if (token_close(&s) != PARSE_OK)
			return PARSE_BAD;
	}
	if (token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
