#include "server/imap/order.h"

#include <string.h>

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void begin_pair(struct order *o, size_t begin)
{
	o->begin = o->left = o->out = begin;
	o->right = at_most(begin + o->width, o->n);
}

void order_init(struct order *order, uint32_t *numbers, uint32_t *scratch, size_t n)
{
	*order = (struct order){ .from = numbers, .to = scratch, .n = n, .width = 1 };
	begin_pair(order, 0);
}

/* Two runs that are in order already: mail often comes as it is wanted. */
static bool keep_pair(struct order *o, size_t middle, size_t end)
{
	memcpy(o->to + o->begin, o->from + o->begin, (end - o->begin) * sizeof *o->to);
	o->left = middle;
	o->right = o->out = end;
	return true;
}

/* Returns whether both runs are merged. */
static bool merge(
	struct order *o, order_is_before *is_before, const void *context, size_t *moves)
{
	size_t middle = at_most(o->begin + o->width, o->n);
	size_t end = at_most(middle + o->width, o->n);

	if (o->out == o->begin &&
		(middle == end || is_before(context, o->from[middle - 1], o->from[middle])))
		return keep_pair(o, middle, end);
	for (; o->out < end; o->out++, --*moves) {
		if (*moves == 0)
			return false;

		bool left = o->right == end ||
			    (o->left < middle && is_before(context, o->from[o->left], o->from[o->right]));

		o->to[o->out] = left ? o->from[o->left++] : o->from[o->right++];
	}
	return true;
}

static void next_pass(struct order *o)
{
	uint32_t *sorted = o->to;

	o->to = o->from;
	o->from = sorted;
	o->width *= 2;
	begin_pair(o, 0);
}

bool order_step(
	struct order *order, order_is_before *is_before, const void *context, size_t *moves)
{
	while (order->width < order->n) {
		if (*moves == 0 || !merge(order, is_before, context, moves))
			return false;
		--*moves;
		begin_pair(order, at_most(order->begin + 2 * order->width, order->n));
		if (order->begin == order->n)
			next_pass(order);
	}
	return true;
}
