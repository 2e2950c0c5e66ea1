/* search_match.h - whether a message matches a tree of search keys, in steps. Reads the mailbox; writes nothing. */
#pragma once

#include "maildir/view.h"
#include "server/imap/grammar_search.h"
#include "server/imap/message_file.h"

struct search {
	struct view *view;
	struct mailbox *mailbox;
	struct message_file *file;
	struct arena *arena;
	uint32_t uid_star;      /* what "*" among UIDs stands for */
	struct search_key *key; /* the tree */
	uint64_t now_usec;      /* when the search began */
	uint32_t seqnum;        /* the message that is looked at */
	struct buf text;        /* scratch */
};

/* Prepare: numbers of sets, keywords, needles. Returns 0; -ENOBUFS: a text is too long. Released by search_done(). */
_must_check_ int search_init(struct search *search);
void search_done(struct search *search);

/*
 * Match the message of a sequence number.
 * Returns 0: *ret_matches is set; -EINPROGRESS: call again, with the same number and a fresh budget;
 *         -ENOENT: the message is gone; -errno: it cannot be read.
 */
_must_check_ int search_match(
	struct search *search, uint32_t seqnum, struct work *work, bool *ret_matches);
