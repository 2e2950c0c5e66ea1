#include "server/imap/earlier.h"

#include "server/imap/connection.h"

#include <errno.h>

enum { RANGES_PER_RESPONSE = 256 };

/* A place in an ascending set. */
struct cursor {
	struct slice rest;
	struct seq_range range; /* first: the number here */
};

static bool next_number(struct cursor *c)
{
	if (c->range.first < c->range.last) {
		c->range.first++;
		return true;
	}
	return c->rest.n > 0 && seqset_next(&c->rest, 0, &c->range) == PARSE_OK;
}

uint32_t earlier_match(const struct view *view, const struct qresync_parameter *known)
{
	struct cursor seqnums = { .rest = known->match_seqnums },
		      uids = { .rest = known->match_uids };
	uint32_t match = 0;

	while (next_number(&seqnums) && next_number(&uids) &&
		seqnums.range.first <= view_exists(view))
		if (view_uid(view, seqnums.range.first) == uids.range.first)
			match = uids.range.first;
	return match;
}

static void add_range(
	struct seq_ranges *ranges, struct arena *arena, uint32_t first, uint32_t last)
{
	if (first > last)
		return;
	seq_ranges_add(ranges, arena, first);
	ranges->ranges[ranges->n - 1].last = last;
}

/* What of a range lies between the messages of the view. */
static void add_absent(const struct view *view, struct seq_range range, struct arena *arena,
	struct seq_ranges *gone)
{
	uint32_t exists = view_exists(view), first = range.first;

	for (uint32_t seqnum = view_seqnum_at_most(view, first - 1) + 1; seqnum <= exists; seqnum++) {
		uint32_t msg_uid = view_uid(view, seqnum);

		if (msg_uid > range.last)
			break;
		add_range(gone, arena, first, msg_uid - 1);
		first = msg_uid + 1;
	}
	add_range(gone, arena, first, range.last);
}

static struct seq_ranges find_absent(
	struct view *view, const struct seq_ranges *set, uint32_t match, struct arena *arena)
{
	uint32_t uidnext = mailbox_uidnext(view_mailbox(view));
	struct seq_ranges gone = { 0 };

	for (size_t i = 0; i < set->n; i++) {
		struct seq_range range = set->ranges[i];

		if (range.first <= match)
			range.first = match + 1;
		if (range.last >= uidnext)
			range.last = uidnext - 1;
		if (range.first <= range.last)
			add_absent(view, range, arena, &gone);
	}
	return gone;
}

int earlier_find(struct view *view, const struct seq_ranges *set, uint64_t modseq, uint32_t match,
	struct arena *arena, struct seq_ranges *ret_gone)
{
	struct seq_ranges gone = { 0 };
	const uint32_t *uids;
	size_t n;
	int r = mailbox_vanished(view_mailbox(view), modseq, arena, &uids, &n);

	if (r == -ENODATA) {
		*ret_gone = find_absent(view, set, match, arena);
		return 0;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (uids[i] > match && seq_ranges_have(set, uids[i]) &&
			view_seqnum(view, uids[i]) == 0)
			seq_ranges_add(&gone, arena, uids[i]);
	*ret_gone = gone;
	return 0;
}

enum run earlier_tell(struct imap *imap, struct earlier *e)
{
	while (e->next < e->gone.n) {
		struct seq_ranges some = { .ranges = e->gone.ranges + e->next,
			.n = e->gone.n - e->next };

		if (some.n > RANGES_PER_RESPONSE)
			some.n = RANGES_PER_RESPONSE;
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		write_raw(&imap->out, SLICE("* VANISHED (EARLIER) "));
		write_ranges(&imap->out, &some);
		write_crlf(&imap->out);
		e->next += some.n;
	}
	return RUN_DONE;
}
