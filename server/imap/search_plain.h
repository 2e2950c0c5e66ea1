/* search_plain.h - the search keys that ask only for what is in memory: flags, keywords, sets, modseq. Pure but for the view. */
#pragma once

#include "maildir/view.h"
#include "server/imap/grammar_search_key.h"
#include "server/wire/seqset.h"

struct search;

/* What a key is prepared with. The first member of what search_key.match points at: search_match.c has the rest. */
struct search_plain {
	bool is_plain; /* it and its children ask only for what is in memory */
	struct seq_ranges numbers;
	bool has_saved; /* "$" was in the set */
	uint32_t flag;  /* of a keyword that is a flag to us: $Forwarded */
	int keyword;    /* its number; -1: no message has it */
};

/*
 * Flags and keywords that every message that is found has, or has not. UNSEEN, say, or DELETED KEYWORD x: most searches for
 * flags ask for nothing else, and are answered without a walk over their tree.
 */
struct search_bits {
	uint32_t mask, flags;             /* message.flags & mask must be flags */
	uint64_t keyword_mask, keywords;  /* and the same of the keywords */
	bool never;                       /* no message can be found */
	bool is_all;                      /* that is all that is asked for */
};

/* Say is_plain of a key whose children have it said. */
void search_plain_note(struct search_key *key);

/* What all messages found have, as the keywords are numbered now. root: its children all must match (SEARCH_AND). */
struct search_bits search_bits_of(const struct search_key *root);

static inline bool search_bits_match(const struct search_bits *bits, const struct message *message)
{
	return ((message->flags ^ bits->flags) & bits->mask) == 0 &&
	       ((message->keywords ^ bits->keywords) & bits->keyword_mask) == 0 && !bits->never;
}

/* Whether a message of the search's view matches a key that is_plain. */
bool search_plain_matches(const struct search *search, const struct search_key *key,
	const struct message *message);

/*
 * Match the messages of sequence numbers first to last, of a search whose whole tree is_plain. What is found is added to
 * found, ascending, in the search's arena; *modseq becomes the highest of theirs, if it is lower.
 * Returns the first sequence number that was not looked at: last + 1, or that of a message that is gone.
 */
uint32_t search_plain_run(struct search *search, struct seq_range seqnums, struct seq_ranges *found,
	uint64_t *modseq);
