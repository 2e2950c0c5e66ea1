#include "server/imap/grammar_quota.h"

#include "server/wire/token.h"

enum parse grammar_getquota(
	struct slice *in, struct grammar *grammar, struct quota_arguments *ret_arguments)
{
	struct slice s = *in, root;

	if (token_space(&s) != PARSE_OK || token_astring(&s, grammar->arena, &root) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	ret_arguments->root = root;
	return PARSE_OK;
}

/* "(" [resource-name SP resource-limit *(SP ...)] ")" */
static enum parse take_resources(struct slice *in)
{
	struct slice name;
	uint64_t limit;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		if (token_atom(in, &name) != PARSE_OK || token_space(in) != PARSE_OK ||
			token_number64(in, &limit) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

enum parse grammar_setquota(
	struct slice *in, struct grammar *grammar, struct quota_arguments *ret_arguments)
{
	struct slice s = *in, root;

	if (token_space(&s) != PARSE_OK || token_astring(&s, grammar->arena, &root) != PARSE_OK ||
		token_space(&s) != PARSE_OK || take_resources(&s) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	ret_arguments->root = root;
	return PARSE_OK;
}
