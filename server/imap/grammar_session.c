#include "server/imap/grammar_session.h"

#include "server/wire/token.h"

static enum parse take_id_pairs(struct slice *in, struct grammar *grammar)
{
	for (unsigned pairs = 0; token_close(in) != PARSE_OK; pairs++) {
		struct slice field, value;

		if (pairs > 0 && token_space(in) != PARSE_OK)
			return PARSE_BAD;
		if (token_string(in, grammar->arena, &field) != PARSE_OK ||
			token_space(in) != PARSE_OK ||
			token_nstring(in, grammar->arena, &value) != PARSE_OK)
			return PARSE_BAD;
		if (pairs == ID_MAX_PAIRS || field.n > ID_MAX_FIELD_BYTES ||
			value.n > ID_MAX_VALUE_BYTES)
			return grammar_bad(
				grammar, GRAMMAR_SYNTAX, "ID says too much (RFC 2971 section 3.3)");
	}
	return PARSE_OK;
}

enum parse grammar_id(struct slice *in, struct grammar *grammar)
{
	struct slice s = *in;

	if (token_space(&s) != PARSE_OK)
		return PARSE_BAD;
	if (token_word(&s, SLICE("NIL")) != PARSE_OK &&
		(token_open(&s) != PARSE_OK || take_id_pairs(&s, grammar) != PARSE_OK))
		return PARSE_BAD;
	if (token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	return PARSE_OK;
}

enum parse grammar_compress(struct slice *in, struct grammar *grammar)
{
	struct slice s = *in;

	(void)grammar;
	if (token_space(&s) != PARSE_OK || token_word(&s, SLICE("DEFLATE")) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	return PARSE_OK;
}

enum parse grammar_enable(
	struct slice *in, struct grammar *grammar, struct enable_arguments *ret_arguments)
{
	struct slice s = *in;
	struct slice *capabilities = arena_array(grammar->arena, ENABLE_MAX, sizeof *capabilities);
	size_t n = 0;

	while (s.n > 0) {
		if (n == ENABLE_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many capabilities");
		if (token_space(&s) != PARSE_OK || token_atom(&s, &capabilities[n++]) != PARSE_OK)
			return PARSE_BAD;
	}
	if (n == 0)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = (struct enable_arguments){ capabilities, n };
	return PARSE_OK;
}

enum parse grammar_language(
	struct slice *in, struct grammar *grammar, struct language_arguments *ret_arguments)
{
	struct slice s = *in;
	struct slice *ranges = arena_array(grammar->arena, LANGUAGE_MAX, sizeof *ranges);
	size_t n = 0;

	while (s.n > 0) {
		if (n == LANGUAGE_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many languages");
		if (token_space(&s) != PARSE_OK ||
			token_astring(&s, grammar->arena, &ranges[n++]) != PARSE_OK)
			return PARSE_BAD;
	}
	*in = s;
	*ret_arguments = (struct language_arguments){ ranges, n };
	return PARSE_OK;
}

enum parse grammar_set(
	struct slice *in, struct grammar *grammar, struct set_arguments *ret_arguments)
{
	struct slice s = *in;
	struct set_arguments a = { .mailbox = { NULL, 0 } };

	(void)grammar;
	if (token_space(&s) != PARSE_OK || token_sequence_set(&s, &a.set) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_copy(
	struct slice *in, struct grammar *grammar, struct set_arguments *ret_arguments)
{
	struct slice s = *in;
	struct set_arguments a;

	if (token_space(&s) != PARSE_OK || token_sequence_set(&s, &a.set) != PARSE_OK ||
		token_space(&s) != PARSE_OK ||
		grammar_mailbox(&s, grammar, &a.mailbox) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
