/* mbox.h - a mailbox as one file: RFC 4155, with the quoting known as mboxrd, which can be undone. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * A message is a line "From SENDER DATE", the message, and an empty line. Lines of the message that are "From " behind any
 * number of ">" get one ">" more: a reader that takes one away from each such line has the message as it was, octet for
 * octet. Only an LF is added where a message does not end in one.
 */
struct mbox {
	unsigned
		n_from; /* octets of "From " behind the start of the line and its ">", not written yet */
	bool in_line; /* past the place where it could be such a line */
	bool ends_in_lf;
};

/*
 * Begin a message: append its "From " line.
 * head  what the message begins with: the sender is taken from a Return-Path field there, and is MAILER-DAEMON without one.
 * date  INTERNALDATE, in seconds since 1970; written in UTC (RFC 4155).
 * Returns 0, or -ENOBUFS.
 */
_must_check_ int mbox_begin(struct mbox *mbox, struct slice head, int64_t date, struct buf *out);

/* Append the next octets of the message, quoted; cut anywhere. Returns 0, or -ENOBUFS. */
_must_check_ int mbox_add(struct mbox *mbox, struct slice octets, struct buf *out);

/* End the message. Returns 0, or -ENOBUFS. */
_must_check_ int mbox_end(struct mbox *mbox, struct buf *out);
