/* flags.h - flag names to bits and keywords, and back. Pure but for reading a mailbox's keyword names. */
#pragma once

#include "maildir/mailbox.h"
#include "server/wire/writer.h"

/*
 * The bit of a system flag ("\Seen") or of $Forwarded, in any case.
 * Returns 0 for anything else.
 */
uint32_t flag_from_name(struct slice name);

/* Append the names of flags, then of keywords, then \Recent, separated by spaces, in parentheses. */
void flags_write(struct writer *w, const struct mailbox *mailbox, const struct message *message,
	bool recent);

/* How many keywords the mailbox has, holes left out: it changes when there is something new to tell. */
unsigned flags_keywords(const struct mailbox *mailbox);

/*
 * Append all names a message of the mailbox may carry, in parentheses; with star, "\*" too: new keywords can be made (or are refused
 * with LIMIT when there are too many). */
void flags_write_all(struct writer *w, const struct mailbox *mailbox, bool star);
