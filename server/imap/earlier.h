/* earlier.h - which UIDs that a client may know are gone, and telling them: VANISHED (EARLIER). RFC 7162. */
#pragma once

#include "maildir/view.h"
#include "server/imap/grammar_select.h"
#include "server/wire/seqset.h"

struct imap;

/*
 * The highest UID up to which the client is known to have the same list as the view: a pair of sequence number and UID that
 * is right says so of all messages before it. 0: no pair is right.
 * Costs at most one look for each message of the view. RFC 7162 section 3.2.5.2.
 */
uint32_t earlier_match(const struct view *view, const struct qresync_parameter *known);

/*
 * The UIDs of set above match that were expunged since modseq: all those that the mailbox does not have, where
 * its log does not reach back so far. UIDs of the view are never among them: those are told as news.
 * RFC 7162 sections 3.2.5.1, 3.2.6. Made in the arena.
 */
_must_check_ int earlier_find(struct view *view, const struct seq_ranges *set, uint64_t modseq,
	uint32_t match, struct arena *arena, struct seq_ranges *ret_gone);

/* What is being told. */
struct earlier {
	struct seq_ranges gone;
	size_t next; /* of its ranges */
};

/* Tell it, in as many VANISHED (EARLIER) as it takes. Returns RUN_DONE, RUN_OUTPUT. RFC 7162 section 3.2.10.1. */
enum run earlier_tell(struct imap *imap, struct earlier *earlier);
