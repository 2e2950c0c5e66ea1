/* store_state.h - what store.c, watch.c and the files of a mailbox share; of no use to anyone else. */
#pragma once

#include "maildir/index.h"
#include "maildir/mailbox_state.h"
#include "maildir/store.h"

struct store {
	struct store_settings settings;
	const struct log *log;
	int root_fd;
	struct mailbox *mailboxes; /* open ones */
	uint64_t changes;
	unsigned names_made; /* base names, for filename_format_unique() */
	bool maildrop_locked;
	int watch_fd; /* inotify, or -1 */
	bool watch_tried;    /* for our own changes: mailbox_cur_begin() */
	struct index *index; /* or NULL */
	struct watched *watched; /* watch.h: mailboxes that are watched by name */
	int tree_watch;          /* of the root, for names; -1 */
	unsigned tree_watchers;
	uint64_t tree_count;
	struct store_events *events; /* events.h; or NULL */
	struct quota_count *quota_count; /* a count under way (quota_file.c), or NULL */
	bool quota_doubt; /* the sum in maildirsize lacks a change, and nobody could be told (quota_note.c) */
};

/* Whether the mailbox of a directory is open, or kept because it is not saved yet. */
bool store_has_open(const struct store *store, const char *dir);

/* Add a mailbox's directories to the watch, if there is one; take them off. */
void store_watch_mailbox(struct store *store, struct mailbox *mailbox);
void store_unwatch_mailbox(struct store *store, struct mailbox *mailbox);
