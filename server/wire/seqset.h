/* seqset.h - the sequence-set argument of FETCH, STORE, COPY, SEARCH; and its other direction. Pure. */
#pragma once

#include "base/arena.h"
#include "base/parse.h"
#include "base/slice.h"

struct seq_range {
	uint32_t first, last;
}; /* inclusive, first <= last, never 0 */

/*
 * Take the next range of a set off the front of *in; loop while in->n > 0.
 * "$", the saved search result, is the caller's to recognise.
 *
 * star     what "*" stands for now: EXISTS for sequence numbers; for UIDs the
 *          highest UID, or UIDNEXT if the mailbox is empty. 0 makes "*" bad.
 * Returns  PARSE_OK: *ret_range is set, *in moved past it and its comma.
 *          PARSE_BAD: not the grammar, or beyond 32 bits; nothing was touched.
 *          Never PARSE_MORE: the caller has the whole command.
 * RFC      9051 section 9, sequence-set, seq-range, nz-number.
 */
_must_check_ enum parse seqset_next(struct slice *in, uint32_t star, struct seq_range *ret_range);

/*
 * Take "$", the saved search result, off the end of a set, with the comma before it.
 * Returns whether it was there; what is left may be empty then. RFC 5182 section 3.
 */
bool seqset_cut_saved(struct slice *set);

/* Ranges, ascending, with gaps between them. All zeros is the empty set. */
struct seq_ranges {
	struct seq_range *ranges;
	size_t n;
	size_t cap;
};

/*
 * Read a whole set into ascending ranges that neither overlap nor touch, made in the arena.
 * Returns as seqset_next(); an empty set is PARSE_BAD.
 */
_must_check_ enum parse seqset_parse(
	struct slice set, uint32_t star, struct arena *arena, struct seq_ranges *ret_ranges);

/* Whether number is in one of the ranges. Binary search. */
bool seq_ranges_have(const struct seq_ranges *ranges, uint32_t number);

/* Add a number above all that are there; or one behind them, if the ranges are only written, in this order. */
void seq_ranges_add(struct seq_ranges *ranges, struct arena *arena, uint32_t number);

/* All numbers of both, made in the arena. */
struct seq_ranges seq_ranges_union(
	const struct seq_ranges *a, const struct seq_ranges *b, struct arena *arena);

/* The first-th to last-th (from 1) of the numbers, made in the arena. There are as many as last. */
struct seq_ranges seq_ranges_part(
	const struct seq_ranges *ranges, uint64_t first, uint64_t last, struct arena *arena);

/* How many numbers the ranges hold. */
uint64_t seq_ranges_count(const struct seq_ranges *ranges);
