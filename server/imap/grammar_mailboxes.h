/* grammar_mailboxes.h - filter-mailboxes: which mailboxes ESEARCH (RFC 7377) and NOTIFY (RFC 5465) are about. Pure. */
#pragma once

#include "server/imap/grammar.h"

enum mailbox_filter_kind {
	FILTER_SELECTED,
	FILTER_SELECTED_DELAYED, /* not of ESEARCH */
	FILTER_INBOXES,
	FILTER_PERSONAL,
	FILTER_SUBSCRIBED,
	FILTER_MAILBOXES,   /* those named */
	FILTER_SUBTREE,     /* those named, and all below */
	FILTER_SUBTREE_ONE, /* those named, and what is one level below: of ESEARCH only */
};

struct mailbox_filter {
	enum mailbox_filter_kind kind;
	const struct slice *names; /* UTF-8, as grammar_mailbox() has them */
	size_t names_n;
	struct mailbox_filter *next;
};

enum { MAILBOX_FILTERS_MAX = 100, MAILBOX_FILTER_NAMES_MAX = 1000 };

/*
 * One filter-mailboxes. Names may be one, or a list in parentheses.
 * Returns PARSE_OK; PARSE_BAD with *in untouched.
 * Limits  MAILBOX_FILTER_NAMES_MAX.
 * RFC     5465 section 6; 7377 section 2.2.
 */
_must_check_ enum parse grammar_mailbox_filter(
	struct slice *in, struct grammar *grammar, struct mailbox_filter *ret_filter);

/* Whether a filter, not of those of the selected mailbox, names a mailbox; subscribed says whether that is. */
bool mailbox_filter_takes(
	const struct mailbox_filter *filter, struct slice name, bool subscribed, char separator);
