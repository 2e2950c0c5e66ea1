#include "server/imap/cmd_search.h"

#include "maildir/card.h"
#include "maildir/digest.h"
#include "server/imap/connection.h"
#include "server/imap/search_answer.h"
#include "server/imap/search_context.h"
#include "server/imap/search_look.h"
#include "server/imap/search_sort.h"

#include <errno.h>

enum { MOVES_A_UNIT = 64 }; /* of a sort */

enum search_stage { SEARCH_LOOK, SEARCH_KEYS, SEARCH_ORDER, SEARCH_TELL };

struct search_progress {
	enum search_stage stage;
	struct search_look look;
	uint32_t *seqnums; /* of what was found, in the order of the answer */
	size_t n;
	struct search_sort *sort; /* of SORT */
	size_t next;              /* of seqnums: whose key comes next */
	bool spent;               /* the unit for it */
	const uint32_t *order;    /* of sort */
	struct search_answer answer;
};

void end_search(struct imap *imap)
{
	struct search_progress *p = imap->command.progress;

	if (!p)
		return;
	search_look_done(&p->look);
	search_sort_free(p->sort);
}

static const struct search_arguments *arguments(const struct imap *imap)
{
	return &imap->command.arguments.search;
}

static bool by_uid(const struct imap *imap)
{
	return imap->command.type->flags & COMMAND_BY_UID;
}

static bool saves(const struct imap *imap)
{
	return arguments(imap)->returns & SEARCH_RETURN_SAVE;
}

/* NO, or OK with what was passed over; a result that was to be saved is empty with NO (RFC 5182 section 2.1). */
static enum run finish_search(struct imap *imap, const struct search_progress *p)
{
	if (p->look.over.failed && saves(imap))
		imap_save_result(imap, NULL);
	return passed_over_finish(&p->look.over, imap);
}

static enum run too_large(struct imap *imap, const char *why)
{
	if (saves(imap))
		imap_save_result(imap, NULL);
	return imap_no(imap, "LIMIT", why);
}

/* RFC 5267 section 4.3: the tag of a search that is told about cannot be had twice. */
static bool is_refused(struct imap *imap)
{
	const struct search_arguments *a = arguments(imap);

	if ((a->returns & SEARCH_RETURN_UPDATE) &&
		contexts_have(&imap->contexts, imap->command.tag)) {
		(void)imap_bad(imap, "Tag reuse");
		return true;
	}
	return false;
}

static struct search_progress *begin_search(struct imap *imap)
{
	const struct search_arguments *a = arguments(imap);
	struct search_progress *p = arena_alloc(&imap->arena, sizeof *p);

	if (is_refused(imap))
		return NULL;
	imap->command.progress = p;
	p->look.arena = &imap->arena;
	search_enable_condstore(imap, a);
	if (search_look_begin(&p->look, imap, imap->view, a->key) == 0)
		return p;
	(void)too_large(imap, "Search text is too long");
	return NULL;
}

static void list_found(struct imap *imap, struct search_progress *p)
{
	const struct seq_ranges *found = &p->look.found;

	p->seqnums = arena_array(&imap->arena, seq_ranges_count(found), sizeof *p->seqnums);
	for (size_t i = 0; i < found->n; i++)
		for (uint32_t n = found->ranges[i].first; n <= found->ranges[i].last; n++)
			p->seqnums[p->n++] = n;
}

static int find_sort_card(struct imap *imap, uint32_t msg_uid, struct card *ret_card)
{
	const struct search_arguments *a = arguments(imap);
	int r = mailbox_digest(imap->mailbox, msg_uid, &imap->work, ret_card);

	if (r == 0 && (ret_card->flags & CARD_HEADER_ONLY) &&
		search_sort_has(a->criteria, a->criteria_n, SORT_SIZE))
		r = mailbox_card(imap->mailbox, msg_uid, &imap->work, ret_card);
	return r;
}

/* The keys of what was found; messages whose key cannot be had are left out. */
static enum run find_keys(struct imap *imap, struct search_progress *p)
{
	const struct search_arguments *a = arguments(imap);
	size_t kept = 0;

	if (!p->sort)
		p->sort = search_sort_new(a->criteria, a->criteria_n);
	for (; p->next < p->n; p->next++) {
		uint32_t seqnum = p->seqnums[p->next];
		uint32_t msg_uid = view_uid(imap->view, seqnum);
		struct card card;

		if (!p->spent && !imap_spend(imap))
			return RUN_STEP;

		int r = find_sort_card(imap, msg_uid, &card);

		p->spent = r == -EINPROGRESS;
		if (p->spent)
			return RUN_STEP;
		if (r == 0)
			r = search_sort_add(p->sort, &card);
		if (r == -ENOBUFS)
			return too_large(imap, "Too much to be sorted");
		if (r == 0)
			continue;
		passed_over_add(&p->look.over, imap, imap->mailbox, msg_uid, r, "cannot be sorted");
		p->seqnums[p->next] = 0;
	}
	for (p->next = 0; p->next < p->n; p->next++)
		if (p->seqnums[p->next] != 0)
			p->seqnums[kept++] = p->seqnums[p->next];
	p->n = kept;
	p->stage = SEARCH_ORDER;
	return RUN_DONE;
}

static enum run put_in_order(struct imap *imap, struct search_progress *p)
{
	size_t moves = imap->work.budget * MOVES_A_UNIT;
	uint32_t *seqnums;

	if (!search_sort_run(p->sort, &moves, &p->order)) {
		imap->work.budget = 0;
		return RUN_STEP;
	}
	imap->work.budget = moves / MOVES_A_UNIT;
	seqnums = arena_array(&imap->arena, p->n, sizeof *seqnums);
	for (size_t i = 0; i < p->n; i++)
		seqnums[i] = p->seqnums[p->order[i]];
	p->seqnums = seqnums;
	p->stage = SEARCH_TELL;
	return RUN_DONE;
}

/* RFC 4731 section 3.2: with MIN and MAX alone, of those two messages. */
static uint64_t modseq_of_answer(const struct imap *imap, const struct search_progress *p)
{
	const struct search_arguments *a = arguments(imap);
	const unsigned more =
		SEARCH_RETURN_ALL | SEARCH_RETURN_COUNT | SEARCH_RETURN_PARTIAL;
	uint64_t first = 0, last = 0;

	if (!a->has_modseq || p->n == 0)
		return 0;
	if (!a->extended || (a->returns & more))
		return p->look.modseq;
	if (a->returns & SEARCH_RETURN_MIN)
		first = search_look_modseq(&p->look, p->seqnums[0]);
	if (a->returns & SEARCH_RETURN_MAX)
		last = search_look_modseq(&p->look, p->seqnums[p->n - 1]);
	return first > last ? first : last;
}

static void save_result(
	struct imap *imap, const struct search_answer *answer, const uint32_t *uids)
{
	struct seq_ranges saved = search_answer_saved(answer, uids, &imap->arena);

	imap_save_result(imap, &saved);
}

static void begin_answer(struct imap *imap, struct search_progress *p)
{
	const struct search_arguments *a = arguments(imap);
	uint32_t *uids = arena_array(&imap->arena, p->n, sizeof *uids);

	for (size_t i = 0; i < p->n; i++)
		uids[i] = view_uid(imap->view, p->seqnums[i]);
	p->answer = (struct search_answer){
		.word = a->criteria_n > 0 ? "SORT" : "SEARCH",
		.numbers = by_uid(imap) ? uids : p->seqnums,
		.n = p->n,
		.by_uid = by_uid(imap),
		.extended = a->extended,
		.returns = a->returns,
		.partial = a->partial,
		.modseq = modseq_of_answer(imap, p),
	};
	if (saves(imap))
		save_result(imap, &p->answer, uids);
	if (a->returns & SEARCH_RETURN_UPDATE)
		contexts_add(imap, &(struct context_result){ .uids = uids,
					   .n = p->n,
					   .sort = p->sort,
					   .order = p->order });
}

static enum run run_stage(struct imap *imap, struct search_progress *p)
{
	enum run run;

	switch (p->stage) {
	case SEARCH_LOOK:
		run = search_look_run(&p->look, imap);
		if (run != RUN_DONE)
			return run;
		list_found(imap, p);
		p->stage = arguments(imap)->criteria_n > 0 ? SEARCH_KEYS : SEARCH_TELL;
		return RUN_DONE;
	case SEARCH_KEYS:
		return find_keys(imap, p);
	case SEARCH_ORDER:
		return put_in_order(imap, p);
	case SEARCH_TELL:
		break;
	}
	return RUN_DONE;
}

enum run cmd_search(struct imap *imap)
{
	struct search_progress *p = imap->command.progress;
	enum run run = RUN_DONE;

	if (!p)
		p = begin_search(imap);
	while (p && p->stage != SEARCH_TELL) {
		run = run_stage(imap, p);
		if (run != RUN_DONE || imap->command.completion != COMPLETION_NONE)
			return run;
	}
	if (!p)
		return RUN_DONE;
	if (!p->answer.word)
		begin_answer(imap, p);
	run = search_answer_tell(&p->answer, imap);
	return run == RUN_DONE ? finish_search(imap, p) : run;
}
