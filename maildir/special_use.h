/* special_use.h - which mailbox is for drafts, sent mail and so on, told by its name. Pure. RFC 6154. */
#pragma once

#include "base/buf.h"
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

static inline unsigned special_use_bit(enum special_use use)
{
	return 1u << use;
}

enum { SPECIAL_USES_TEXT_BYTES = 64 };

/*
 * Read attributes separated by spaces, in any case, into a set of special_use_bit().
 * Returns false if there is one that no mailbox can have here; *ret_uses are the others.
 */
bool special_use_parse(struct slice text, unsigned *ret_uses);

/* Append a set as attributes separated by spaces: at most SPECIAL_USES_TEXT_BYTES. Returns 0, or -ENOBUFS. */
_must_check_ int special_use_format(unsigned uses, struct buf *out);

/* The attribute in LIST, with its backslash. RFC 6154 section 2. */
const char *special_use_attribute(enum special_use use);

/*
 * What a mailbox of that name is for: the names that mail programs give, in English and Japanese, ASCII in any case, at
 * the top or directly below INBOX.
 * ret_rank  of several mailboxes for one use, that with the lowest rank is the one.
 * Returns   SPECIAL_USE_NONE for any other name; *ret_rank is untouched then.
 */
enum special_use special_use_of_name(struct slice name, char separator, unsigned *ret_rank);
