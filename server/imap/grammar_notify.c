#include "server/imap/grammar_notify.h"

#include "server/wire/token.h"

#define WORD(w)                                                                                    \
	{                                                                                          \
		w, sizeof w - 1                                                                    \
	}

static const struct {
	struct slice word;
	enum notify_event event;
} events[] = {
	{ WORD("MessageNew"), NOTIFY_MESSAGE_NEW },
	{ WORD("MessageExpunge"), NOTIFY_MESSAGE_EXPUNGE },
	{ WORD("FlagChange"), NOTIFY_FLAG_CHANGE },
	{ WORD("MailboxName"), NOTIFY_MAILBOX_NAME },
	{ WORD("SubscriptionChange"), NOTIFY_SUBSCRIPTION_CHANGE },
	{ WORD("MailboxMetadataChange"), NOTIFY_MAILBOX_METADATA_CHANGE },
	{ WORD("ServerMetadataChange"), NOTIFY_SERVER_METADATA_CHANGE },
};
#undef WORD

const char NOTIFY_EVENT_NAMES[] = "MessageNew MessageExpunge FlagChange MailboxName "
				  "SubscriptionChange MailboxMetadataChange ServerMetadataChange";

static bool is_selected(const struct mailbox_filter *filter)
{
	return filter->kind == FILTER_SELECTED || filter->kind == FILTER_SELECTED_DELAYED;
}

/* MessageNew may have a list of what to fetch, for the selected mailbox. */
static enum parse take_fetch(struct slice *in, struct grammar *grammar, struct notify_group *group)
{
	if (!slice_starts_with(*in, SLICE(" (")))
		return PARSE_OK;
	if (!is_selected(&group->filter))
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"What to fetch can be said for the selected mailbox only");
	return token_space(in) == PARSE_OK ? grammar_fetch_items(in, grammar, &group->fetch)
					   : PARSE_BAD;
}

static enum parse take_event(struct slice *in, struct grammar *grammar,
	struct notify_arguments *arguments, struct notify_group *group)
{
	struct slice unknown;

	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		if (token_word(in, events[i].word) != PARSE_OK)
			continue;
		group->events |= events[i].event;
		return events[i].event == NOTIFY_MESSAGE_NEW ? take_fetch(in, grammar, group)
							     : PARSE_OK;
	}
	arguments->unknown_event = true;
	return token_atom(in, &unknown);
}

static enum parse take_events(struct slice *in, struct grammar *grammar,
	struct notify_arguments *arguments, struct notify_group *group)
{
	if (token_word(in, SLICE("NONE")) == PARSE_OK)
		return PARSE_OK;
	if (token_open(in) != PARSE_OK)
		return PARSE_BAD;
	do {
		if (take_event(in, grammar, arguments, group) != PARSE_OK)
			return PARSE_BAD;
	} while (token_space(in) == PARSE_OK);
	return token_close(in);
}

/* RFC 5465 sections 5 and 6.1. */
static enum parse check_events(const struct notify_group *group, struct grammar *grammar)
{
	unsigned both = NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE;

	if ((group->events & NOTIFY_MESSAGE_EVENTS) && (group->events & both) != both)
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"MessageNew and MessageExpunge must come together, and with FlagChange");
	if (is_selected(&group->filter) && (group->events & ~NOTIFY_MESSAGE_EVENTS))
		return grammar_bad(grammar, GRAMMAR_SYNTAX,
			"Only events of messages can be asked for of the selected mailbox");
	return PARSE_OK;
}

/* "(" filter-mailboxes SP events ")" */
static enum parse take_group(struct slice *in, struct grammar *grammar,
	struct notify_arguments *arguments, struct notify_group **ret_group)
{
	struct notify_group *group = arena_alloc(grammar->arena, sizeof *group);

	if (token_open(in) != PARSE_OK ||
		grammar_mailbox_filter(in, grammar, &group->filter) != PARSE_OK ||
		group->filter.kind == FILTER_SUBTREE_ONE || token_space(in) != PARSE_OK ||
		take_events(in, grammar, arguments, group) != PARSE_OK ||
		token_close(in) != PARSE_OK)
		return PARSE_BAD;
	if (!arguments->unknown_event && check_events(group, grammar) != PARSE_OK)
		return PARSE_BAD;
	*ret_group = group;
	return PARSE_OK;
}

static enum parse take_groups(
	struct slice *in, struct grammar *grammar, struct notify_arguments *arguments)
{
	struct notify_group *first = NULL, **link = &first;
	unsigned n = 0, selected = 0;

	do {
		if (n++ == MAILBOX_FILTERS_MAX)
			return grammar_bad(grammar, GRAMMAR_LIMIT, "Too many groups of events");
		if (take_group(in, grammar, arguments, link) != PARSE_OK)
			return PARSE_BAD;
		selected += is_selected(&(*link)->filter);
		link = &(*link)->next;
	} while (token_space(in) == PARSE_OK);
	if (selected > 1)
		return grammar_bad(
			grammar, GRAMMAR_SYNTAX, "The selected mailbox can be named once only");
	arguments->groups = first;
	return PARSE_OK;
}

static enum parse take_set(
	struct slice *in, struct grammar *grammar, struct notify_arguments *arguments)
{
	if (token_word(in, SLICE("SET")) != PARSE_OK || token_space(in) != PARSE_OK)
		return PARSE_BAD;
	arguments->set = true;
	if (token_word(in, SLICE("STATUS")) == PARSE_OK) {
		arguments->status = true;
		if (token_space(in) != PARSE_OK)
			return PARSE_BAD;
	}
	return take_groups(in, grammar, arguments);
}

enum parse grammar_notify(
	struct slice *in, struct grammar *grammar, struct notify_arguments *ret_arguments)
{
	struct slice s = *in;
	struct notify_arguments a = { .text = *in };

	if (token_space(&s) != PARSE_OK)
		return PARSE_BAD;
	if (token_word(&s, SLICE("NONE")) != PARSE_OK && take_set(&s, grammar, &a) != PARSE_OK)
		return PARSE_BAD;
	if (token_end(&s) != PARSE_OK)
		return PARSE_BAD;
	*in = s;
	*ret_arguments = a;
	return PARSE_OK;
}
