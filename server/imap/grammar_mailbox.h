/* grammar_mailbox.h - the arguments of the commands about mailboxes: SELECT, STATUS, LIST, ... Pure. */
#pragma once

#include "base/limits.h"
#include "server/imap/grammar.h"

struct mailbox_arguments {
	struct slice name; /* UTF-8 */
};

enum status_item {
	STATUS_MESSAGES = 1 << 0,
	STATUS_RECENT = 1 << 1,
	STATUS_UIDNEXT = 1 << 2,
	STATUS_UIDVALIDITY = 1 << 3,
	STATUS_UNSEEN = 1 << 4,
	STATUS_HIGHESTMODSEQ = 1 << 5,
	STATUS_SIZE = 1 << 6,
	STATUS_DELETED = 1 << 7,
	STATUS_MAILBOXID = 1 << 8, /* RFC 8474 section 4.3 */
	STATUS_DELETED_STORAGE = 1 << 9, /* RFC 9208 section 4.1.4 */
	STATUS_APPENDLIMIT = 1 << 10,    /* RFC 7889 section 3.1 */
};

struct status_arguments {
	struct slice name;
	unsigned items; /* enum status_item */
};

struct create_arguments {
	struct slice name;
	bool has_uses;     /* USE (...) */
	bool unknown_use;  /* there is one that no mailbox can have here */
	unsigned uses;     /* special_use_bit() */
};

struct rename_arguments {
	struct slice from, to; /* UTF-8 */
};

/* SP mailbox: of DELETE, SUBSCRIBE and the like. RFC 9051 section 6.3.5. */
_must_check_ enum parse grammar_select(
	struct slice *in, struct grammar *grammar, struct mailbox_arguments *ret_arguments);

/* SP mailbox [SP "(USE (" *use-attr "))"]. RFC 9051 section 6.3.4, 6154 section 3. */
_must_check_ enum parse grammar_create(
	struct slice *in, struct grammar *grammar, struct create_arguments *ret_arguments);

/* SP mailbox SP mailbox. RFC 9051 section 6.3.6. */
_must_check_ enum parse grammar_rename(
	struct slice *in, struct grammar *grammar, struct rename_arguments *ret_arguments);

/* SP mailbox SP "(" status-att *(SP status-att) ")". RFC 9051 section 6.3.11, 3501 section 6.3.10. */
_must_check_ enum parse grammar_status(
	struct slice *in, struct grammar *grammar, struct status_arguments *ret_arguments);

/*
 * "(" status-att *(SP status-att) ")": enum status_item, for LIST RETURN (STATUS (...)), too. *in has moved also where this is
 * PARSE_BAD. RFC 5819 section 4.
 */
_must_check_ enum parse grammar_status_items(
	struct slice *in, struct grammar *grammar, unsigned *ret_items);
