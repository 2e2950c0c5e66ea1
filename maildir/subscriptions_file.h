/* subscriptions_file.h - the text of the file "subscriptions", versions 2 and 1, and of Courier's. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/*
 *   version 2 = "V" TAB "2" LF LF *(level *(TAB level) LF)
 *   version 1 = *(level *(("." / "/") level) LF)
 *   courier   = *("INBOX" *("." level) LF)          INBOX is the mailbox, "INBOX.a" the mailbox "a"
 *
 * A level is written as on disk (name.h). INBOX is the mailbox INBOX, in any case.
 */
enum subscriptions_form { SUBSCRIPTIONS_2, SUBSCRIPTIONS_1, SUBSCRIPTIONS_COURIER };

/* Which version a text is; no more than that: an empty text is version 1. *ret_lines: what follows the header. */
enum subscriptions_form subscriptions_read_header(struct slice text, struct slice *ret_lines);

/*
 * Append the name that a line (without its LF) means.
 * Returns 0; -EINVAL: no mailbox can have that name; -ENOBUFS. On failure out is as before.
 */
_must_check_ int subscriptions_parse_line(
	enum subscriptions_form form, struct slice line, char separator, struct buf *out);

/* Append the header. Courier's form is never written. Returns 0, or -ENOBUFS. */
_must_check_ int subscriptions_format_header(enum subscriptions_form form, struct buf *out);

/* Append the line of a mailbox, with its LF. Returns 0; -EINVAL, -ENAMETOOLONG as name_to_directory(); -ENOBUFS. */
_must_check_ int subscriptions_format_line(
	enum subscriptions_form form, struct slice name, char separator, struct buf *out);
