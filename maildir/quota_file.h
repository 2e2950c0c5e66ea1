/* quota_file.h - the quota of a store: maildirsize in its root, kept up to date and counted anew in steps. */
#pragma once

#include "maildir/quota.h"
#include "maildir/store.h"

/*
 * Which limits count, as Dovecot decides it: those of the settings where there are any (then the first line of the file
 * is made to say the same); else those of the file's first line, which are a user's own. Without either there is no
 * quota: no file is made, but one that is there is kept up to date for others. Mailboxes of settings.quota_ignore are
 * not counted, and are never full.
 *
 * Counted anew: where there is no file, or one that cannot be relied on (quota.h), that other limits stand in, or that is
 * longer than QUOTA_FILE_MAX_BYTES; and where it says that the quota is exceeded, unless it was counted less than
 * QUOTA_TRUSTED_USEC ago, and nothing happened since. The sum is written only if no directory changed meanwhile.
 * A mailbox that is deleted counts until its files are gone.
 */
#define QUOTA_TRUSTED_USEC (15ULL * 60 * 1000000)

struct quota_usage {
	struct quota_limits limits; /* one is not 0 at least */
	struct quota_sum used;
};

/*
 * What is used, and the limits.
 * Returns 0; -ENODATA: there is no quota; -EINPROGRESS as struct work; -errno, logged.
 */
_must_check_ int quota_usage(struct store *store, struct work *work, struct quota_usage *ret_usage);

/*
 * Whether more fits into a mailbox.
 * Returns 0: it does, or it cannot be told (logged); -EDQUOT; -EINPROGRESS as struct work.
 */
_must_check_ int quota_check(struct store *store, struct slice mailbox_name,
	const struct quota_sum *more, struct work *work);

/* Whether changes are to be noted: there is a limit in the settings, or a file. */
bool quota_counts(const struct store *store);

/* Whether a mailbox is counted: it is not one of settings.quota_ignore. */
bool quota_counts_mailbox(const struct store *store, struct slice mailbox_name);

/*
 * Note that files came or went. Where that cannot be written, it is logged, and the sum is spoiled, so that it is counted
 * anew: quota_note.c.
 */
void quota_note(struct store *store, const struct quota_sum *change);

/* What is counted changed as a whole: make everybody count anew. */
void quota_forget(struct store *store);

/* The size of a message file: S= in its name, else by stat. Returns 0; -ENOENT, -errno. */
_must_check_ int quota_file_size(int dir_fd, const char *name, uint64_t *ret_bytes);

/*
 * What a message file takes of the quota: nothing if it is none. Where that cannot be told, so much that taking it off
 * makes everybody count anew.
 */
struct quota_sum quota_file_sum(int dir_fd, const char *name);

/* For quota_note.c: what is counted changed while it was being counted. There is a count under way. */
void quota_count_doubt(struct store *store);

/* Forget a count under way. */
void quota_done(struct store *store);

/* The same, for store_close(): what could not be noted is tried once more. */
void quota_close(struct store *store);
