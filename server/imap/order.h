/* order.h - sorts numbers in steps: a stable merge sort that stops where its budget ends. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a may stay before b: it is less, or the same. */
typedef bool order_is_before(const void *context, uint32_t a, uint32_t b);

struct order {
	uint32_t *from, *to;
	size_t n;
	size_t width;             /* runs of from have this length */
	size_t begin;             /* of the two runs that are merged */
	size_t left, right, out;  /* what of them is next, and where it goes */
};

/* Begin to sort n numbers; scratch has room for as many. Both are borrowed until the end. */
void order_init(struct order *order, uint32_t *numbers, uint32_t *scratch, size_t n);

/*
 * Go on. moves: how many numbers may still be moved; counted down.
 * Returns true: order->from is sorted (it is one of the two arrays); false: the budget is used up.
 */
bool order_step(
	struct order *order, order_is_before *is_before, const void *context, size_t *moves);
