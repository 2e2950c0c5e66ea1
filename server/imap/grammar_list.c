#include "server/imap/grammar_list.h"

#include "base/limits.h"
#include "server/imap/grammar_mailbox.h"
#include "server/wire/token.h"

#define WORD(w)                                                                                    \
	{                                                                                          \
		w, sizeof w - 1                                                                    \
	}

static const struct {
	struct slice word;
	unsigned select, returns; /* the return options that it implies */
} select_options[] = {
	{ WORD("SUBSCRIBED"), LIST_SELECT_SUBSCRIBED, LIST_RETURN_SUBSCRIBED },
	{ WORD("SPECIAL-USE"), LIST_SELECT_SPECIAL_USE, LIST_RETURN_SPECIAL_USE },
	{ WORD("RECURSIVEMATCH"), LIST_SELECT_RECURSIVEMATCH, 0 },
	{ WORD("REMOTE"), 0, 0 },
};

static const struct {
	struct slice word;
	unsigned returns;
} return_options[] = {
	{ WORD("SUBSCRIBED"), LIST_RETURN_SUBSCRIBED },
	{ WORD("SPECIAL-USE"), LIST_RETURN_SPECIAL_USE },
	{ WORD("CHILDREN"), 0 },
};
#undef WORD

static enum parse take_select_option(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	for (size_t i = 0; i < sizeof select_options / sizeof *select_options; i++)
		if (token_word(in, select_options[i].word) == PARSE_OK) {
			a->select |= select_options[i].select;
			a->returns |= select_options[i].returns;
			return PARSE_OK;
		}
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown option");
}

/* [SP "(" [option *(SP option)] ")"] */
static enum parse take_selection(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	if (!slice_starts_with(*in, SLICE(" (")))
		return PARSE_OK;
	*in = slice_tail(*in, 2);
	a->extended = true;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		if (take_select_option(in, grammar, a) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	if ((a->select & LIST_SELECT_RECURSIVEMATCH) && !(a->select & LIST_SELECT_CRITERIA))
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"RECURSIVEMATCH needs another selection option");
	return token_close(in);
}

static enum parse take_pattern(struct slice *in, struct grammar *grammar, struct slice *ret_pattern)
{
	if (token_list_mailbox(in, grammar->arena, ret_pattern) != PARSE_OK)
		return PARSE_BAD;
	if (ret_pattern->n > LIMIT_PATH_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Pattern is too long");
	return PARSE_OK;
}

/* "(" list-mailbox *(SP list-mailbox) ")" */
static enum parse take_pattern_list(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	struct slice *patterns = arena_array(grammar->arena, LIMIT_LIST_PATTERNS, sizeof *patterns);

	a->extended = true;
	a->patterns = patterns;
	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (a->patterns_n == LIMIT_LIST_PATTERNS)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many patterns");
		if (take_pattern(in, grammar, &patterns[a->patterns_n]) != PARSE_OK)
			return PARSE_BAD;
		a->patterns_n++;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

static enum parse take_one_pattern(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	struct slice *pattern = arena_alloc(grammar->arena, sizeof *pattern);

	a->patterns = pattern;
	a->patterns_n = 1;
	return take_pattern(in, grammar, pattern);
}

/* SP mailbox SP */
static enum parse take_reference(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	if (token_space(in) != PARSE_OK ||
		token_astring(in, grammar->arena, &a->reference) != PARSE_OK ||
		token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (a->reference.n > LIMIT_PATH_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Pattern is too long");
	return PARSE_OK;
}

static enum parse take_patterns(struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	return in->n > 0 && in->p[0] == '(' ? take_pattern_list(in, grammar, a)
					    : take_one_pattern(in, grammar, a);
}

static enum parse take_return_option(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	for (size_t i = 0; i < sizeof return_options / sizeof *return_options; i++)
		if (token_word(in, return_options[i].word) == PARSE_OK) {
			a->returns |= return_options[i].returns;
			return PARSE_OK;
		}
	if (token_word(in, SLICE("METADATA")) == PARSE_OK)
		return token_space(in) == PARSE_OK
			       ? grammar_metadata_entries(in, grammar, &a->metadata)
			       : PARSE_BAD;
	if (token_word(in, SLICE("STATUS")) == PARSE_OK) {
		unsigned items;

		if (token_space(in) != PARSE_OK ||
			grammar_status_items(in, grammar, &items) != PARSE_OK)
			return PARSE_BAD;
		a->status_items |= items;
		return PARSE_OK;
	}
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown option");
}

/* [SP "RETURN (" [option *(SP option)] ")"] */
static enum parse take_return(
	struct slice *in, struct grammar *grammar, struct list_arguments *a)
{
	if (token_end(in) == PARSE_OK)
		return PARSE_OK;
	if (token_space(in) != PARSE_OK || token_word(in, SLICE("RETURN")) != PARSE_OK ||
		token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	a->extended = true;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		if (take_return_option(in, grammar, a) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

enum parse grammar_list(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments)
{
	struct slice s = *in;
	struct list_arguments a = { .extended = false };

	if (take_selection(&s, grammar, &a) != PARSE_OK ||
		take_reference(&s, grammar, &a) != PARSE_OK ||
		take_patterns(&s, grammar, &a) != PARSE_OK ||
		take_return(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_lsub(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments)
{
	struct slice s = *in;
	struct list_arguments a = { .extended = false };

	if (take_reference(&s, grammar, &a) != PARSE_OK ||
		take_one_pattern(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

static bool is_wildcard(char c)
{
	return c == '*' || c == '%';
}

/*
 * To which of the name's positions a prefix of the pattern leads: reached[i] is true when the first i bytes of the
 * name match it. One row a character of the pattern. The first nocase bytes of the name match in any case.
 */
static void step(char c, struct slice name, char delimiter, size_t nocase, bool *reached)
{
	if (is_wildcard(c)) {
		for (size_t i = 0; i < name.n; i++)
			reached[i + 1] |= reached[i] && (c == '*' || name.p[i] != delimiter);
		return;
	}
	for (size_t i = name.n; i > 0; i--) {
		char n = name.p[i - 1];

		reached[i] = reached[i - 1] &&
			     (n == c || (i <= nocase && ascii_lower(n) == ascii_lower(c)));
	}
	reached[0] = false;
}

bool list_matches(struct slice pattern, struct slice name, char delimiter)
{
	bool reached[LIMIT_PATH_BYTES + 1] = { true };
	bool inbox = slice_starts_with_nocase(name, SLICE("INBOX")) &&
		     (name.n == 5 || name.p[5] == delimiter);

	if (name.n > LIMIT_PATH_BYTES)
		return false;
	for (size_t i = 0; i < pattern.n; i++)
		step(pattern.p[i], name, delimiter, inbox ? 5 : 0, reached);
	return reached[name.n];
}
