#include "server/imap/grammar_search.h"

#include "base/limits.h"
#include "server/imap/capability.h"
#include "server/wire/token.h"

#define WORD(w)                                                                                    \
	{                                                                                          \
		w, sizeof w - 1                                                                    \
	}

enum { CANCEL_TAGS_MAX = 1000 };

static const struct {
	struct slice word;
	enum search_return option;
} return_options[] = {
	{ WORD("MIN"), SEARCH_RETURN_MIN },
	{ WORD("MAX"), SEARCH_RETURN_MAX },
	{ WORD("ALL"), SEARCH_RETURN_ALL },
	{ WORD("COUNT"), SEARCH_RETURN_COUNT },
	{ WORD("PARTIAL"), SEARCH_RETURN_PARTIAL },
	{ WORD("SAVE"), SEARCH_RETURN_SAVE },
	{ WORD("UPDATE"), SEARCH_RETURN_UPDATE },
	{ WORD("CONTEXT"), SEARCH_RETURN_CONTEXT },
};

static enum parse take_partial(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	if (a->partial.first > 0)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "One PARTIAL only");
	return token_space(in) == PARSE_OK ? grammar_partial(in, &a->partial) : PARSE_BAD;
}

/*
 * [[SP] "(" fetch-att *(SP fetch-att) ")"]: RFC 5465 section 8 has no space there, its example and RFC 4466 section 2.6.1
 * have one.
 */
static enum parse take_update(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	struct slice s = *in, list;
	struct fetch_arguments items;

	if (slice_starts_with(s, SLICE(" (")))
		s = slice_tail(s, 1);
	if (!slice_starts_with(s, SLICE("(")))
		return PARSE_OK;
	if (a->update_fetch.n > 0)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "One UPDATE only");
	list = s;
	if (grammar_fetch_items(&s, grammar, &items) != PARSE_OK)
		return PARSE_BAD;
	a->update_fetch = slice_head(list, list.n - s.n);
	*in = s;
	return PARSE_OK;
}

static enum parse take_parameters(struct slice *in, struct grammar *grammar,
	enum search_return option, struct search_arguments *a)
{
	if (option == SEARCH_RETURN_PARTIAL)
		return take_partial(in, grammar, a);
	return option == SEARCH_RETURN_UPDATE ? take_update(in, grammar, a) : PARSE_OK;
}

static enum parse take_return_option(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	for (size_t i = 0; i < sizeof return_options / sizeof *return_options; i++) {
		enum search_return option = return_options[i].option;

		if (token_word(in, return_options[i].word) != PARSE_OK)
			continue;
		a->returns |= option;
		return take_parameters(in, grammar, option, a);
	}
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown return option");
}

/* Behind "RETURN": "(...)"; empty parentheses ask for ALL. RFC 4731 section 3.1. */
static enum parse take_return_list(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	const unsigned either = SEARCH_RETURN_PARTIAL | SEARCH_RETURN_ALL;

	if (token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	if (token_close(in) == PARSE_OK) {
		a->returns = SEARCH_RETURN_ALL;
		return PARSE_OK;
	}
	do {
		if (take_return_option(in, grammar, a) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	if ((a->returns & either) == either)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "PARTIAL and ALL exclude each other");
	grammar->saves = a->returns & SEARCH_RETURN_SAVE;
	return token_close(in);
}

/* ["RETURN" SP "(" ... ")" SP] */
static enum parse take_returns(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	if (token_word(in, SLICE("RETURN")) != PARSE_OK)
		return PARSE_OK;
	a->extended = true;
	return take_return_list(in, grammar, a) == PARSE_OK ? token_space(in) : PARSE_BAD;
}

/* ["CHARSET" SP astring SP] */
static enum parse take_charset(struct slice *in, struct search_grammar *g)
{
	if (token_word(in, SLICE("CHARSET")) != PARSE_OK)
		return PARSE_OK;
	if (g->grammar->enabled & ENABLED_UTF8) /* RFC 6855 section 3 */
		return grammar_bad(g->grammar, GRAMMAR_SYNTAX,
			"CHARSET is not allowed once UTF8=ACCEPT is enabled");
	if (token_space(in) != PARSE_OK || search_grammar_charset(in, g) != PARSE_OK)
		return PARSE_BAD;
	return token_space(in);
}

/* The search keys, and the end of the command. */
static enum parse take_program(
	struct slice *in, struct search_grammar *g, struct search_arguments *a)
{
	a->program = *in;
	if (search_grammar_keys(in, g, &a->key) != PARSE_OK)
		return PARSE_BAD;
	a->has_modseq = g->has_modseq;
	a->charset = g->charset;
	if (token_end(in) != PARSE_OK)
		return PARSE_BAD;
	if (g->unknown_charset)
		return grammar_bad(g->grammar, GRAMMAR_BADCHARSET, "Unknown charset");
	return PARSE_OK;
}

static enum parse take_search(struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	struct search_grammar g = { .grammar = grammar };

	if (token_space(in) != PARSE_OK || take_returns(in, grammar, a) != PARSE_OK ||
		take_charset(in, &g) != PARSE_OK)
		return PARSE_BAD;
	return take_program(in, &g, a);
}

enum parse grammar_search(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments)
{
	struct slice s = *in;
	struct search_arguments a = { .extended = false };

	if (take_search(&s, grammar, &a) != PARSE_OK)
		return PARSE_BAD;
	if (!a.extended && (grammar->enabled & ENABLED_REV2)) { /* RFC 9051 section 6.4.4 */
		a.extended = true;
		a.returns = SEARCH_RETURN_ALL;
	}
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

static const struct {
	struct slice word;
	enum sort_by by;
} sort_keys[] = {
	{ WORD("ARRIVAL"), SORT_ARRIVAL },
	{ WORD("CC"), SORT_CC },
	{ WORD("DATE"), SORT_DATE },
	{ WORD("FROM"), SORT_FROM },
	{ WORD("SIZE"), SORT_SIZE },
	{ WORD("SUBJECT"), SORT_SUBJECT },
	{ WORD("TO"), SORT_TO },
	{ WORD("DISPLAYFROM"), SORT_DISPLAYFROM },
	{ WORD("DISPLAYTO"), SORT_DISPLAYTO },
};

/* ["REVERSE" SP] sort-key */
static enum parse take_criterion(struct slice *in, struct sort_criterion *ret_criterion)
{
	ret_criterion->reverse = token_word(in, SLICE("REVERSE")) == PARSE_OK;
	if (ret_criterion->reverse && token_space(in) != PARSE_OK)
		return PARSE_BAD;
	for (size_t i = 0; i < sizeof sort_keys / sizeof *sort_keys; i++)
		if (token_word(in, sort_keys[i].word) == PARSE_OK) {
			ret_criterion->by = sort_keys[i].by;
			return PARSE_OK;
		}
	return PARSE_BAD;
}

static enum parse take_criteria(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	struct sort_criterion *criteria =
		arena_array(grammar->arena, LIMIT_SORT_CRITERIA, sizeof *criteria);

	a->criteria = criteria;
	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (a->criteria_n == LIMIT_SORT_CRITERIA)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many sort criteria");
		if (take_criterion(in, &criteria[a->criteria_n++]) != PARSE_OK)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown sort criterion");
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

enum parse grammar_sort(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments)
{
	struct slice s = *in;
	struct search_arguments a = { .extended = false };
	struct search_grammar g = { .grammar = grammar };

	if (token_space(&s) != PARSE_OK || take_returns(&s, grammar, &a) != PARSE_OK ||
		take_criteria(&s, grammar, &a) != PARSE_OK || token_space(&s) != PARSE_OK ||
		search_grammar_charset(&s, &g) != PARSE_OK || token_space(&s) != PARSE_OK ||
		take_program(&s, &g, &a) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

static enum parse take_algorithm(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	if (token_word(in, SLICE("REFERENCES")) == PARSE_OK)
		a->algorithm = THREAD_REFERENCES;
	else if (token_word(in, SLICE("ORDEREDSUBJECT")) == PARSE_OK)
		a->algorithm = THREAD_ORDEREDSUBJECT;
	else if (token_word(in, SLICE("REFS")) == PARSE_OK)
		a->algorithm = THREAD_REFS;
	else
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown thread algorithm");
	return PARSE_OK;
}

enum parse grammar_thread(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments)
{
	struct slice s = *in;
	struct search_arguments a = { .extended = false };
	struct search_grammar g = { .grammar = grammar };

	if (token_space(&s) != PARSE_OK || take_algorithm(&s, grammar, &a) != PARSE_OK ||
		token_space(&s) != PARSE_OK || search_grammar_charset(&s, &g) != PARSE_OK ||
		token_space(&s) != PARSE_OK || take_program(&s, &g, &a) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

/* "(" filter-mailboxes *(SP filter-mailboxes) ")": no scope option is known. */
static enum parse take_sources(
	struct slice *in, struct grammar *grammar, struct search_arguments *a)
{
	struct mailbox_filter *first = NULL, **at = &first;
	unsigned n = 0;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (++n > MAILBOX_FILTERS_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many source options");
		*at = arena_alloc(grammar->arena, sizeof **at);
		if (grammar_mailbox_filter(in, grammar, *at) != PARSE_OK ||
			(*at)->kind == FILTER_SELECTED_DELAYED)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown source option");
		at = &(*at)->next;
	} while (token_space(in) == PARSE_OK);
	a->filters = first;
	return token_close(in);
}

/* What concerns the selected mailbox alone. RFC 7377 section 2.2. */
static enum parse check_sources(struct grammar *grammar, const struct search_arguments *a)
{
	if (a->filters->kind == FILTER_SELECTED && !a->filters->next)
		return PARSE_OK;
	if (a->returns & (SEARCH_RETURN_SAVE | SEARCH_RETURN_UPDATE))
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"SAVE and UPDATE are for the selected mailbox only");
	return PARSE_OK;
}

enum parse grammar_multisearch(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments)
{
	struct slice s = *in, rest = *in;
	struct search_arguments a = { .extended = false };

	if (token_space(&rest) == PARSE_OK && token_word(&rest, SLICE("IN")) == PARSE_OK) {
		s = rest;
		if (token_space(&s) != PARSE_OK || take_sources(&s, grammar, &a) != PARSE_OK)
			return PARSE_BAD;
	}
	if (take_search(&s, grammar, &a) != PARSE_OK ||
		(a.filters && check_sources(grammar, &a) != PARSE_OK))
		return PARSE_BAD;
	if (!a.extended)
		a.returns = SEARCH_RETURN_ALL;
	a.extended = true;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_cancelupdate(
	struct slice *in, struct grammar *grammar, struct cancel_arguments *ret_arguments)
{
	struct slice s = *in;
	struct cancel_arguments a = { .n = 0 };

	a.tags = arena_array(grammar->arena, CANCEL_TAGS_MAX, sizeof *a.tags);
	do {
		if (a.n == CANCEL_TAGS_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many tags");
		if (token_space(&s) != PARSE_OK || !slice_starts_with(s, SLICE("\"")) ||
			token_string(&s, grammar->arena, &a.tags[a.n++]) != PARSE_OK)
			return PARSE_BAD;
	} while (s.n > 0);
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
