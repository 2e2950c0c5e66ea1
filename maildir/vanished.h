/* vanished.h - which messages of a mailbox were expunged, and when by its modification sequence: a bounded log. Pure. */
#pragma once

#include "base/arena.h"

struct vanished_entry {
	uint64_t modseq;
	uint32_t msg_uid;
};

/* Entries ascend by modseq. */
struct vanished {
	struct vanished_entry *entries;
	size_t n, cap;
	uint64_t complete_from; /* every UID expunged with a higher modseq is in the log */
};

void vanished_done(struct vanished *vanished);

/* Forget all: complete from modseq on. */
void vanished_reset(struct vanished *vanished, uint64_t modseq);

/* Add a UID; its modseq is that of the vanished_stamp() that follows. */
void vanished_add(struct vanished *vanished, uint32_t msg_uid);

/*
 * Give the UIDs added since the last call their modseq, above all before; drop the oldest half where more than keep
 * are held: the log then reaches back less far.
 */
void vanished_stamp(struct vanished *vanished, uint64_t modseq, size_t keep);

/*
 * The UIDs with a modseq above the one given, ascending, each once. In the arena.
 * Returns 0; -ENODATA: the log does not reach back so far.
 */
_must_check_ int vanished_since(const struct vanished *vanished, uint64_t modseq,
	struct arena *arena, const uint32_t **ret_uids, size_t *ret_n);
