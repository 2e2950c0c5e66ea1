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

enum parse grammar_status(
	struct slice *in, struct grammar *grammar, struct status_arguments *ret_arguments)
{
	struct slice s = *in;
	struct status_arguments a = { .items = 0 };

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK ||
		token_space(&s) != PARSE_OK || token_open(&s) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_status_item(&s, &a.items) != PARSE_OK)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown status item");
	} while (token_space(&s) == PARSE_OK);
	if (token_close(&s) != PARSE_OK || token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

/* SP reference SP pattern */
static enum parse take_pattern(
	struct slice *in, struct grammar *grammar, struct list_arguments *arguments)
{
	if (token_space(in) != PARSE_OK ||
		token_astring(in, grammar->arena, &arguments->reference) != PARSE_OK ||
		token_space(in) != PARSE_OK ||
		token_list_mailbox(in, grammar->arena, &arguments->pattern) != PARSE_OK)
		return PARSE_BAD;
	if (arguments->reference.n > LIMIT_PATH_BYTES || arguments->pattern.n > LIMIT_PATH_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Pattern is too long");
	return PARSE_OK;
}

/* "(" *option ")", of which each is one of those in names. Whether there was any goes to *ret_any. */
static enum parse take_options(
	struct slice *in, struct grammar *grammar, const struct slice *names, bool *ret_any)
{
	bool any = false;

	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	while (token_close(in) != PARSE_OK) {
		size_t i = 0;

		if (any && token_space(in) != PARSE_OK)
			return PARSE_BAD;
		while (names[i].n > 0 && token_word(in, names[i]) != PARSE_OK)
			i++;
		if (names[i].n == 0)
			return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown option");
		any = true;
	}
	*ret_any = any;
	return PARSE_OK;
}

static enum parse take_selection(
	struct slice *in, struct grammar *grammar, struct list_arguments *arguments)
{
	static const struct slice options[] = { { "SPECIAL-USE", 11 }, { NULL, 0 } };

	if (!slice_starts_with(*in, SLICE(" (")))
		return PARSE_OK;
	return token_space(in) == PARSE_OK
		       ? take_options(in, grammar, options, &arguments->special_use_only)
		       : PARSE_BAD;
}

static enum parse take_return_option(
	struct slice *in, struct grammar *grammar, struct list_arguments *arguments)
{
	if (token_word(in, SLICE("METADATA")) == PARSE_OK)
		return token_space(in) == PARSE_OK
			       ? grammar_metadata_entries(in, grammar, &arguments->metadata)
			       : PARSE_BAD;
	if (token_word(in, SLICE("CHILDREN")) == PARSE_OK ||
		token_word(in, SLICE("SPECIAL-USE")) == PARSE_OK)
		return PARSE_OK;
	return grammar_bad(grammar, GRAMMAR_SYNTAX, "Unknown option");
}

/* [SP "RETURN (" [option *(SP option)] ")"] */
static enum parse take_return(
	struct slice *in, struct grammar *grammar, struct list_arguments *arguments)
{
	if (token_end(in) == PARSE_OK)
		return PARSE_OK;
	if (token_space(in) != PARSE_OK || token_word(in, SLICE("RETURN")) != PARSE_OK ||
		token_space(in) != PARSE_OK || token_open(in) != PARSE_OK)
		return PARSE_BAD;
	if (token_close(in) == PARSE_OK)
		return PARSE_OK;
	do {
		if (take_return_option(in, grammar, arguments) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

enum parse grammar_list(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments)
{
	struct slice s = *in;
	struct list_arguments a = { .special_use_only = false };

	if (take_selection(&s, grammar, &a) != PARSE_OK ||
		take_pattern(&s, grammar, &a) != PARSE_OK || take_return(&s, grammar, &a) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}

enum parse grammar_lsub(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments)
{
	struct slice s = *in;
	struct list_arguments a = { .special_use_only = false };

	if (take_pattern(&s, grammar, &a) != PARSE_OK || token_end(&s) != PARSE_OK)
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
