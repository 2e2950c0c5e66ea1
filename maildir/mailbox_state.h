/* mailbox_state.h - what the files that implement mailbox.h and store.h share; of no use to anyone else. */
#pragma once

#include "maildir/changes.h"
#include "maildir/dirs.h"
#include "maildir/flag_log.h"
#include "maildir/keywords.h"
#include "maildir/list.h"
#include "maildir/lock.h"
#include "maildir/mailbox.h"
#include "maildir/snapshot.h"
#include "maildir/sync_state.h"
#include "maildir/uid_array.h"
#include "maildir/uidlist.h"
#include "maildir/vanished.h"

#define UIDLIST_NAME      "dovecot-uidlist"
#define UIDLIST_LOCK_NAME "dovecot-uidlist.lock"

enum { FILE_NAME_MAX_BYTES = 255, SIZE_COUNTS = 8, CHANGES_KEPT_MIN = 1024 };

/* The uidlist as last read. */
struct uidlist_state {
	struct uidlist_header header; /* uidvalidity 0: there was none */
	int fd; /* held open, so that its inode number means this file and no later one; -1 */
	struct stamp stamp;
	uint64_t read_bytes; /* up to the last whole line */
	size_t records;      /* lines, with those of messages that are gone */
	bool must_rewrite; /* appending is not enough: absent, old version, no GUID, an unfinished line */
};

struct keyword_state {
	struct keyword_table table;
	struct stamp stamp, beyond_stamp; /* dovecot-keywords, restante-keywords */
	uint64_t letters_seen;            /* all letters ever met in file names here */
	int forwarded;                    /* the number of $Forwarded if it has a letter, or -1 */
	bool beyond_stale;                /* messages were added since restante-keywords was read */
	size_t beyond_lines;
};

/* A size being counted in steps; several, so that connections do not undo each other's work. */
struct size_count {
	uint32_t msg_uid; /* 0: unused */
	int fd;
	uint64_t offset, octets, used_usec;
	bool last_was_cr;
};

struct mailbox {
	struct store *store;
	struct mailbox *next; /* in the store's list */
	unsigned opened;
	char *name;
	int dir_fd, cur_fd, new_fd;
	int cur_watch, new_watch; /* inotify; -1 */
	bool is_local;            /* see dirs.h */
	uint64_t new_ino;         /* of new/ */
	size_t last_event;        /* the number of the message that an event in cur/ was about last */
	bool watched;             /* every change of cur/ by others becomes an event */

	struct list list;
	struct uidlist_state uidlist;
	struct keyword_state keywords;
	struct changes changes;
	struct flag_log flag_log;
	struct vanished vanished;
	struct snapshot snapshot;
	struct uid_array
		*uids; /* of the messages shown, or the first of them, completed when a view asks; may be NULL */
	uint64_t members_count; /* grows when messages are added or removed */
	uint32_t
		uidnext; /* as of the last sync; uidlist.header may know a higher one. 0 before the first */
	uint64_t highestmodseq;
	uint32_t recent_from; /* messages from this UID on were in no read-write view yet */
	bool synced;          /* once at least */
	bool replaced;        /* UIDVALIDITY is not what clients were told: of no more use */

	struct stamp cur_stamp, new_stamp; /* before the last look */
	bool cur_young; /* cur/ may have changed once more under the same stamp: look again when it is older */
	bool must_scan;  /* whatever the stamps say */
	size_t n_in_new; /* entries whose file lies in new/ */
	struct sync_state sync;
	struct arrival *arriving; /* its files are on their way into cur/: the lock is that one's alone */
	struct lock lock;
	unsigned lock_count;
	struct courier_adoption *adoption; /* of Courier's keywords, under way (courier_adopt.c); or NULL */
	bool adoption_looked_for;
	bool leftovers_removed; /* tmp/ was looked through, since the mailbox was opened */
	struct size_count counts[SIZE_COUNTS];
	struct card_cache *card_cache;     /* card_cache.h; NULL: nothing was kept yet */
	struct digest_cache *digests;      /* digest.h; NULL: none was asked for lately */
	struct card_makings *card_makings; /* card.h; NULL: none was made yet */
	uint32_t
		vanished_uid; /* a message whose file was not where it should be: looked for by a sync */
	unsigned vanished_tries;
};

/* The UIDs of the messages shown; the mailbox keeps its reference. Valid until the messages change. */
struct uid_array *mailbox_uid_array(struct mailbox *mailbox);

/* Log a line that begins with the mailbox. */
void mailbox_log(const struct mailbox *mailbox, enum log_priority priority, const char *format, ...)
	_printf_(3, 4);

/* The next modification sequence: above all before, and not below the clock. */
uint64_t mailbox_next_modseq(struct mailbox *mailbox, uint64_t now_usec);

/* A message of the list has those flags and keywords now: if they are others than before, give it a modseq, note it for views. */
struct message_flags {
	uint32_t flags;
	uint64_t keywords;
};
void mailbox_set_flags(
	struct mailbox *mailbox, size_t number, struct message_flags now, uint64_t now_usec);

/* A message of those shown is about to leave the list; mailbox_note_vanished_done() once behind the last. */
void mailbox_note_vanished(struct mailbox *mailbox, size_t number);
void mailbox_note_vanished_done(struct mailbox *mailbox, uint64_t modseq);

/* Messages were added to or removed from those shown. */
void mailbox_note_members(struct mailbox *mailbox);
/* The same where some were added behind the others, and none removed. */
void mailbox_note_added(struct mailbox *mailbox);

/*
 * Lock the uidlist; locks nest. On the outermost, nothing is read again: that is the caller's.
 * Returns 0; -EAGAIN as struct work; -errno.
 */
_must_check_ int mailbox_lock(struct mailbox *mailbox, struct work *work);
void mailbox_unlock(struct mailbox *mailbox);

/* Flags and keywords 0 to 25 that letters mean here, and back; old_letters: what the name has now. */
void mailbox_flags_from_letters(const struct mailbox *mailbox, uint32_t letters,
	uint32_t *ret_flags, uint64_t *ret_keywords);
uint32_t mailbox_letters_from_flags(
	const struct mailbox *mailbox, uint32_t flags, uint64_t keywords, uint32_t old_letters);

/*
 * The file of a message was met (again) under a name and in a directory: take over both.
 * A change of a shown message's flags is noted.
 */
void mailbox_take_name(
	struct mailbox *mailbox, size_t number, struct slice info, bool in_new, uint64_t now_usec);

/* Write the file's name, NUL-terminated. */
void mailbox_file_name(
	const struct mailbox *mailbox, size_t number, char ret_name[FILE_NAME_MAX_BYTES + 1]);
static inline int mailbox_entry_dir(const struct mailbox *mailbox, size_t number)
{
	return list_entry(&mailbox->list, number)->in_new ? mailbox->new_fd : mailbox->cur_fd;
}

/* About what it takes to read cur/ by one call (entries.h). */
size_t mailbox_whole_bytes(const struct mailbox *mailbox);

/*
 * Look through new/ and cur/ for the file of a message, and take over its name.
 * Returns 0; -ENOENT; -errno. Limits: reads the whole directory at once; for rare cases only.
 */
_must_check_ int mailbox_look_for(struct mailbox *mailbox, size_t number);

struct expunging {
	const uint32_t *uids; /* n of them, ascending */
	size_t n, done;
	bool *removed; /* n, or NULL; said of each that is done: whether it was there for us to remove */
	bool only_deleted; /* those that carry \Deleted when their turn comes */
};

/* mailbox_expunge() that tells what another program removed before. expunge.c. */
_must_check_ int mailbox_expunge_step(
	struct mailbox *mailbox, struct expunging *expunging, struct work *work);

/* The files of these messages, n UIDs ascending, are not here any more, by our own doing: off the list with them. */
void mailbox_take_off(struct mailbox *mailbox, const uint32_t *uids, size_t n, uint64_t now_usec);

/* Write the uidlist anew if it is worth it, and nobody is in the way. */
void mailbox_trim_uidlist(struct mailbox *mailbox, uint64_t now_usec);

/*
 * A message's file is not where it was: sync, so that it is found or taken off the list. Call again after 0.
 * Returns 0: try the message again; -EAGAIN, -EINPROGRESS as struct work; -ENOENT: looked for often enough; -errno.
 */
_must_check_ int mailbox_find_vanished(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work);

/*
 * Before changing cur/ ourselves: have it watched, where that can be. What others do between two of our changes shows
 * then at once, and no later look is needed.
 */
void mailbox_watch_changes(struct mailbox *mailbox);

/* Before and after changing cur/ ourselves: our own change must not cost a look at the directory. */
bool mailbox_cur_begin(struct mailbox *mailbox);
void mailbox_cur_end(struct mailbox *mailbox, bool was_known);
/* After a change that failed half-way: look at cur/ whatever its stamp says, also when the mailbox is opened next. */
void mailbox_cur_doubt(struct mailbox *mailbox);

bool mailbox_fsync_always(const struct mailbox *mailbox);
bool mailbox_fsync_never(const struct mailbox *mailbox);

/* Forget cards that are being made. */
void card_makings_free(struct card_makings *makings);

/* Size and date of a message that are not known yet, if there is a card that says them. Opens no file. */
void mailbox_facts_from_card(struct mailbox *mailbox, size_t number);

/* Forget sizes that are being counted. */
void mailbox_drop_counts(struct mailbox *mailbox);
