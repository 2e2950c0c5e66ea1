#include "server/imap/grammar_store.h"

#include "base/limits.h"
#include "server/imap/flags.h"
#include "server/wire/token.h"

enum { KEYWORD_MAX_BYTES = 255 };

/* "+FLAGS.SILENT" and its like. */
static enum parse take_operation(struct slice *in, struct store_arguments *a)
{
	struct slice s = *in;

	a->operation = slice_skip(&s, '+')   ? FLAGS_ADD
		       : slice_skip(&s, '-') ? FLAGS_REMOVE
					     : FLAGS_REPLACE;
	if (!slice_skip_nocase(&s, SLICE("FLAGS")))
		return PARSE_BAD;
	a->silent = slice_skip_nocase(&s, SLICE(".SILENT"));
	*in = s;
	return PARSE_OK;
}

static enum parse add_flag(struct slice name, struct grammar *grammar, struct slice *keywords,
	struct store_arguments *a)
{
	uint32_t flag = flag_from_name(name);

	a->flags |= flag;
	if (flag)
		return PARSE_OK;
	if (name.p[0] == '\\')
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "No such system flag can be stored");
	if (name.n > KEYWORD_MAX_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Keyword is too long");
	for (size_t i = 0; i < a->keywords_n; i++)
		if (slice_equal_nocase(keywords[i], name))
			return PARSE_OK;
	if (a->keywords_n == LIMIT_KEYWORDS)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many keywords");
	keywords[a->keywords_n++] = name;
	return PARSE_OK;
}

enum parse grammar_flags(struct slice *in, struct grammar *grammar, struct store_arguments *a)
{
	struct slice *keywords = arena_array(grammar->arena, LIMIT_KEYWORDS, sizeof *keywords);
	bool list = token_open(in) == PARSE_OK;

	a->keywords = keywords;
	if (list && token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		struct slice name;

		if (token_flag(in, &name) != PARSE_OK ||
			add_flag(name, grammar, keywords, a) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return list ? token_close(in) : PARSE_OK;
}

/* "(" store-modifier ")" SP, if there is one. RFC 4466 section 2.5; there is only one modifier. */
static enum parse take_modifiers(
	struct slice *in, struct grammar *grammar, struct store_arguments *a)
{
	if (token_open(in) != PARSE_OK)
		return PARSE_OK;
	if (token_word(in, SLICE("UNCHANGEDSINCE")) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown modifier");
	a->conditional = true;
	if (token_space(in) != PARSE_OK || token_number64(in, &a->unchangedsince) != PARSE_OK ||
		token_close(in) != PARSE_OK)
		return PARSE_BAD;
	return token_space(in);
}

enum parse grammar_store(
	struct slice *in, struct grammar *grammar, struct store_arguments *ret_arguments)
{
	struct slice s = *in;
	struct store_arguments a = { .unchangedsince = UINT64_MAX };

	if (token_space(&s) != PARSE_OK || token_sequence_set(&s, &a.set) != PARSE_OK ||
		token_space(&s) != PARSE_OK || take_modifiers(&s, grammar, &a) != PARSE_OK)
		return PARSE_BAD;
	if (take_operation(&s, &a) != PARSE_OK || token_space(&s) != PARSE_OK ||
		grammar_flags(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
