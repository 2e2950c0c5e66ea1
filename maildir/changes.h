/* changes.h - which messages of a mailbox had their flags changed lately: a bounded log. Pure. */
#pragma once

#include "base/slice.h"

/* Entry n of all ever added is uids[n - first]; those before first were dropped. */
struct changes {
	uint32_t *uids;
	size_t n, cap;
	uint64_t first;
};

void changes_done(struct changes *changes);

/* Add a message; keep drops the oldest half when more than keep are held. */
void changes_add(struct changes *changes, uint32_t msg_uid, size_t keep);

/* The position behind the last entry: where a reader that knows all goes on. */
static inline uint64_t changes_end(const struct changes *changes)
{
	return changes->first + changes->n;
}

/*
 * What was added from a position on; UIDs may occur more than once.
 * Returns false if some of it was dropped: the reader must look at every message.
 * Valid until the next changes_add().
 */
bool changes_since(
	const struct changes *changes, uint64_t position, const uint32_t **ret_uids, size_t *ret_n);
