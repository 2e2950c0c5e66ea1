#include "server/imap/search_look.h"

#include "server/imap/connection.h"

#include <errno.h>

enum { PLAIN_A_UNIT = 64 }; /* messages of which only what is in memory is looked at */

int search_look_begin(
	struct search_look *look, struct imap *imap, struct view *view, struct search_key *key)
{
	static const struct seq_ranges nothing = { 0 };

	*look = (struct search_look){
		.arena = look->arena,
		.is_one_of_many = look->is_one_of_many,
		.begun = true,
		.search = {
			.view = view,
			.mailbox = view_mailbox(view),
			.file = &imap->file,
			.arena = look->arena,
			.saved = view == imap->view ? &imap->saved : &nothing,
			.key = key,
			.now_usec = imap->io->now_usec,
		},
	};

	int r = search_init(&look->search);

	if (r < 0)
		return r;
	look->candidates = search_candidates(&look->search);
	if (!look->is_one_of_many)
		(void)connection_limit(imap, &look->candidates);
	look->goal = seq_ranges_count(&look->candidates);
	return 0;
}

void search_look_done(struct search_look *look)
{
	if (look->begun)
		search_done(&look->search);
	look->begun = false;
}

static void tell_progress(const struct search_look *look, struct imap *imap)
{
	if (!look->is_one_of_many)
		connection_progress(imap, look->done, look->goal);
}

/* The next candidate, ascending; 0 behind the last. */
static uint32_t next_seqnum(struct search_look *look)
{
	while (look->range < look->candidates.n) {
		struct seq_range range = look->candidates.ranges[look->range];

		if (look->seqnum == 0)
			look->seqnum = range.first;
		if (look->seqnum <= range.last && look->seqnum <= view_exists(look->search.view))
			return look->seqnum;
		look->range++;
		look->seqnum = 0;
	}
	return 0;
}

static void add_found(struct search_look *look, uint32_t seqnum)
{
	seq_ranges_add(&look->found, look->arena, seqnum);
	if (look->search.modseq > look->modseq)
		look->modseq = look->search.modseq;
}

static void pass_over(struct search_look *look, struct imap *imap, int error)
{
	passed_over_add(&look->over, imap, look->search.mailbox,
		view_uid(look->search.view, look->seqnum), error, "cannot be searched");
}

static enum run look_at_plain(struct search_look *look, struct imap *imap)
{
	for (uint32_t seqnum; (seqnum = next_seqnum(look)) > 0;) {
		struct seq_range range = look->candidates.ranges[look->range];
		uint32_t exists = view_exists(look->search.view);

		tell_progress(look, imap);
		if (!imap_spend(imap))
			return RUN_STEP;
		range.first = seqnum;
		range.last = range.last < exists ? range.last : exists;
		if (range.last - range.first >= PLAIN_A_UNIT)
			range.last = range.first + PLAIN_A_UNIT - 1;
		look->seqnum = search_plain_run(
			&look->search, range, &look->found, &look->modseq);
		look->done += look->seqnum - range.first;
		if (look->seqnum > range.last)
			continue;
		pass_over(look, imap, -ENOENT);
		look->seqnum++;
		look->done++;
	}
	return RUN_DONE;
}

enum run search_look_run(struct search_look *look, struct imap *imap)
{
	if (search_is_plain(&look->search))
		return look_at_plain(look, imap);
	for (uint32_t seqnum; (seqnum = next_seqnum(look)) > 0; look->seqnum++) {
		bool matches = false;

		if (look->search.seqnum != seqnum) {
			if (!imap_spend(imap))
				return RUN_STEP;
			tell_progress(look, imap);
			look->done++;
		}

		int r = search_match(&look->search, seqnum, &imap->work, &matches);

		if (r == -EINPROGRESS)
			return RUN_STEP;
		if (r < 0)
			pass_over(look, imap, r);
		else if (matches)
			add_found(look, seqnum);
	}
	return RUN_DONE;
}

uint64_t search_look_modseq(const struct search_look *look, uint32_t seqnum)
{
	const struct message *message = view_message(look->search.view, seqnum);

	return message ? message->modseq : 0;
}
