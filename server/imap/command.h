/* command.h - the table of commands: where each is allowed, what it takes, what runs it. */
#pragma once

#include "server/imap/grammar_append.h"
#include "server/imap/grammar_fetch.h"
#include "server/imap/grammar_list.h"
#include "server/imap/grammar_mailbox.h"
#include "server/imap/grammar_metadata.h"
#include "server/imap/grammar_notify.h"
#include "server/imap/grammar_quota.h"
#include "server/imap/grammar_search.h"
#include "server/imap/grammar_select.h"
#include "server/imap/grammar_session.h"
#include "server/imap/grammar_store.h"

struct imap;

/* RFC 9051 section 3. The first one belongs to the front: an engine never is in it. */
enum imap_state {
	IMAP_NOT_AUTHENTICATED,
	IMAP_AUTHENTICATED,
	IMAP_SELECTED,
	IMAP_LOGOUT,
	IMAP_STATE_COUNT
};

/* What a step of a command came to. */
enum run {
	RUN_DONE,   /* completed: the tagged response may follow */
	RUN_INPUT,  /* waits for the client, or for a change of the mailbox */
	RUN_OUTPUT, /* waits until output drained */
	RUN_STEP,   /* the budget is used up */
	RUN_RETRY,  /* waits for a lock */
	RUN_CLOSE,  /* the connection ends: its reason is set */
};

enum command_flag {
	COMMAND_BY_UID = 1 << 0,     /* the UID form */
	COMMAND_NO_EXPUNGE = 1 << 1, /* EXPUNGE may not be told with it (RFC 9051 section 7.5.1): it is by number */
	COMMAND_READ_WRITE = 1 << 2, /* needs a mailbox that was SELECTed, not EXAMINEd */
	COMMAND_NO_SYNC = 1 << 3,    /* ends without looking for changes of the mailbox */
	COMMAND_BY_NUMBER = 1 << 5, /* takes sequence numbers, but EXPUNGE may be told */
	COMMAND_WAITS = 1 << 6,     /* for the client, while it runs: no progress is told */
	COMMAND_UNASKED = 1 << 7,   /* no client sent it: what it tells is news */
	COMMAND_LITERAL8 = 1 << 10, /* takes values with NUL: literal8 */
	COMMAND_MESSAGE = 1 << 4, /* takes messages: run begins when the literal of the first is announced */
};

/* What parse made of the arguments; the member is the command family's. */
union arguments {
	struct mailbox_arguments mailbox;
	struct select_arguments select;
	struct append_arguments append;
	struct status_arguments status;
	struct list_arguments list;
	struct notify_arguments notify;
	struct rename_arguments rename;
	struct fetch_arguments fetch;
	struct store_arguments store;
	struct search_arguments search;
	struct cancel_arguments cancel;
	struct enable_arguments enable;
	struct language_arguments language;
	struct set_arguments set;
	struct quota_arguments quota;
	struct metadata_arguments metadata;
	struct create_arguments create;
};

struct command_type {
	const char *name; /* with "UID " before it for the UID form */
	unsigned states;  /* bits: 1 << enum imap_state */
	unsigned flags;   /* enum command_flag */
	enum parse (*parse)(
		struct slice *in, struct grammar *grammar, union arguments *ret_arguments);
	enum run (*run)(
		struct imap *imap); /* called again and again until it is no longer waiting */
	void (*end)(struct
		imap *imap); /* frees what the arena does not; also called when the connection ends. Or NULL */
	const char *rfc;
};

/*
 * Take the name of a command off the front of *in ("UID" takes the next word with it).
 * Returns its row; NULL: there is no such command, *in is untouched.
 */
const struct command_type *command_take(struct slice *in);

/* The rows, for tests and for documentation; NULL behind the last. */
const struct command_type *command_row(size_t i);
