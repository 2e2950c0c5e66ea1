/* snapshot.h - a mailbox as the last process left it, in the index: restored instead of being read, and kept up to date. */
#pragma once

#include "base/arena.h"
#include "maildir/snapshot_format.h"

struct mailbox;

/* What of a mailbox lies in the index. All zeros: nothing is known of it. */
struct snapshot {
	uint32_t number; /* of the mailbox in the index; 0: none (yet) */
	unsigned losses; /* index_losses() when it was found: at another count nothing is there any more */
	bool is_tried;   /* restoring it was */
	bool is_restored; /* and nothing of it was shown yet: what does not fit is forgotten, nobody need know */
	bool is_based; /* the index has all chunks but those list.changed names */
	bool is_saved; /* and header and names */
	struct snapshot_header header;
	uint64_t names; /* checksum of the keywords' */
	struct {
		uint64_t ino, bytes, sum;
	} tail;                 /* of the uidlist, when it was this long */
	uint64_t vanished_from; /* the log in the index is complete above this modseq */
	uint64_t vanished_to;   /* and up to this one: what follows is in memory only */
	uint64_t vanished_n;
	size_t uncarded; /* UIDs of the log's next record whose cards are deleted already */
	bool must_sweep; /* from sweep_from on there may be cards of messages that are gone */
	uint32_t sweep_from;
	uint64_t changed_usec, dirty_usec; /* when it last changed, and since when it is not saved; 0: it is */
	uint64_t mark; /* tells one state of what is not saved from another */
	uint64_t noted_modseq; /* in the uidlist's mtime, for clocks that are set back */
};

/*
 * Make the mailbox, of which nothing was read yet, what the last process had when it saved it; the ordinary sync then
 * goes on as if that process had never ended. If there is no such state, or another mailbox lies there now, only
 * modification sequences are carried on.
 */
void snapshot_restore(struct mailbox *mailbox);

/* A state that was restored does not fit the files: forget it all, but for the modification sequences. */
void snapshot_forget(struct mailbox *mailbox);

/* A checksum over the names of the keywords. */
uint64_t snapshot_names(const struct mailbox *mailbox);

/* Remove what a process logged that did not live to save the header: it is found and logged again. */
void snapshot_drop_stray_log(struct mailbox *mailbox);

/*
 * Modification sequences ahead of the clock, which was set back, would be given again if the index were lost: have the
 * mtime of the uidlist remember them. Also after each writing of the uidlist, which has a new mtime.
 */
void snapshot_note_modseq(struct mailbox *mailbox, uint64_t now_usec);

/* What tells the uidlist, as far as it was read, from any other file. 0: cannot be told. */
uint64_t snapshot_tail(struct mailbox *mailbox);

/*
 * snapshot_save.c: write what changed, if it has come to rest (or all of it at once, with finish).
 * Returns after how many microseconds to call again; UINT64_MAX: need not be; 0: there is more to write.
 */
uint64_t snapshot_save(struct mailbox *mailbox, bool finish);

/* As mailbox_vanished(). */
_must_check_ int snapshot_vanished(struct mailbox *mailbox, uint64_t modseq, struct arena *arena,
	const uint32_t **ret_uids, size_t *ret_n);
