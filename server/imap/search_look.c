#include "server/imap/search_look.h"

#include "server/imap/connection.h"

#include <errno.h>

int search_look_begin(
	struct search_look *look, struct imap *imap, struct view *view, struct search_key *key)
{
	static const struct seq_ranges nothing = { 0 };

	*look = (struct search_look){
		.arena = look->arena,
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
	if (view == imap->view)
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

enum run search_look_run(struct search_look *look, struct imap *imap)
{
	for (uint32_t seqnum; (seqnum = next_seqnum(look)) > 0; look->seqnum++) {
		bool matches = false;

		if (look->search.seqnum != seqnum) {
			if (!imap_spend(imap))
				return RUN_STEP;
			connection_progress(imap, look->done++, look->goal);
		}

		int r = search_match(&look->search, seqnum, &imap->work, &matches);

		if (r == -EINPROGRESS)
			return RUN_STEP;
		if (r < 0)
			passed_over_add(&look->over, imap, look->search.mailbox,
				view_uid(look->search.view, seqnum), r, "cannot be searched");
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
