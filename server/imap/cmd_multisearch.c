#include "server/imap/cmd_multisearch.h"

#include "maildir/name.h"
#include "maildir/subscriptions.h"
#include "maildir/tree.h"
#include "server/imap/connection.h"
#include "server/imap/search_answer.h"
#include "server/imap/search_look.h"

#include <errno.h>

enum multisearch_stage { STAGE_CHOOSE, STAGE_NEXT, STAGE_OPEN, STAGE_LOOK, STAGE_TELL };

struct multisearch_progress {
	enum multisearch_stage stage;
	const struct tree_entry *entries;
	size_t n, next;
	const struct slice *subscribed; /* in the order of name_compare() */
	size_t subscribed_n;
	bool selected; /* the selected mailbox comes first, as its view is */

	/* The mailbox that is searched; all but the selected one are opened for it. */
	struct mailbox *mailbox;
	uint64_t round; /* of mailbox_sync_anew() */
	struct view *view;
	struct arena arena;
	struct search_look look;
	struct search_answer answer;
	struct passed_over over; /* of all */
};

static void leave_mailbox(struct imap *imap, struct multisearch_progress *p)
{
	search_look_done(&p->look);
	if (p->mailbox)
		message_file_close(&imap->file);
	if (p->view && p->view != imap->view)
		view_close(p->view);
	if (p->mailbox)
		mailbox_close(p->mailbox);
	p->view = NULL;
	p->mailbox = NULL;
	p->round = 0;
	arena_reset(&p->arena);
	p->stage = STAGE_NEXT;
}

void end_multisearch(struct imap *imap)
{
	struct multisearch_progress *p = imap->command.progress;

	if (!p)
		return;
	leave_mailbox(imap, p);
	arena_done(&p->arena);
}

static char delimiter(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

static bool is_subscribed(
	const struct imap *imap, const struct multisearch_progress *p, struct slice name)
{
	size_t low = 0, high = p->subscribed_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = name_compare(p->subscribed[middle], name, delimiter(imap));

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Each mailbox once, whatever names it. */
static bool is_wanted(
	const struct imap *imap, const struct multisearch_progress *p, const struct tree_entry *entry)
{
	const struct mailbox_filter *filter = imap->command.arguments.search.filters;

	if (!entry->exists ||
		(p->selected && slice_equal(entry->name, mailbox_name(imap->mailbox))))
		return false;
	for (; filter; filter = filter->next)
		if (mailbox_filter_takes(filter, entry->name,
			    filter->kind == FILTER_SUBSCRIBED && is_subscribed(imap, p, entry->name),
			    delimiter(imap)))
			return true;
	return false;
}

/* No source option means the selected mailbox. */
static bool wants_selected(const struct search_arguments *a)
{
	if (!a->filters)
		return true;
	for (const struct mailbox_filter *f = a->filters; f; f = f->next)
		if (f->kind == FILTER_SELECTED)
			return true;
	return false;
}

static bool is_only_selected(const struct search_arguments *a)
{
	return !a->filters || (a->filters->kind == FILTER_SELECTED && !a->filters->next);
}

static int list_mailboxes(struct imap *imap, struct multisearch_progress *p)
{
	struct store *store = imap->settings.store;
	struct slice *names = NULL;
	int r = tree_list(store, &imap->arena, &p->entries, &p->n);

	if (r == 0)
		r = subscriptions_read(store, &imap->arena, &names, &p->subscribed_n);
	p->subscribed = names;
	return r;
}

static struct multisearch_progress *begin_multisearch(struct imap *imap)
{
	const struct search_arguments *a = &imap->command.arguments.search;
	struct multisearch_progress *p = arena_alloc(&imap->arena, sizeof *p);
	int r = 0;

	p->selected = wants_selected(a);
	if (p->selected && imap->state != IMAP_SELECTED) {
		(void)imap_bad(imap, "No mailbox is selected");
		return NULL;
	}
	if ((a->returns & SEARCH_RETURN_UPDATE) &&
		contexts_have(&imap->contexts, imap->command.tag)) {
		(void)imap_bad(imap, "Tag reuse");
		return NULL;
	}
	imap->command.progress = p;
	search_enable_condstore(imap, a);
	if (!is_only_selected(a))
		r = list_mailboxes(imap, p);
	if (r == 0)
		return p;
	(void)imap_failed(imap, r);
	return NULL;
}

static void add_over(struct multisearch_progress *p, const struct passed_over *over)
{
	p->over.expunged |= over->expunged;
	p->over.failed |= over->failed;
}

static enum run begin_look(struct imap *imap, struct multisearch_progress *p)
{
	p->look.arena = &p->arena;
	p->look.is_one_of_many = !is_only_selected(&imap->command.arguments.search);
	if (search_look_begin(&p->look, imap, p->view, imap->command.arguments.search.key) < 0)
		return imap_no(imap, "LIMIT", "Search text is too long");
	p->stage = STAGE_LOOK;
	return RUN_DONE;
}

/* Which mailbox is next. Returns RUN_DONE: it is found, or there is none: then the command is completed. */
static enum run choose_next(struct imap *imap, struct multisearch_progress *p)
{
	if (p->selected && p->stage == STAGE_CHOOSE) {
		p->view = imap->view;
		return begin_look(imap, p);
	}
	for (; p->next < p->n; p->next++) {
		connection_progress(imap, p->next, p->n);
		if (!imap_spend(imap))
			return RUN_STEP;
		if (!is_wanted(imap, p, &p->entries[p->next]))
			continue;
		if (mailbox_open(imap->settings.store, p->entries[p->next].name, &p->mailbox) < 0) {
			p->mailbox = NULL; /* gone, or nothing that can be read: the store has logged it */
			continue;
		}
		p->next++;
		p->stage = STAGE_OPEN;
		return RUN_DONE;
	}
	return passed_over_finish(&p->over, imap);
}

static enum run open_mailbox(struct imap *imap, struct multisearch_progress *p)
{
	int r = mailbox_sync_anew(p->mailbox, &p->round, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r == 0)
		r = view_open(p->mailbox, false, &p->view);
	if (r == 0)
		return begin_look(imap, p);
	p->over.failed |= r != -ESTALE && r != -ENOENT;
	leave_mailbox(imap, p);
	return RUN_DONE;
}

static uint32_t *uids_of(struct multisearch_progress *p, size_t *ret_n)
{
	struct seq_ranges *found = &p->look.found;
	uint32_t *uids = arena_array(&p->arena, seq_ranges_count(found), sizeof *uids);
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++)
		for (uint32_t k = found->ranges[i].first; k <= found->ranges[i].last; k++)
			uids[n++] = view_uid(p->view, k);
	*ret_n = n;
	return uids;
}

static void keep_result(struct imap *imap, struct multisearch_progress *p, const uint32_t *uids)
{
	const struct search_arguments *a = &imap->command.arguments.search;

	if (a->returns & SEARCH_RETURN_SAVE) {
		struct seq_ranges saved = search_answer_saved(&p->answer, uids, &p->arena);

		imap_save_result(imap, &saved);
	}
	if (a->returns & SEARCH_RETURN_UPDATE)
		contexts_add(imap,
			&(struct context_result){ .uids = uids, .n = p->answer.n });
}

static enum run look(struct imap *imap, struct multisearch_progress *p)
{
	const struct search_arguments *a = &imap->command.arguments.search;
	enum run run = search_look_run(&p->look, imap);
	struct mailbox *mailbox = view_mailbox(p->view);
	const uint32_t *uids;
	size_t n;

	if (run != RUN_DONE)
		return run;
	add_over(p, &p->look.over);
	uids = uids_of(p, &n);
	p->answer = (struct search_answer){
		.numbers = uids,
		.n = n,
		.by_uid = true,
		.extended = true,
		.returns = a->returns,
		.partial = a->partial,
		.modseq = a->has_modseq ? p->look.modseq : 0,
		.mailbox = mailbox_name(mailbox),
		.uidvalidity = mailbox_uidvalidity(mailbox),
	};
	keep_result(imap, p, uids);
	p->stage = STAGE_TELL;
	return RUN_DONE;
}

/* RFC 7377 section 2.1: nothing is told of a mailbox where nothing matches. */
static enum run tell(struct imap *imap, struct multisearch_progress *p)
{
	enum run run = p->answer.n > 0 ? search_answer_tell(&p->answer, imap) : RUN_DONE;

	if (run == RUN_DONE)
		leave_mailbox(imap, p);
	return run;
}

static enum run run_stage(struct imap *imap, struct multisearch_progress *p)
{
	switch (p->stage) {
	case STAGE_CHOOSE:
	case STAGE_NEXT:
		return choose_next(imap, p);
	case STAGE_OPEN:
		return open_mailbox(imap, p);
	case STAGE_LOOK:
		return look(imap, p);
	case STAGE_TELL:
		return tell(imap, p);
	}
	return RUN_DONE;
}

enum run cmd_multisearch(struct imap *imap)
{
	struct multisearch_progress *p = imap->command.progress;
	enum run run = RUN_DONE;

	if (!p)
		p = begin_multisearch(imap);
	while (run == RUN_DONE && imap->command.completion == COMPLETION_NONE)
		run = run_stage(imap, p);
	return run;
}
