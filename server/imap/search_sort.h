/* search_sort.h - puts messages into the order that SORT asks for, in steps. Pure. */
#pragma once

#include "maildir/card_format.h"
#include "server/imap/grammar_search.h"

/* Messages of the same order stay in that of their numbers, as they were added (RFC 5256 section 3). */
struct search_sort;

/* criteria are borrowed. Freed with search_sort_free(). */
struct search_sort *search_sort_new(const struct sort_criterion *criteria, size_t n);
void search_sort_free(struct search_sort *sort);

/* Whether that is among what is sorted by. */
bool search_sort_has(const struct sort_criterion *criteria, size_t n, enum sort_by by);

/* Append what the message of a card is sorted by: of two messages the lesser bytes come first. Returns 0 or -ENOBUFS. */
_must_check_ int search_sort_key(const struct sort_criterion *criteria, size_t n,
	const struct card *card, struct buf *out);

/* Add the next message, whose number is 0, 1, ... Returns 0; -ENOBUFS: beyond LIMIT_SORT_BYTES. */
_must_check_ int search_sort_add(struct search_sort *sort, const struct card *card);

/*
 * All are there: sort. moves: how many messages may still be moved; counted down.
 * Returns true: *ret_numbers are in order, valid until search_sort_free(); false: call again.
 */
_must_check_ bool search_sort_run(
	struct search_sort *sort, size_t *moves, const uint32_t **ret_numbers);

/* The key of a message that was added. Valid until the next is added. */
struct slice search_sort_key_of(const struct search_sort *sort, uint32_t number);
