#include "server/imap/uid_ranges.h"

struct seq_ranges uid_ranges_to_seqnums(
	const struct view *view, const struct seq_ranges *uids, struct arena *arena)
{
	struct seq_ranges seqnums = { .cap = uids->n };

	seqnums.ranges = arena_array(arena, uids->n, sizeof *seqnums.ranges);
	for (size_t i = 0; i < uids->n; i++) {
		uint32_t first = view_seqnum_at_most(view, uids->ranges[i].first - 1) + 1;
		uint32_t last = view_seqnum_at_most(view, uids->ranges[i].last);
		struct seq_range *before = seqnums.n > 0 ? &seqnums.ranges[seqnums.n - 1] : NULL;

		if (first > last)
			continue;
		if (before && before->last == first - 1)
			before->last = last;
		else
			seqnums.ranges[seqnums.n++] = (struct seq_range){ first, last };
	}
	return seqnums;
}

struct seq_ranges uid_ranges_of(
	const struct view *view, const struct seq_ranges *seqnums, struct arena *arena)
{
	struct seq_ranges uids = { 0 };

	for (size_t i = 0; i < seqnums->n; i++)
		for (uint32_t n = seqnums->ranges[i].first; n <= seqnums->ranges[i].last; n++)
			seq_ranges_add(&uids, arena, view_uid(view, n));
	return uids;
}
