/* special_use.h - which mailbox is for drafts, sent mail and so on, told by its name. Pure. RFC 6154. */
#pragma once

#include "base/slice.h"

enum special_use {
	SPECIAL_USE_NONE,
	SPECIAL_USE_ARCHIVE,
	SPECIAL_USE_DRAFTS,
	SPECIAL_USE_JUNK,
	SPECIAL_USE_SENT,
	SPECIAL_USE_TRASH,
	SPECIAL_USE_COUNT
};

/* The attribute in LIST, with its backslash. RFC 6154 section 2. */
const char *special_use_attribute(enum special_use use);

/*
 * What a mailbox of that name is for: the names that mail programs give, in English and Japanese, ASCII in any case, at
 * the top or directly below INBOX.
 * ret_rank  of several mailboxes for one use, that with the lowest rank is the one.
 * Returns   SPECIAL_USE_NONE for any other name; *ret_rank is untouched then.
 */
enum special_use special_use_of_name(struct slice name, char separator, unsigned *ret_rank);
