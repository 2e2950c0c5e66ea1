/* grammar_notify.h - the arguments of NOTIFY. Pure. RFC 5465 section 8. */
#pragma once

#include "server/imap/grammar_fetch.h"
#include "server/imap/grammar_mailboxes.h"

enum notify_event {
	NOTIFY_MESSAGE_NEW = 1 << 0,
	NOTIFY_MESSAGE_EXPUNGE = 1 << 1,
	NOTIFY_FLAG_CHANGE = 1 << 2,
	NOTIFY_MAILBOX_NAME = 1 << 3,
	NOTIFY_SUBSCRIPTION_CHANGE = 1 << 4,
	NOTIFY_MAILBOX_METADATA_CHANGE = 1 << 5,
	NOTIFY_SERVER_METADATA_CHANGE = 1 << 6,
	NOTIFY_MESSAGE_EVENTS =
		NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE,
};

struct notify_group {
	struct mailbox_filter filter;
	unsigned events; /* enum notify_event; 0: NONE */
	struct fetch_arguments fetch; /* of new messages in the selected mailbox; n 0: none */
	struct notify_group *next;
};

struct notify_arguments {
	struct slice text; /* all arguments, as they were written: to be parsed again */
	bool set;          /* else NONE */
	bool status;
	bool unknown_event; /* NO [BADEVENT]; nothing else was checked */
	const struct notify_group *groups;
};

/*
 * SP ("NONE" / "SET" [SP "STATUS"] SP event-group *(SP event-group)).
 * Returns  PARSE_BAD also for events that must come together and do not, that SELECTED cannot have, for a second SELECTED.
 * Limits   MAILBOX_FILTERS_MAX groups.
 */
_must_check_ enum parse grammar_notify(
	struct slice *in, struct grammar *grammar, struct notify_arguments *ret_arguments);

/* The names of all events, separated by spaces: for BADEVENT. */
extern const char NOTIFY_EVENT_NAMES[];
