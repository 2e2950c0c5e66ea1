/* updates.h - tells a client what changed in its mailbox: EXPUNGE or VANISHED, EXISTS, RECENT, FLAGS, FETCH. In steps. */
#pragma once

#include "maildir/view.h"
#include "server/imap/command.h"

enum updates_stage {
	UPDATES_NONE,
	UPDATES_SYNC,
	UPDATES_CONTEXTS_EXPUNGED,
	UPDATES_EXPUNGED,
	UPDATES_EXISTS,
	UPDATES_FLAGS,
	UPDATES_CONTEXTS,
};

/* All zeros: nothing is under way. */
struct updates {
	enum updates_stage stage;
	bool may_expunge;
	uint64_t round;       /* of mailbox_sync_anew() */
	uint64_t locked_usec; /* a lock was held elsewhere: when to look again; 0: no */
	struct view_changes changes;
	size_t next;
};

/* Begin to look for changes and to tell them. may_expunge: sequence numbers may shift now (RFC 9051 section 7.5.1). */
void updates_begin(struct imap *imap, bool may_expunge);

/*
 * Go on. A mailbox whose lock is held elsewhere, or that has a fault, has no news now: that is logged by the
 * store and is no reason to fail a command.
 * Returns RUN_DONE: all is told; RUN_STEP, RUN_OUTPUT; RUN_CLOSE: the UIDs are no longer those that the client knows.
 */
enum run updates_run(struct imap *imap);

/*
 * Tell the flags of one message (FETCH), if it is still there, with UID and MODSEQ where the client wants them; the view
 * then counts them as told.
 */
void updates_write_flags(struct imap *imap, uint32_t seqnum);

/* The same without the flags, which the client knows: it set them. RFC 7162 section 3.1.3. MODSEQ is told by this connection. */
void updates_write_modseq(struct imap *imap, uint32_t seqnum);

/* Tell EXISTS, and RECENT to clients of IMAP4rev1. */
void updates_write_exists(struct imap *imap);

/* Tell FLAGS and PERMANENTFLAGS if the mailbox has keywords that the client was not told of. RFC 9051 sections 7.3.5, 7.1. */
void updates_write_keywords(struct imap *imap);
