#include "maildir/view.h"

#include "base/must.h"
#include "maildir/mailbox_state.h"

#include <stdlib.h>

/* UIDs from..end-1 are \Recent in this view. */
struct recent_range {
	uint32_t from, end;
};

/* The client knows a message's flags as of a modseq. */
struct told {
	uint64_t modseq;
	uint32_t msg_uid;
};

/* An array of UIDs that grows; memory is kept from sync to sync. */
struct numbers {
	uint32_t *p;
	size_t n, cap;
};

struct view {
	struct mailbox *mailbox;
	struct uid_array *uids;
	bool read_write;
	bool holds_expunged;    /* uids has messages that are gone */
	uint64_t members_count; /* the mailbox's, as of the last sync */
	uint64_t position;      /* in its changes */
	uint64_t modseq;        /* its highestmodseq */
	uint64_t whole_modseq;  /* its highestmodseq when no expunge was held back last */
	uint32_t recent;        /* how many */
	struct recent_range *ranges;
	size_t n_ranges;
	struct told *told;
	size_t n_told, told_cap;
	bool told_unsorted;
	struct numbers expunged_seqnums, expunged_uids, flags_uids;
};

static void add_number(struct numbers *numbers, uint32_t number)
{
	if (numbers->n == numbers->cap) {
		numbers->cap = numbers->cap > 0 ? numbers->cap * 2 : 16;
		numbers->p = realloc(numbers->p, numbers->cap * sizeof *numbers->p);
		must(numbers->p != NULL);
	}
	numbers->p[numbers->n++] = number;
}

/* What no read-write view has taken yet, below end, is recent here; a read-write view takes it. */
static void take_recent(struct view *view, uint32_t end)
{
	struct mailbox *mailbox = view->mailbox;
	uint32_t from = mailbox->recent_from;
	struct recent_range *last = view->n_ranges > 0 ? &view->ranges[view->n_ranges - 1] : NULL;

	if (last && from < last->end)
		from = last->end;
	if (from < end && last && last->end == from) {
		last->end = end;
	} else if (from < end) {
		view->ranges = realloc(view->ranges, (view->n_ranges + 1) * sizeof *view->ranges);
		must(view->ranges != NULL);
		view->ranges[view->n_ranges++] = (struct recent_range){ from, end };
	}
	if (view->read_write && mailbox->recent_from < end)
		mailbox->recent_from = end;
}

static void count_recent(struct view *view)
{
	view->recent = 0;
	for (size_t i = 0; i < view->n_ranges; i++)
		view->recent +=
			(uint32_t)(uid_array_count_to(view->uids, view->ranges[i].end - 1) -
				   uid_array_count_to(view->uids, view->ranges[i].from - 1));
}

int view_open(struct mailbox *mailbox, bool read_write, struct view **ret_view)
{
	struct view *view = calloc(1, sizeof *view);

	must(view != NULL);
	must(mailbox->synced);
	mailbox->opened++;
	view->mailbox = mailbox;
	view->read_write = read_write;
	view->uids = uid_array_ref(mailbox_uid_array(mailbox));
	view->members_count = mailbox->members_count;
	view->position = changes_end(&mailbox->changes);
	view->modseq = view->whole_modseq = mailbox->highestmodseq;
	take_recent(view, mailbox->uidnext);
	count_recent(view);
	*ret_view = view;
	return 0;
}

void view_close(struct view *view)
{
	uid_array_unref(view->uids);
	free(view->ranges);
	free(view->told);
	free(view->expunged_seqnums.p);
	free(view->expunged_uids.p);
	free(view->flags_uids.p);
	mailbox_close(view->mailbox);
	free(view);
}

struct mailbox *view_mailbox(const struct view *view)
{
	return view->mailbox;
}

uint32_t view_exists(const struct view *view)
{
	return (uint32_t)view->uids->n;
}

uint32_t view_recent(const struct view *view)
{
	return view->recent;
}

uint64_t view_modseq(const struct view *view)
{
	return view->whole_modseq;
}

bool view_is_recent(const struct view *view, uint32_t msg_uid)
{
	for (size_t i = 0; i < view->n_ranges; i++)
		if (msg_uid >= view->ranges[i].from && msg_uid < view->ranges[i].end)
			return view_seqnum(view, msg_uid) != 0;
	return false;
}

uint32_t view_uid(const struct view *view, uint32_t seqnum)
{
	must(seqnum >= 1 && seqnum <= view->uids->n);
	return view->uids->uids[seqnum - 1];
}

const uint32_t *view_uids(const struct view *view)
{
	return view->uids->uids;
}

uint32_t view_seqnum_at_most(const struct view *view, uint32_t msg_uid)
{
	return (uint32_t)uid_array_count_to(view->uids, msg_uid);
}

uint32_t view_seqnum(const struct view *view, uint32_t msg_uid)
{
	uint32_t seqnum = view_seqnum_at_most(view, msg_uid);

	return seqnum > 0 && view->uids->uids[seqnum - 1] == msg_uid ? seqnum : 0;
}

const struct message *view_message(const struct view *view, uint32_t seqnum)
{
	uint32_t msg_uid = view_uid(view, seqnum);
	const struct message *messages;

	/* Mostly the view has what the mailbox has. */
	if (seqnum <= mailbox_messages(view->mailbox, &messages) &&
		messages[seqnum - 1].msg_uid == msg_uid)
		return &messages[seqnum - 1];
	return mailbox_message(view->mailbox, msg_uid);
}

/* Ascending, for every message of the view that the mailbox has no more. */
static void find_expunged(struct view *view, const struct uid_array *now)
{
	size_t at = uid_array_common(view->uids, now);

	for (size_t i = at; i < view->uids->n; i++) {
		uint32_t msg_uid = view->uids->uids[i];

		while (at < now->n && now->uids[at] < msg_uid)
			at++;
		if (at < now->n && now->uids[at] == msg_uid)
			continue;
		add_number(&view->expunged_seqnums, (uint32_t)i + 1);
		add_number(&view->expunged_uids, msg_uid);
	}
}

static void reverse(struct numbers *numbers)
{
	for (size_t i = 0; i < numbers->n / 2; i++) {
		uint32_t swap = numbers->p[i];

		numbers->p[i] = numbers->p[numbers->n - 1 - i];
		numbers->p[numbers->n - 1 - i] = swap;
	}
}

static uint32_t last_uid(const struct uid_array *array)
{
	return array->n > 0 ? array->uids[array->n - 1] : 0;
}

/* The old list, expunged messages and all, with the new messages behind. */
static struct uid_array *join(
	const struct uid_array *old, const struct uid_array *now, size_t first_new)
{
	struct uid_array *joined = uid_array_new(old->n + now->n - first_new);

	memcpy(joined->uids, old->uids, old->n * sizeof *old->uids);
	memcpy(joined->uids + old->n, now->uids + first_new,
		(now->n - first_new) * sizeof *now->uids);
	return joined;
}

static void sync_members(struct view *view, bool may_expunge, struct view_changes *changes)
{
	struct mailbox *mailbox = view->mailbox;
	struct uid_array *now = mailbox_uid_array(mailbox);
	struct uid_array *old = view->uids;
	size_t first_new = uid_array_count_to(now, last_uid(old));

	find_expunged(view, now);
	changes->exists_changed = first_new < now->n;
	if (may_expunge || view->expunged_seqnums.n == 0)
		view->uids = uid_array_ref(now);
	else
		view->uids = join(old, now, first_new);
	view->holds_expunged = !may_expunge && view->expunged_seqnums.n > 0;
	if (view->holds_expunged)
		view->expunged_seqnums.n = view->expunged_uids.n = 0;
	reverse(&view->expunged_seqnums);
	reverse(&view->expunged_uids);
	view->members_count = mailbox->members_count;
	if (changes->exists_changed)
		take_recent(view, mailbox->uidnext);
	uid_array_unref(old);
	count_recent(view);
}

static int compare_told(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	if (x->msg_uid != y->msg_uid)
		return x->msg_uid < y->msg_uid ? -1 : 1;
	return x->modseq < y->modseq ? -1 : x->modseq > y->modseq;
}

/* The highest modseq as of which the client knows the message; told[] is sorted. */
static uint64_t told_modseq(const struct view *view, uint32_t msg_uid)
{
	size_t low = 0, high = view->n_told;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (view->told[mid].msg_uid <= msg_uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && view->told[low - 1].msg_uid == msg_uid ? view->told[low - 1].modseq : 0;
}

static void add_flags(struct view *view, uint32_t msg_uid, uint32_t last_known)
{
	const struct message *message =
		msg_uid <= last_known ? mailbox_message(view->mailbox, msg_uid) : NULL;

	if (message && view_seqnum(view, msg_uid) != 0 &&
		message->modseq > told_modseq(view, msg_uid))
		add_number(&view->flags_uids, msg_uid);
}

/* Too much happened to be in the log: every message is looked at. */
static void find_flags_by_modseq(struct view *view, uint32_t last_known)
{
	const struct message *messages;
	size_t n = mailbox_messages(view->mailbox, &messages);

	for (size_t i = 0; i < n && messages[i].msg_uid <= last_known; i++)
		if (messages[i].modseq > view->modseq)
			add_flags(view, messages[i].msg_uid, last_known);
}

static void sync_flags(struct view *view, uint32_t last_known)
{
	const struct changes *log = &view->mailbox->changes;
	const uint32_t *uids;
	size_t n, kept = 0;

	if (view->told_unsorted)
		qsort(view->told, view->n_told, sizeof *view->told, compare_told);
	if (!changes_since(log, view->position, &uids, &n)) {
		find_flags_by_modseq(view, last_known);
	} else {
		for (size_t i = 0; i < n; i++)
			add_flags(view, uids[i], last_known);
		if (view->flags_uids.n > 1)
			qsort(view->flags_uids.p, view->flags_uids.n, sizeof(uint32_t),
				uid_compare);
		for (size_t i = 0; i < view->flags_uids.n; i++)
			if (i == 0 || view->flags_uids.p[i] != view->flags_uids.p[i - 1])
				view->flags_uids.p[kept++] = view->flags_uids.p[i];
		view->flags_uids.n = kept;
	}
	view->position = changes_end(log);
	view->modseq = view->mailbox->highestmodseq;
	view->n_told = 0;
	view->told_unsorted = false;
}

void view_sync(struct view *view, bool may_expunge, struct view_changes *ret_changes)
{
	struct view_changes changes = { 0 };
	uint32_t last_known = last_uid(view->uids);

	view->expunged_seqnums.n = view->expunged_uids.n = view->flags_uids.n = 0;
	if (view->members_count != view->mailbox->members_count ||
		(may_expunge && view->holds_expunged))
		sync_members(view, may_expunge, &changes);
	sync_flags(view, last_known);
	if (!view->holds_expunged)
		view->whole_modseq = view->modseq;
	changes.expunged_seqnums = view->expunged_seqnums.p;
	changes.expunged_uids = view->expunged_uids.p;
	changes.n_expunged = view->expunged_seqnums.n;
	changes.flags_uids = view->flags_uids.p;
	changes.n_flags = view->flags_uids.n;
	*ret_changes = changes;
}

void view_flags_told(struct view *view, uint32_t msg_uid)
{
	const struct message *message = mailbox_message(view->mailbox, msg_uid);
	uint64_t modseq;

	if (!message || message->modseq <= view->modseq)
		return;
	modseq = message->modseq;
	if (view->n_told == view->told_cap) {
		view->told_cap = view->told_cap > 0 ? view->told_cap * 2 : 16;
		view->told = realloc(view->told, view->told_cap * sizeof *view->told);
		must(view->told != NULL);
	}
	if (view->n_told > 0 && view->told[view->n_told - 1].msg_uid >= msg_uid)
		view->told_unsorted = true;
	view->told[view->n_told++] = (struct told){ modseq, msg_uid };
}
