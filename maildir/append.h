/* append.h - adds messages to a mailbox: received in pieces, made durable in tmp/, then shown all at once. */
#pragma once

#include "maildir/mailbox.h"
#include "maildir/quota.h"

/*
 * Line ends: CRLF is stored as LF, as Dovecot does by default, but for a CRLF that follows a CR: so what is read back
 * with CRLF line ends is, octet for octet, what was appended. The one exception: an LF without CR becomes CRLF, as
 * everywhere in the store (maildir/message/crlf.h).
 */
struct append;

#define APPEND_OCTETS_UNKNOWN UINT64_MAX
#define APPEND_DATE_NOW       INT64_MIN

struct append_message {
	uint64_t octets; /* as announced: room is made for them; or APPEND_OCTETS_UNKNOWN */
	uint32_t flags;  /* enum message_flag */
	const struct slice
		*keywords; /* copied; those the mailbox has no number left for are left out */
	size_t keywords_n;
	int64_t internaldate; /* seconds since 1970, or APPEND_DATE_NOW */
	bool may_hold_nul;
};

/* Begin; nothing is touched yet. The mailbox stays open until append_free(). */
struct append *append_new(struct mailbox *mailbox);

/* What will be removed for the messages that come: they fit into the quota if they fit once that is gone. RFC 8508 section 3.4. */
void append_replaces(struct append *append, const struct quota_sum *freed);

/* Free it. What was not committed leaves nothing behind. */
void append_free(struct append *append);

/*
 * Begin a message.
 * Returns 0; -ENOSPC, -EDQUOT: there is no room for it; -errno.
 */
_must_check_ int append_begin(
	struct append *append, const struct append_message *message, uint64_t now_usec);

/*
 * Write the next octets of the message.
 * Returns 0; -EILSEQ: there is a NUL among them, and it may not hold one; -ENOSPC, -errno. After an error only append_free() may follow.
 */
_must_check_ int append_write(struct append *append, struct slice octets);

/*
 * Begin the message under way anew, from nothing. *ret_fd is the file that has what was written of it so far, in the form
 * that is stored; it has no name any more, and is the caller's to close.
 * Returns 0; -ENOSPC, -errno: only append_free() may follow.
 */
_must_check_ int append_begin_anew(struct append *append, int *ret_fd);

/* The message is whole: make it durable. Returns 0, or -errno, as append_write(). Blocks for the disk. */
_must_check_ int append_finish(struct append *append);

/*
 * Show all messages that were finished: all of them, or none.
 * Returns 0: they are durable, with UIDs that follow one another from *ret_first_uid on, in the order in which they
 *         were begun; -EINPROGRESS, -EAGAIN as struct work; -ESTALE as mailbox_sync(); -EDQUOT: the quota forbids it;
 *         -errno: none was added.
 */
_must_check_ int append_commit(struct append *append, struct work *work, uint32_t *ret_first_uid);

/* How many messages were begun. */
size_t append_count(const struct append *append);
