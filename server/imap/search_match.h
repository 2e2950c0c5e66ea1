/* search_match.h - whether a message matches a tree of search keys, in steps. Reads the mailbox; writes nothing. */
#pragma once

#include "maildir/card.h"
#include "maildir/digest.h"
#include "maildir/view.h"
#include "server/imap/grammar_search_key.h"
#include "server/imap/message_file.h"
#include "server/imap/search_plain.h"
#include "server/wire/seqset.h"

/* The fields up to now_usec are the caller's to set. */
struct search {
	struct view *view;
	struct mailbox *mailbox;
	struct message_file *file;
	struct arena *arena;
	const struct seq_ranges *saved; /* what "$" stands for: UIDs of this mailbox */
	struct search_key *key;         /* the tree */
	uint64_t now_usec;              /* when the search began */

	struct search_bits bits; /* what all messages found have */
	uint32_t seqnum;       /* the message that is looked at */
	size_t next_number;    /* in mailbox_messages(): where the next one is looked for first */
	uint64_t modseq;       /* of the message that was looked at */
	struct card card;      /* of the message */
	enum search_card { SEARCH_CARD_NONE, SEARCH_CARD_DIGEST, SEARCH_CARD_WHOLE } card_has;
	struct buf text;       /* scratch */
};

/* Prepare: numbers of sets, keywords, needles. Returns 0; -ENOBUFS: a text is too long. Released by search_done(). */
_must_check_ int search_init(struct search *search);
void search_done(struct search *search);

/*
 * Which messages may match at all: those that the sets of the search name, if it is about sets; else all. Ascending,
 * made in the arena.
 */
struct seq_ranges search_candidates(struct search *search);

/*
 * Give all sets the meaning that they have now, for good: sequence numbers and "$" become UIDs; "*" is the highest
 * UID, whatever it is (RFC 5267 section 4.3).
 */
void search_freeze(struct search *search);

/* Forget what was found out about messages, to look at them once more: they changed, or got other numbers. */
void search_renew(struct search *search);

/* Whether nothing is asked for but what is in memory: search_plain_run() then finds the same. */
bool search_is_plain(const struct search *search);

/*
 * Match the message of a sequence number.
 * Returns 0: *ret_matches is set; -EINPROGRESS: call again, with the same number and a fresh budget;
 *         -ENOENT: the message is gone; -errno: it cannot be read.
 */
_must_check_ int search_match(
	struct search *search, uint32_t seqnum, struct work *work, bool *ret_matches);
