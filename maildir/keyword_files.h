/* keyword_files.h - dovecot-keywords and restante-keywords on disk, for one mailbox. Formats: keywords.h. */
#pragma once

#include "maildir/mailbox_state.h"

/* Whether one of the files may have changed since it was read. */
bool keyword_files_changed(const struct mailbox *mailbox);

/* The same for a mailbox that is not open: whether the files in its directory are known to have these stamps still. */
bool keyword_files_unchanged(int dir_fd, const struct stamp *names, const struct stamp *beyond);

/*
 * Read what changed: names, and the keywords beyond 25 of the messages of the list; changes of messages are noted.
 * Letters in use that have no name get one, "unknown-N", as Dovecot gives them.
 * Returns 0; -errno: what was read before stands, and the next call tries again.
 */
_must_check_ int keyword_files_refresh(struct mailbox *mailbox, uint64_t now_usec);

/*
 * Add a keyword, durably. Takes the lock for itself.
 * end  only numbers below are given out.
 * Returns its number (also if another program was faster); -E2BIG: all numbers are taken; -EAGAIN as struct work; -errno.
 */
_must_check_ int keyword_files_create(
	struct mailbox *mailbox, struct slice name, unsigned end, struct work *work);

/*
 * Append lines (keywords.h) to restante-keywords, after keyword_files_refresh() under the same lock; with sync, durably.
 * Returns 0, or -errno: nothing was appended that counts.
 */
_must_check_ int keyword_files_append(struct mailbox *mailbox, struct slice lines, bool sync);

/* Make what was appended without sync durable. Returns 0, also if there is no restante-keywords; -errno. Blocks: for the disk. */
_must_check_ int keyword_files_sync(struct mailbox *mailbox);

/*
 * Write restante-keywords anew if most of its lines are out of date. Under the lock, when the list is known to hold
 * every message there is: lines about others are left out. Returns 0; -errno: the file stands as it was.
 */
_must_check_ int keyword_files_compact(struct mailbox *mailbox, uint64_t now_usec);

/* Take keyword 0 to 25 names into account for flags that are shown: after $Forwarded got or lost its letter. */
void keyword_files_recompute(struct mailbox *mailbox, uint64_t now_usec);
