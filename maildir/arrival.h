/*
 * arrival.h - messages on their way into a mailbox: files in its tmp/, or those of another mailbox, which become messages
 * all at once. For append.c and copy.c.
 */
#pragma once

#include "maildir/mailbox_state.h"
#include "maildir/quota.h"

/* One message to be. Strings are malloc'ed. */
struct arriving {
	char *temporary; /* the file's name in tmp/; the base name begins with it */
	char *base;      /* the base name; NULL until arrival_name() */
	char *guid;      /* what the uidlist's field G will say; NULL: no such field */
	uint32_t flags;
	uint64_t keywords;    /* by the numbers of arrival.keywords */
	uint64_t rfc822_size; /* or ENTRY_SIZE_UNKNOWN */
	int64_t internaldate; /* or ENTRY_DATE_UNKNOWN */

	/* With arrival.source, in place of a file in tmp/: */
	uint32_t source_uid;
	uint64_t source_keywords; /* as the source numbers them */
	uint64_t source_bytes;    /* what it counts in the quota of the source */
	bool missed; /* it was not there to be taken, or not with these flags and keywords */
	bool source_in_new;
	char *source_name; /* what it was called there; NULL: it is still there */
};

/* All zeros and tmp_fd -1 before arrival_init(). */
struct arrival {
	struct mailbox *mailbox;
	int tmp_fd;
	struct arriving *files;
	size_t n, cap;
	struct keyword_table keywords; /* names; the mailbox has numbers of its own for them */
	bool moved;         /* what comes is taken away elsewhere: it fits into the quota */
	struct quota_sum freed; /* what is removed for it: it fits if it does with that gone */
	bool quota_checked; /* it was found to fit */
	struct committing *committing; /* an arrival_commit() between two steps, or NULL */

	/* A mailbox out of which the files are taken, by a rename into cur/; it stays open as long; NULL: out of tmp/. */
	struct mailbox *source;
	uint32_t *taken; /* its messages that were taken, taken_n of them, in the order of their new UIDs */
	size_t taken_n;
};

/* Begin. The mailbox stays open until arrival_done(). Returns 0; -errno: tmp/ cannot be opened. */
_must_check_ int arrival_init(struct arrival *arrival, struct mailbox *mailbox);

/* Remove the files that did not become messages, or give them back to the source; free all. */
void arrival_done(struct arrival *arrival);

/*
 * Add a message with a new temporary name; the caller then makes the file.
 * Valid  until the next call.
 */
struct arriving *arrival_add(struct arrival *arrival, uint64_t now_usec);

/* Take the message added last away again, and its file in tmp/. */
void arrival_drop_last(struct arrival *arrival);

/* Make a new, empty file under the temporary name, with the mode of the mailbox's files. Returns a descriptor, or -errno. */
_must_check_ int arrival_create(struct arrival *arrival, const struct arriving *file);

/*
 * Give it a base name: with S=, with W= if rfc822_size is known, and with the other comma fields of old_base.
 * Returns 0; -ENAMETOOLONG.
 */
_must_check_ int arrival_name(struct arriving *file, struct slice old_base, uint64_t file_size);

/*
 * Make messages of all files: they go to cur/, get UIDs, and are shown. Their content must be durable. What cannot be
 * taken from the source, because it is not there as it was described, is left out: see arrival.taken.
 * Returns 0: all are durable, with UIDs that follow one another from *ret_first_uid on;
 *         -EINPROGRESS, -EAGAIN as struct work; -ESTALE as mailbox_sync(); -EDQUOT: the quota forbids it; -EXDEV: the
 *         source is on another file system; -EBUSY: another took the lock from us; -errno: none became a message.
 * Limits  The last step gives the UIDs of all messages and writes their records.
 */
_must_check_ int arrival_commit(
	struct arrival *arrival, struct work *work, uint32_t *ret_first_uid);
