#include "server/imap/grammar_mailbox.h"

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

enum parse grammar_mailbox_and_more(
	struct slice *in, struct grammar *grammar, struct mailbox_arguments *ret_arguments)
{
	struct slice s = *in;
	struct mailbox_arguments a;

	if (token_space(&s) != PARSE_OK || grammar_mailbox(&s, grammar, &a.name) != PARSE_OK)
		return PARSE_BAD;
	*in = (struct slice){ NULL, 0 };
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

enum parse grammar_list(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments)
{
	struct slice s = *in;
	struct list_arguments a;

	if (token_space(&s) != PARSE_OK ||
		token_astring(&s, grammar->arena, &a.reference) != PARSE_OK ||
		token_space(&s) != PARSE_OK ||
		token_list_mailbox(&s, grammar->arena, &a.pattern) != PARSE_OK ||
		token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	if (a.reference.n > LIMIT_PATH_BYTES || a.pattern.n > LIMIT_PATH_BYTES)
		return grammar_bad(grammar, GRAMMAR_LIMIT, "Pattern is too long");
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
 * name match it. One row a character of the pattern.
 */
static void step(char c, struct slice name, char delimiter, bool nocase, bool *reached)
{
	if (is_wildcard(c)) {
		for (size_t i = 0; i < name.n; i++)
			reached[i + 1] |= reached[i] && (c == '*' || name.p[i] != delimiter);
		return;
	}
	for (size_t i = name.n; i > 0; i--) {
		char n = name.p[i - 1];

		reached[i] =
			reached[i - 1] && (n == c || (nocase && ascii_lower(n) == ascii_lower(c)));
	}
	reached[0] = false;
}

bool list_matches(struct slice pattern, struct slice name, char delimiter)
{
	bool reached[LIMIT_PATH_BYTES + 1] = { true };
	bool nocase = slice_equal_nocase(name, SLICE("INBOX"));

	if (name.n > LIMIT_PATH_BYTES)
		return false;
	for (size_t i = 0; i < pattern.n; i++)
		step(pattern.p[i], name, delimiter, nocase, reached);
	return reached[name.n];
}
