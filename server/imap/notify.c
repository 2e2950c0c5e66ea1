/*
 * QUIET ──something happened──▶ EVENTS ▶ DIFFERENT ▶ CHOOSE ▶ LOOK ▶ SELECTED ▶ FETCH ──▶ QUIET
 *           └── not to names ────────────────────────────────────▲
 */
#include "server/imap/notify.h"

#include "base/must.h"
#include "maildir/events.h"
#include "server/imap/cmd_notify.h"
#include "server/imap/connection.h"
#include "server/imap/notify_state.h"

#include <errno.h>
#include <stdlib.h>

static bool is_active(const struct imap *imap)
{
	return imap->notify && imap->notify->groups;
}

static void parse_again(struct notify *notify, unsigned enabled, const struct notify_arguments *a)
{
	struct grammar grammar = { .arena = &notify->arena, .enabled = enabled };
	struct slice text = arena_copy(&notify->arena, a->text);
	struct notify_arguments mine;

	must(grammar_notify(&text, &grammar, &mine) == PARSE_OK); /* it was parsed before */
	notify->groups = mine.groups;
	notify->tells_status = mine.status;
	for (const struct notify_group *g = notify->groups; g; g = g->next)
		if (g->filter.kind == FILTER_SELECTED || g->filter.kind == FILTER_SELECTED_DELAYED)
			notify->selected = g;
		else
			notify->other_events |= g->events;
}

int notify_new(
	struct imap *imap, const struct notify_arguments *arguments, struct notify **ret_notify)
{
	struct store *store = imap->settings.store;
	struct notify *notify = calloc(1, sizeof *notify);
	int r = 0;

	must(notify != NULL);
	parse_again(notify, imap->enabled, arguments);
	if (notify->other_events) {
		store_watch_tree(store);
		notify->next_event = store_events_end(store);
		notify->tree_seen = store_tree_count(store);
		r = notify_names_read(imap, &notify->next_names);
		if (r == 0)
			r = notify_choose(imap, notify);
	}
	if (r < 0)
		notify_free(imap, notify);
	else
		*ret_notify = notify;
	return r;
}

void notify_free(struct imap *imap, struct notify *notify)
{
	if (!notify)
		return;
	fetch_beside_end(imap, &notify->fetch);
	status_look_end(&notify->look);
	notify_forget_mailboxes(imap, notify);
	if (notify->other_events)
		store_unwatch_tree(imap->settings.store);
	arena_done(&notify->fetch_arena);
	arena_done(&notify->names.arena);
	arena_done(&notify->next_names.arena);
	arena_done(&notify->arena);
	free(notify);
}

enum run notify_prepare(struct imap *imap, struct notify *notify)
{
	enum run run = notify_look_all(imap, notify, true);

	if (run == RUN_DONE)
		notify->look_at = 0;
	return run;
}

void notify_use(struct imap *imap, struct notify *notify)
{
	notify_free(imap, imap->notify);
	imap->notify = notify;
	notify_note_view(imap);
}

bool notify_is_busy(const struct imap *imap)
{
	return imap->notify && imap->notify->stage != NOTIFY_QUIET;
}

bool notify_listens(const struct imap *imap)
{
	return is_active(imap);
}

bool notify_wants_selected(const struct imap *imap)
{
	return !imap->notify || (imap->notify->selected && imap->notify->selected->events);
}

bool notify_wants_flags(const struct imap *imap)
{
	return !imap->notify || (imap->notify->selected &&
					(imap->notify->selected->events & NOTIFY_FLAG_CHANGE));
}

bool notify_is_answered(const struct imap *imap)
{
	return imap->command.type && imap->command.type->run == cmd_notify;
}

static uint32_t last_uid(const struct imap *imap)
{
	uint32_t exists = view_exists(imap->view);

	return exists > 0 ? view_uid(imap->view, exists) : 0;
}

void notify_note_view(struct imap *imap)
{
	struct notify *notify = imap->notify;

	if (!notify || notify->has_fetched_uid || !imap->view)
		return;
	notify->fetched_uid = last_uid(imap);
	notify->has_fetched_uid = true;
	notify->own_n = 0;
}

void notify_note_deselected(struct imap *imap)
{
	if (!imap->notify)
		return;
	fetch_beside_end(imap, &imap->notify->fetch);
	imap->notify->has_fetched_uid = false;
	if (imap->notify->stage >= NOTIFY_SELECTED)
		imap->notify->stage = NOTIFY_QUIET;
}

static void own_elsewhere(
	struct notify *notify, const struct mailbox *mailbox, uint32_t first_uid, uint32_t n)
{
	for (size_t i = 0; i < notify->n; i++) {
		struct notify_mailbox *m = &notify->mailboxes[i];

		if (!slice_equal(m->name, mailbox_name(mailbox)))
			continue;
		m->messages += n;
		if (m->uidnext <= first_uid)
			m->uidnext = first_uid + n;
		m->unseen_known = false; /* it is taken over, not told */
		m->highestmodseq = mailbox_highestmodseq(mailbox);
	}
}

void notify_note_own(
	struct imap *imap, const struct mailbox *mailbox, uint32_t first_uid, uint32_t n)
{
	struct notify *notify = imap->notify;

	if (!notify || n == 0)
		return;
	own_elsewhere(notify, mailbox, first_uid, n);
	notify_note_view(imap); /* perhaps nothing was told since SELECT */
	if (imap->mailbox == mailbox)
		notify->own[notify->own_n++ % NOTIFY_OWN_RANGES] =
			(struct seq_range){ first_uid, first_uid + n - 1 };
}

static bool is_own(const struct notify *notify, uint32_t msg_uid)
{
	for (size_t i = 0; i < notify->own_n && i < NOTIFY_OWN_RANGES; i++)
		if (msg_uid >= notify->own[i].first && msg_uid <= notify->own[i].last)
			return true;
	return false;
}

/* The sequence numbers of new messages to be fetched, as text; as many of them as go into one set. */
static struct slice take_new(struct imap *imap, struct notify *notify, struct arena *arena)
{
	enum { SET_BYTES = 16 * 1024, RANGE_BYTES = 24 };
	_cleanup_buf_ struct buf text = BUF(SET_BYTES + RANGE_BYTES);
	struct writer w = { .out = &text };
	uint32_t exists = view_exists(imap->view), k;

	k = view_seqnum_at_most(imap->view, notify->fetched_uid) + 1;
	while (k <= exists && text.n < SET_BYTES) {
		uint32_t first = k;

		while (k <= exists && !is_own(notify, view_uid(imap->view, k)))
			k++;
		if (k > first)
			write_format(&w, "%s%u:%u", text.n > 0 ? "," : "", first, k - 1);
		else
			k++;
	}
	if (k > 1)
		notify->fetched_uid = view_uid(imap->view, k - 1);
	return arena_copy(arena, buf_slice(&text));
}

static void begin_fetch(struct imap *imap, struct notify *notify)
{
	struct slice set;

	arena_reset(&notify->fetch_arena);
	set = take_new(imap, notify, &notify->fetch_arena);
	if (set.n > 0)
		fetch_beside_begin(&notify->fetch, &notify->selected->fetch, set, false);
}

/* New messages of others, as MessageNew asks for them. RFC 5465 section 5.2. */
static enum run fetch_new(struct imap *imap, struct notify *notify)
{
	enum run run = RUN_DONE;

	if (!imap->view || !notify->selected || notify->selected->fetch.n == 0)
		return RUN_DONE;
	do {
		if (!fetch_beside_is_busy(&notify->fetch) && last_uid(imap) > notify->fetched_uid)
			begin_fetch(imap, notify);
		if (!fetch_beside_is_busy(&notify->fetch))
			return RUN_DONE;
		run = fetch_beside_run(imap, &notify->fetch);
	} while (run == RUN_DONE);
	return run;
}

/* RFC 5465 section 5.8. */
static void give_up(struct imap *imap, struct notify *notify)
{
	write_raw(&imap->out, SLICE("* OK [NOTIFICATIONOVERFLOW] There are too many mailboxes: "
				    "nothing is told any more\r\n"));
	if (notify->other_events)
		store_unwatch_tree(imap->settings.store);
	notify_forget_mailboxes(imap, notify);
	notify->groups = notify->selected = NULL;
	notify->other_events = 0;
}

static enum run choose(struct imap *imap, struct notify *notify)
{
	int r = notify_choose(imap, notify);

	if (r < 0)
		give_up(imap, notify);
	notify->look_at = 0;
	notify->stage = r < 0 ? NOTIFY_QUIET : NOTIFY_LOOK;
	return RUN_DONE;
}

/* Between commands; what runs else tells it itself. */
static bool tells_selected(const struct imap *imap)
{
	return imap->phase == PHASE_READ && imap->view && notify_wants_selected(imap);
}

static enum run look(struct imap *imap, struct notify *notify)
{
	enum run run = notify_look_all(imap, notify, false);

	if (run != RUN_DONE)
		return run;
	notify->stage = tells_selected(imap) ? NOTIFY_SELECTED : NOTIFY_FETCH;
	if (notify->stage == NOTIFY_SELECTED)
		updates_begin(imap, notify->selected->filter.kind == FILTER_SELECTED);
	return RUN_DONE;
}

static bool names_read(struct imap *imap, struct notify *notify)
{
	notify->tree_seen = store_tree_count(imap->settings.store);
	notify->first_event = notify->next_event;
	notify->old_at = notify->new_at = 0;
	arena_reset(&notify->next_names.arena);
	return notify_names_read(imap, &notify->next_names) == 0;
}

/* Whether it is time to look, and where first. */
static enum notify_stage begin(struct imap *imap, struct notify *notify)
{
	struct store *store = imap->settings.store;
	uint64_t now_usec = imap->io->now_usec;
	bool by_time = now_usec >= notify->looked_usec + NOTIFY_POLL_USEC ||
		       now_usec < notify->looked_usec;

	store_watch_drain(store);
	notify->polled = by_time && (store_must_poll(store) || tells_selected(imap));
	if (!notify->polled && notify->changes_seen == store_change_count(store))
		return NOTIFY_QUIET;
	notify->changes_seen = store_change_count(store);
	notify->looked_usec = now_usec;
	notify->look_at = 0;
	if (notify_names_are_due(imap, notify) && names_read(imap, notify))
		return NOTIFY_EVENTS;
	return NOTIFY_LOOK;
}

static enum run run_stage(struct imap *imap, struct notify *notify)
{
	enum run run = RUN_DONE;

	switch (notify->stage) {
	case NOTIFY_EVENTS:
		run = notify_tell_events(imap, notify);
		break;
	case NOTIFY_DIFFERENT:
		run = notify_tell_different(imap, notify);
		break;
	case NOTIFY_CHOOSE:
		return choose(imap, notify);
	case NOTIFY_LOOK:
		return look(imap, notify);
	case NOTIFY_SELECTED:
		run = updates_run(imap);
		break;
	default:
		run = fetch_new(imap, notify);
		if (run == RUN_DONE)
			notify->stage = NOTIFY_QUIET;
		return run;
	}
	if (run == RUN_DONE)
		notify->stage++;
	return run;
}

enum run notify_run(struct imap *imap)
{
	struct notify *notify = imap->notify;
	enum run run = RUN_DONE;

	if (!is_active(imap))
		return RUN_DONE;
	if (notify->stage == NOTIFY_QUIET)
		notify->stage = begin(imap, notify);
	if (notify->stage == NOTIFY_QUIET && imap->view && notify->has_fetched_uid &&
		last_uid(imap) > notify->fetched_uid)
		notify->stage = NOTIFY_FETCH; /* a command told EXISTS */
	while (run == RUN_DONE && notify->stage != NOTIFY_QUIET) {
		run = run_stage(imap, notify);
		/* Who looks takes events, too; of those nobody tells this connection. */
		if (run == RUN_DONE && notify->stage == NOTIFY_QUIET && is_active(imap))
			notify->stage = begin(imap, notify);
	}
	return run;
}
