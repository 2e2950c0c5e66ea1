/* search_look.h - finds the messages of a mailbox that match, in steps: the first half of SEARCH, SORT, THREAD and ESEARCH. */
#pragma once

#include "server/imap/passed_over.h"
#include "server/imap/search_match.h"

/* Released by search_look_done(), but for what is in the arena. */
struct search_look {
	struct arena *arena; /* the caller's to set: for all that lives as long as the look */
	struct search search;
	/*
	 * The caller's to set: other mailboxes are looked through for the same command. Then all of each is, for MESSAGELIMIT
	 * names a UID and no mailbox (RFC 9738 section 3.1), and the caller tells how far it has come.
	 */
	bool is_one_of_many;
	bool begun;
	struct seq_ranges candidates;
	uint64_t done, goal; /* of them, for telling progress */
	size_t range;
	uint32_t seqnum;         /* the next one; 0: the first of the range */
	struct seq_ranges found; /* sequence numbers */
	uint64_t modseq;         /* the highest of them; 0: none */
	struct passed_over over;
};

/*
 * Begin to look through a view for what matches key.
 * Returns 0; -ENOBUFS: a text of it is too long.
 */
_must_check_ int search_look_begin(
	struct search_look *look, struct imap *imap, struct view *view, struct search_key *key);
void search_look_done(struct search_look *look);

/* Go on. Returns RUN_DONE: found is complete; RUN_STEP. */
enum run search_look_run(struct search_look *look, struct imap *imap);

/* The modseq of the message of a sequence number; 0: it is gone. */
uint64_t search_look_modseq(const struct search_look *look, uint32_t seqnum);
