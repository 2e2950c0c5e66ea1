#include "server/imap/grammar_metadata.h"

#include "server/wire/token.h"

static enum parse take_name(struct slice *in, struct grammar *grammar, bool to_set,
	struct metadata_arguments *arguments)
{
	struct slice name;

	if (token_astring(in, grammar->arena, &name) != PARSE_OK)
		return PARSE_BAD;
	if (to_set ? !metadata_name_is_valid(name) : !metadata_name_is_prefix(name))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "No entry can have that name");
	if (arguments->n == LIMIT_METADATA_ENTRIES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many entries in one command");
	arguments->entries[arguments->n++] = (struct metadata_entry){ .name = name };
	return PARSE_OK;
}

enum parse grammar_metadata_entries(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *arguments)
{
	if (!arguments->entries)
		arguments->entries = metadata_none(grammar->arena).entries;
	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_name(in, grammar, false, arguments) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

static enum parse take_entries(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *arguments)
{
	if (in->n > 0 && in->p[0] == '(')
		return grammar_metadata_entries(in, grammar, arguments);
	do {
		if (take_name(in, grammar, false, arguments) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return PARSE_OK;
}

static enum parse take_depth(struct slice *in, enum metadata_depth *ret_depth)
{
	static const struct slice words[] = {
		[METADATA_DEPTH_0] = { "0", 1 },
		[METADATA_DEPTH_1] = { "1", 1 },
		[METADATA_DEPTH_INFINITY] = { "infinity", 8 },
	};

	for (int depth = METADATA_DEPTH_0; depth <= METADATA_DEPTH_INFINITY; depth++)
		if (token_word(in, words[depth]) == PARSE_OK) {
			*ret_depth = depth;
			return PARSE_OK;
		}
	return PARSE_BAD;
}

static enum parse take_option(struct slice *in, struct metadata_arguments *arguments)
{
	if (token_word(in, SLICE("MAXSIZE")) == PARSE_OK) {
		arguments->has_maxsize = true;
		return token_space(in) == PARSE_OK ? token_number(in, &arguments->maxsize_octets)
						   : PARSE_BAD;
	}
	if (token_word(in, SLICE("DEPTH")) != PARSE_OK || token_space(in) != PARSE_OK)
		return PARSE_BAD;
	return take_depth(in, &arguments->depth);
}

/* "(" option *(SP option) ")" SP, if that comes next; entries begin with a slash, or a quote. */
static enum parse take_options(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *arguments)
{
	if (in->n < 2 || in->p[0] != '(' || !ascii_is_alpha(in->p[1]))
		return PARSE_OK;
	*in = slice_tail(*in, 1);
	do {
		if (take_option(in, arguments) != PARSE_OK)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown option");
	} while (token_space(in) == PARSE_OK);
	return token_close(in) == PARSE_OK ? token_space(in) : PARSE_BAD;
}

enum parse grammar_getmetadata(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *ret_arguments)
{
	struct slice s = *in;
	struct metadata_arguments a = { .entries = metadata_none(grammar->arena).entries };

	if (token_space(&s) != PARSE_OK || take_options(&s, grammar, &a) != PARSE_OK ||
		grammar_mailbox(&s, grammar, &a.mailbox) != PARSE_OK ||
		token_space(&s) != PARSE_OK || take_options(&s, grammar, &a) != PARSE_OK ||
		take_entries(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

/* value = nstring / literal8 */
static enum parse take_value(struct slice *in, struct grammar *grammar, struct slice *ret_value)
{
	if (in->n > 0 && in->p[0] == '~')
		return token_literal8(in, ret_value);
	return token_nstring(in, grammar->arena, ret_value);
}

enum parse grammar_setmetadata(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *ret_arguments)
{
	struct slice s = *in;
	struct metadata_arguments a = { .entries = metadata_none(grammar->arena).entries };

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.mailbox) != PARSE_OK ||
		token_space(&s) != PARSE_OK || token_open(&s) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_name(&s, grammar, true, &a) != PARSE_OK || token_space(&s) != PARSE_OK ||
			take_value(&s, grammar, &a.entries[a.n - 1].value) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(&s) == PARSE_OK);
	if (token_close(&s) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
