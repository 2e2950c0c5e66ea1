/* view.h - what one connection believes a mailbox to hold: a frozen list of UIDs, and what changed since. */
#pragma once

#include "maildir/mailbox.h"

/*
 * A sequence number is an index into the view, from 1. The list only changes in view_sync(). Lists are
 * shared between views until they differ.
 */
struct view;

/*
 * Open a view of the mailbox as of its last sync; there must have been one. Keeps the mailbox open.
 * read_write  SELECT: takes over what is \Recent; EXAMINE leaves it to the next one (RFC 3501 section 2.3.2).
 */
_must_check_ int view_open(struct mailbox *mailbox, bool read_write, struct view **ret_view);
void view_close(struct view *view);

struct mailbox *view_mailbox(const struct view *view);

uint32_t view_exists(const struct view *view);
uint32_t view_recent(const struct view *view);
bool view_is_recent(const struct view *view, uint32_t msg_uid);

/* The UID of a sequence number, 1 to view_exists(). */
uint32_t view_uid(const struct view *view, uint32_t seqnum);
/* All of them, ascending: [seqnum - 1]. Valid until view_sync(). */
const uint32_t *view_uids(const struct view *view);
/* The sequence number of a UID, or 0. */
uint32_t view_seqnum(const struct view *view, uint32_t msg_uid);
/* The highest sequence number whose UID is at most msg_uid, or 0: where a UID range begins or ends. */
uint32_t view_seqnum_at_most(const struct view *view, uint32_t msg_uid);

/* The message of a sequence number as it is now; NULL: expunged meanwhile, but not yet told to this client. */
const struct message *view_message(const struct view *view, uint32_t seqnum);

/*
 * The client was given every change up to this modseq by view_sync(), expunges too: what it may take for its last known
 * one. Lower than the mailbox's while expunges are held back. RFC 7162 section 3.2, 6.
 */
uint64_t view_modseq(const struct view *view);

/* Changes to tell, in the order to tell them. Arrays are the view's, valid until the next view_sync() or view_close(). */
struct view_changes {
	const uint32_t *expunged_seqnums; /* descending, numbered as they were in the view before: send as they stand */
	const uint32_t *expunged_uids;    /* the same messages */
	size_t n_expunged;
	bool exists_changed;              /* tell EXISTS (and RECENT) with the new numbers */
	const uint32_t *flags_uids;       /* flags changed since last told, ascending; new messages are not among them */
	size_t n_flags;
};

/*
 * Take what the mailbox learnt (mailbox_sync() by any connection, changes by others) into the view.
 * may_expunge  false while sequence numbers must not shift (during FETCH, STORE, SEARCH: RFC 9051 section 7.5.1):
 *              expunged messages stay in the list, and view_message() says NULL for them.
 * Never reads the disk.
 */
void view_sync(struct view *view, bool may_expunge, struct view_changes *ret_changes);

/* The client knows the flags of this message as of now (it was told, or said .SILENT itself): view_sync() need not tell them. */
void view_flags_told(struct view *view, uint32_t msg_uid);
