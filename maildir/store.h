/* store.h - all mail of one user: a Maildir++ tree, opened after becoming that user. */
#pragma once

#include "base/cleanup.h"
#include "base/log.h"
#include "base/slice.h"
#include "maildir/work.h"

enum fsync_mode { FSYNC_OPTIMIZED, FSYNC_ALWAYS, FSYNC_NEVER };

/* Strings are the caller's and live as long as the store. */
struct store_settings {
	const char *path;         /* of the INBOX, absolute */
	const char *index_path;   /* absolute; may not exist yet; NULL: no index */
	const char *boot_id;      /* of this boot, see index.h; NULL: not known */
	size_t index_max_bytes;   /* 0: LIMIT_INDEX_MIB */
	bool drop_index;          /* the user's last process may have died of it */
	char hierarchy_separator; /* '/' or '.' towards clients */
	enum fsync_mode fsync;
	const char *hostname; /* for base names and lock files */
	const char *uidl_format; /* POP3 UIDL: "%08Xu%08Xv" style, see pop3_uidl.h */
	uint64_t quota_bytes, quota_messages; /* limits; 0: none. See quota_file.h */
	const char *const *quota_ignore;      /* names of mailboxes that are not counted */
	size_t quota_ignore_n;
	bool must_exist; /* make no directory: for restantectl, which only looks */
};

struct store;

/*
 * Open the store; make cur, new and tmp (mode 0700) where the root has none yet, and the root itself (its parent must exist),
 * but with must_exist.
 * Returns 0; -ENOTDIR, -EACCES, -ELOOP (cur, new or tmp is a symbolic link), or another -errno, logged with path and cause.
 */
_must_check_ int store_open(const struct store_settings *settings, const struct log *log, struct store **ret_store);

/*
 * At the end of each time slice: write to the index what has changed and come to rest, end reading from it.
 * Returns after how many microseconds it wants to be called again, even if nothing happens; UINT64_MAX: need not be.
 */
uint64_t store_rest(struct store *store);

/*
 * Write all to the index, remove from it what is of mailboxes that are gone, and make it durable, while nobody has time to wait for a store_close() later: that has nothing
 * left to do then but for what is changed in between. Blocks: for the disk.
 */
void store_settle(struct store *store);

/* Close; whoever opened a mailbox must have closed it before. Blocks: the index is made durable. */
void store_close(struct store *store);

/* '/' or '.', as the settings have it: what separates levels of a mailbox name towards clients. */
char store_hierarchy_separator(const struct store *store);

/* Grows whenever any mailbox of the store was changed by us or found changed: a cheap "anything new?" for other connections. */
uint64_t store_change_count(const struct store *store);

/*
 * Take the maildrop lock: one POP3 session a user (RFC 1939 section 8).
 * Per host: one process serves all connections of a user. Returns 0, or -EBUSY.
 */
_must_check_ int store_lock_maildrop(struct store *store);
void store_unlock_maildrop(struct store *store);

/*
 * Watch the directories of all open mailboxes by inotify. Returns a non-blocking, close-on-exec
 * descriptor that becomes readable when one may have changed (the store keeps it and closes it),
 * or -errno (-EMFILE: instances ran out: poll by time instead).
 */
_must_check_ int store_watch(struct store *store);

/* Empty the watch descriptor; mailboxes will look at their directories at the next mailbox_sync(). */
void store_watch_drain(struct store *store);
