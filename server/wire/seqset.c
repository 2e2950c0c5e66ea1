#include "server/wire/seqset.h"

#include <stdlib.h>

/* seq-number = nz-number / "*" */
static bool take_number(struct slice *s, uint32_t star, uint32_t *ret_number)
{
	uint64_t value;
	size_t n = 0;

	if (slice_skip(s, '*')) {
		*ret_number = star;
		return star != 0;
	}
	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	if (n == 0 || s->p[0] == '0' || !slice_number(slice_head(*s, n), UINT32_MAX, &value))
		return false;
	*s = slice_tail(*s, n);
	*ret_number = (uint32_t)value;
	return true;
}

enum parse seqset_next(struct slice *in, uint32_t star, struct seq_range *ret_range)
{
	struct slice s = *in; /* a copy: *in moves only on success */
	uint32_t a, b;

	if (!take_number(&s, star, &a))
		return PARSE_BAD;
	b = a;
	if (slice_skip(&s, ':') && !take_number(&s, star, &b))
		return PARSE_BAD;
	if (s.n > 0 && (!slice_skip(&s, ',') || s.n == 0))
		return PARSE_BAD; /* junk, or a comma with nothing after it */

	*ret_range = a <= b ? (struct seq_range){ a, b } : (struct seq_range){ b, a };
	*in = s;
	return PARSE_OK;
}

bool seqset_cut_saved(struct slice *set)
{
	if (!slice_ends_with(*set, SLICE("$")))
		return false;
	if (set->n == 1)
		*set = slice_head(*set, 0);
	else if (set->n > 2 && set->p[set->n - 2] == ',')
		*set = slice_head(*set, set->n - 2);
	else
		return false;
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct seq_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Join ranges that overlap or touch; they are ascending by first. */
static void merge(struct seq_ranges *set)
{
	size_t kept = 0;

	for (size_t i = 1; i < set->n; i++) {
		struct seq_range *last = &set->ranges[kept], next = set->ranges[i];

		if (next.first - 1 > last->last)
			set->ranges[++kept] = next;
		else if (next.last > last->last)
			last->last = next.last;
	}
	if (set->n > 0)
		set->n = kept + 1;
}

static void append(struct seq_ranges *set, struct arena *arena, struct seq_range range)
{
	if (set->n == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 8;
		struct seq_range *ranges = arena_array(arena, cap, sizeof *ranges);

		if (set->n > 0)
			memcpy(ranges, set->ranges, set->n * sizeof *ranges);
		set->ranges = ranges;
		set->cap = cap;
	}
	set->ranges[set->n++] = range;
}

enum parse seqset_parse(
	struct slice set, uint32_t star, struct arena *arena, struct seq_ranges *ret_ranges)
{
	struct seq_ranges ranges = { 0 };
	bool ascending = true;

	if (set.n == 0)
		return PARSE_BAD;
	while (set.n > 0) {
		struct seq_range range;

		if (seqset_next(&set, star, &range) != PARSE_OK)
			return PARSE_BAD;
		if (ranges.n > 0 && range.first < ranges.ranges[ranges.n - 1].first)
			ascending = false;
		append(&ranges, arena, range);
	}
	if (!ascending)
		qsort(ranges.ranges, ranges.n, sizeof *ranges.ranges, by_first);
	merge(&ranges);
	*ret_ranges = ranges;
	return PARSE_OK;
}

struct seq_ranges seq_ranges_union(
	const struct seq_ranges *a, const struct seq_ranges *b, struct arena *arena)
{
	struct seq_ranges both = { 0 };
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		bool from_a = k == b->n ||
			      (i < a->n && a->ranges[i].first <= b->ranges[k].first);

		append(&both, arena, from_a ? a->ranges[i++] : b->ranges[k++]);
	}
	merge(&both);
	return both;
}

struct seq_ranges seq_ranges_part(
	const struct seq_ranges *ranges, uint64_t first, uint64_t last, struct arena *arena)
{
	struct seq_ranges part = { 0 };
	uint64_t before = 0; /* how many numbers */

	for (size_t i = 0; i < ranges->n && before < last; i++) {
		struct seq_range r = ranges->ranges[i];
		uint64_t end = before + (r.last - r.first) + 1; /* the last of r is the end-th */

		if (end >= first) {
			if (end > last)
				r.last -= (uint32_t)(end - last);
			if (before + 1 < first)
				r.first += (uint32_t)(first - before - 1);
			append(&part, arena, r);
		}
		before = end;
	}
	return part;
}

bool seq_ranges_have(const struct seq_ranges *set, uint32_t number)
{
	size_t low = 0, high = set->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (number < set->ranges[middle].first)
			high = middle;
		else if (number > set->ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

void seq_ranges_add(struct seq_ranges *set, struct arena *arena, uint32_t number)
{
	if (set->n > 0 && set->ranges[set->n - 1].last == number - 1)
		set->ranges[set->n - 1].last = number;
	else
		append(set, arena, (struct seq_range){ number, number });
}

uint64_t seq_ranges_count(const struct seq_ranges *set)
{
	uint64_t count = 0;

	for (size_t i = 0; i < set->n; i++)
		count += (uint64_t)set->ranges[i].last - set->ranges[i].first + 1;
	return count;
}
