#include "server/imap/cmd_search.h"

#include "server/imap/connection.h"
#include "server/imap/search_match.h"

#include <errno.h>

struct search_progress {
	struct search search;
	uint32_t seqnum;         /* the next one */
	struct seq_ranges found; /* sequence numbers, or UIDs */
	bool expunged, failed;

	bool telling;
	size_t range;    /* of found: the next to tell */
	uint32_t number; /* of that range: the next to tell; 0: its first */
};

void end_search(struct imap *imap)
{
	struct search_progress *p = imap->command.progress;

	if (p)
		search_done(&p->search);
}

static bool by_uid(const struct imap *imap)
{
	return imap->command.type->flags & COMMAND_BY_UID;
}

static struct search_progress *begin_search(struct imap *imap)
{
	struct search_progress *p = arena_alloc(&imap->arena, sizeof *p);
	uint32_t exists = view_exists(imap->view);

	*p = (struct search_progress){
		.search = {
			.view = imap->view,
			.mailbox = imap->mailbox,
			.file = &imap->file,
			.arena = &imap->arena,
			.uid_star = exists > 0 ? view_uid(imap->view, exists) : mailbox_uidnext(imap->mailbox),
			.key = imap->command.arguments.search.key,
			.now_usec = imap->io->now_usec,
		},
		.seqnum = 1,
	};
	imap->command.progress = p;
	if (search_init(&p->search) < 0) {
		(void)imap_no(imap, "LIMIT", "Search text is too long");
		return NULL;
	}
	return p;
}

static void not_searched(struct imap *imap, struct search_progress *p, int error)
{
	struct slice name = mailbox_name(imap->mailbox);

	message_file_close(&imap->file);
	if (error == -ENOENT) {
		p->expunged = true;
		return;
	}
	p->failed = true;
	log_line(imap->settings.log, LOG_PRIORITY_WARNING,
		"%s: %.*s: message with UID %u cannot be searched: %s", imap->settings.user,
		SLICE_FMT(name), view_uid(imap->view, p->seqnum), strerror(-error));
}

static enum run look(struct imap *imap, struct search_progress *p)
{
	for (; p->seqnum <= view_exists(imap->view); p->seqnum++) {
		bool matches = false;

		if (p->search.seqnum != p->seqnum && !imap_spend(imap))
			return RUN_STEP;

		int r = search_match(&p->search, p->seqnum, &imap->work, &matches);

		if (r == -EINPROGRESS)
			return RUN_STEP;
		if (r < 0)
			not_searched(imap, p, r);
		else if (matches)
			seq_ranges_add(&p->found, &imap->arena,
				by_uid(imap) ? view_uid(imap->view, p->seqnum) : p->seqnum);
	}
	return RUN_DONE;
}

/* " 1 2 3": every number. RFC 3501 section 7.2.5. */
static enum run tell_numbers(struct imap *imap, struct search_progress *p)
{
	for (; p->range < p->found.n; p->range++, p->number = 0) {
		struct seq_range range = p->found.ranges[p->range];

		if (p->number == 0)
			p->number = range.first;
		for (; p->number <= range.last;
			p->number++) { /* a UID is below UINT32_MAX: UIDNEXT is above it */
			if (imap_output_full(imap))
				return RUN_OUTPUT;
			write_raw(&imap->out, SLICE(" "));
			write_number(&imap->out, p->number);
		}
	}
	return RUN_DONE;
}

/* "1,3:7": the ranges. RFC 4731 section 3.1. */
static enum run tell_ranges(struct imap *imap, struct search_progress *p)
{
	for (; p->range < p->found.n; p->range++) {
		struct seq_ranges one = { .ranges = &p->found.ranges[p->range], .n = 1 };

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		write_text(&imap->out, p->range > 0 ? "," : " ALL ");
		write_ranges(&imap->out, &one);
	}
	return RUN_DONE;
}

/* All of ESEARCH that is short. */
static void tell_extended(struct imap *imap, const struct search_progress *p)
{
	unsigned returns = imap->command.arguments.search.returns;
	const struct seq_ranges *found = &p->found;
	struct writer *w = &imap->out;

	write_raw(w, SLICE("* ESEARCH (TAG "));
	write_string(w, imap->command.tag);
	write_text(w, by_uid(imap) ? ") UID" : ")");
	if ((returns & SEARCH_RETURN_MIN) && found->n > 0)
		write_format(w, " MIN %u", found->ranges[0].first);
	if ((returns & SEARCH_RETURN_MAX) && found->n > 0)
		write_format(w, " MAX %u", found->ranges[found->n - 1].last);
	if (returns & SEARCH_RETURN_COUNT)
		write_format(w, " COUNT %llu", (unsigned long long)seq_ranges_count(found));
}

static enum run tell(struct imap *imap, struct search_progress *p)
{
	const struct search_arguments *a = &imap->command.arguments.search;
	enum run run = RUN_DONE;

	if (!p->telling && a->extended)
		tell_extended(imap, p);
	else if (!p->telling)
		write_raw(&imap->out, SLICE("* SEARCH"));
	p->telling = true;
	imap->mid_response = true;
	if (!a->extended)
		run = tell_numbers(imap, p);
	else if (a->returns & SEARCH_RETURN_ALL)
		run = tell_ranges(imap, p);
	if (run != RUN_DONE)
		return run;
	write_crlf(&imap->out);
	imap->mid_response = false;
	return RUN_DONE;
}

enum run cmd_search(struct imap *imap)
{
	struct search_progress *p = imap->command.progress;

	if (!p)
		p = begin_search(imap);
	if (!p)
		return RUN_DONE;

	enum run run = p->telling ? RUN_DONE : look(imap, p);

	if (run == RUN_DONE)
		run = tell(imap, p);
	if (run != RUN_DONE)
		return run;
	if (p->failed)
		return imap_no(imap, "UNAVAILABLE",
			"Some of the messages could not be read; see the server's log");
	return imap_ok(imap, p->expunged ? "EXPUNGEISSUED" : NULL, NULL);
}
