#include "server/imap/grammar_mailbox.h"

#include "maildir/special_use.h"
#include "server/wire/token.h"

static const struct {
	struct slice name;
	enum status_item item;
} status_items[] = {
	{ { "MESSAGES", 8 }, STATUS_MESSAGES },
	{ { "RECENT", 6 }, STATUS_RECENT },
	{ { "UIDNEXT", 7 }, STATUS_UIDNEXT },
	{ { "UIDVALIDITY", 11 }, STATUS_UIDVALIDITY },
	{ { "UNSEEN", 6 }, STATUS_UNSEEN },
	{ { "HIGHESTMODSEQ", 13 }, STATUS_HIGHESTMODSEQ },
	{ { "SIZE", 4 }, STATUS_SIZE },
	{ { "DELETED", 7 }, STATUS_DELETED },
	{ { "MAILBOXID", 9 }, STATUS_MAILBOXID },
	{ { "DELETED-STORAGE", 15 }, STATUS_DELETED_STORAGE },
	{ { "APPENDLIMIT", 11 }, STATUS_APPENDLIMIT },
};

enum { STATUS_ITEMS = sizeof status_items / sizeof *status_items };

enum parse grammar_select(
	struct slice *in, struct grammar *grammar, struct mailbox_arguments *ret_arguments)
{
	struct slice s = *in;
	struct mailbox_arguments a;

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK)
		return PARSE_BAD;
	if (slice_starts_with(s, SLICE(" (")))
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown parameter");
	if (token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

/* "(" [use-attr *(SP use-attr)] ")" */
static enum parse take_uses(struct slice *in, struct create_arguments *arguments)
{
	struct slice attribute;
	unsigned use;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	arguments->has_uses = true;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		if (token_flag(in, &attribute) != PARSE_OK || attribute.p[0] != '\\')
			return PARSE_BAD;
		arguments->unknown_use |= !special_use_parse(attribute, &use);
		arguments->uses |= use;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

static enum parse take_create_parameters(
	struct slice *in, struct grammar *grammar, struct create_arguments *arguments)
{
	if (token_end(in) == PARSE_OK)
		return PARSE_OK;
	if (token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	if (token_word(in, SLICE("USE")) != PARSE_OK)
		return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown parameter");
	if (token_space(in) != PARSE_OK || take_uses(in, arguments) != PARSE_OK)
		return PARSE_BAD;
	return token_close(in);
}

enum parse grammar_create(
	struct slice *in, struct grammar *grammar, struct create_arguments *ret_arguments)
{
	struct slice s = *in;
	struct create_arguments a = { .has_uses = false };

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK ||
		take_create_parameters(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_rename(
	struct slice *in, struct grammar *grammar, struct rename_arguments *ret_arguments)
{
	struct slice s = *in;
	struct rename_arguments a;

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.from) != PARSE_OK ||
		token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.to) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

static enum parse take_status_item(struct slice *in, unsigned *items)
{
	for (size_t i = 0; i < STATUS_ITEMS; i++)
		if (token_word(in, status_items[i].name) == PARSE_OK) {
			*items |= status_items[i].item;
			return PARSE_OK;
		}
	return PARSE_BAD;
}

/* "(" status-att *(SP status-att) ")" */
enum parse grammar_status_items(
	struct slice *in, struct grammar *grammar, unsigned *ret_items)
{
	unsigned items = 0;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_status_item(in, &items) != PARSE_OK)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown status item");
	} while (token_space(in) == PARSE_OK);
	*ret_items = items;
	return token_close(in);
}

enum parse grammar_status(
	struct slice *in, struct grammar *grammar, struct status_arguments *ret_arguments)
{
	struct slice s = *in;
	struct status_arguments a = { .items = 0 };

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK ||
		token_space(&s) != PARSE_OK ||
		grammar_status_items(&s, grammar, &a.items) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
