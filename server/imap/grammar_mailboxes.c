#include "server/imap/grammar_mailboxes.h"

#include "maildir/name.h"
#include "server/wire/token.h"

static const struct {
	struct slice word;
	enum mailbox_filter_kind kind;
	bool has_names;
} filters[] = {
#define WORD(w)                                                                                    \
	{                                                                                          \
		w, sizeof w - 1                                                                    \
	}
	{ WORD("selected"), FILTER_SELECTED, false },
	{ WORD("selected-delayed"), FILTER_SELECTED_DELAYED, false },
	{ WORD("inboxes"), FILTER_INBOXES, false },
	{ WORD("personal"), FILTER_PERSONAL, false },
	{ WORD("subscribed"), FILTER_SUBSCRIBED, false },
	{ WORD("mailboxes"), FILTER_MAILBOXES, true },
	{ WORD("subtree"), FILTER_SUBTREE, true },
	{ WORD("subtree-one"), FILTER_SUBTREE_ONE, true },
#undef WORD
};

static enum parse take_name_list(
	struct slice *in, struct grammar *grammar, struct mailbox_filter *filter)
{
	struct slice *names = arena_array(grammar->arena, MAILBOX_FILTER_NAMES_MAX, sizeof *names);

	do {
		if (filter->names_n == MAILBOX_FILTER_NAMES_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many mailboxes");
		if (grammar_mailbox(in, grammar, &names[filter->names_n]) != PARSE_OK)
			return PARSE_BAD;
		filter->names_n++;
	} while (token_space(in) == PARSE_OK);
	filter->names = names;
	return token_close(in);
}

/* one-or-more-mailbox */
static enum parse take_names(
	struct slice *in, struct grammar *grammar, struct mailbox_filter *filter)
{
	if (token_space(in) != PARSE_OK)
		return PARSE_BAD;
	if (token_open(in) == PARSE_OK)
		return take_name_list(in, grammar, filter);

	struct slice *name = arena_alloc(grammar->arena, sizeof *name);

	filter->names = name;
	filter->names_n = 1;
	return grammar_mailbox(in, grammar, name);
}

enum parse grammar_mailbox_filter(
	struct slice *in, struct grammar *grammar, struct mailbox_filter *ret_filter)
{
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
		struct mailbox_filter filter = { .kind = filters[i].kind };
		struct slice s = *in;

		if (token_word(&s, filters[i].word) != PARSE_OK)
			continue;
		if (filters[i].has_names && take_names(&s, grammar, &filter) != PARSE_OK)
			return PARSE_BAD;
		*in = s;
		*ret_filter = filter;
		return PARSE_OK;
	}
	return PARSE_BAD;
}

static bool is_named(const struct mailbox_filter *filter, struct slice name, char separator)
{
	for (size_t i = 0; i < filter->names_n; i++) {
		struct slice parent = filter->names[i];

		if (slice_equal(name, parent))
			return true;
		if (filter->kind == FILTER_MAILBOXES || !name_is_below(name, parent, separator))
			continue;
		if (filter->kind == FILTER_SUBTREE ||
			slice_find(slice_tail(name, parent.n + 1), separator) < 0)
			return true;
	}
	return false;
}

bool mailbox_filter_takes(
	const struct mailbox_filter *filter, struct slice name, bool subscribed, char separator)
{
	switch (filter->kind) {
	case FILTER_INBOXES:
		return slice_equal(name, SLICE("INBOX"));
	case FILTER_PERSONAL:
		return true;
	case FILTER_SUBSCRIBED:
		return subscribed;
	case FILTER_MAILBOXES:
	case FILTER_SUBTREE:
	case FILTER_SUBTREE_ONE:
		return is_named(filter, name, separator);
	case FILTER_SELECTED:
	case FILTER_SELECTED_DELAYED:
		break;
	}
	return false;
}
