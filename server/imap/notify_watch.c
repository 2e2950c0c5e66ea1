#include "base/must.h"
#include "maildir/name.h"
#include "server/imap/connection.h"
#include "server/imap/notify_state.h"

#include <errno.h>
#include <stdlib.h>

#define MODSEQ_UNSEEN UINT64_MAX /* must be looked at */

unsigned notify_events_of(
	const struct imap *imap, const struct notify *notify, struct slice name, bool subscribed)
{
	char separator = store_hierarchy_separator(imap->settings.store);
	unsigned events = 0;

	for (const struct notify_group *g = notify->groups; g; g = g->next)
		if (mailbox_filter_takes(&g->filter, name, subscribed, separator))
			events |= g->events;
	return events;
}

static bool is_selected_now(const struct imap *imap, struct slice name)
{
	return imap->mailbox && slice_equal(mailbox_name(imap->mailbox), name);
}

void notify_forget_mailboxes(struct imap *imap, struct notify *notify)
{
	for (size_t i = 0; i < notify->n; i++)
		store_unwatch(imap->settings.store, notify->mailboxes[i].watched);
	free(notify->mailboxes);
	notify->mailboxes = NULL;
	notify->n = 0;
}

/* A mailbox that was watched before is known as it was. A new one is empty, as far as the client knows. */
static struct notify_mailbox watch_mailbox(
	struct imap *imap, struct notify *old, size_t *old_at, struct slice name)
{
	struct store *store = imap->settings.store;
	char separator = store_hierarchy_separator(store);
	struct notify_mailbox made = { .uidnext = 1 };
	struct watched *watched = store_watch_name(store, name);

	while (*old_at < old->n &&
		name_compare(old->mailboxes[*old_at].name, name, separator) < 0)
		++*old_at;
	if (*old_at < old->n && slice_equal(old->mailboxes[*old_at].name, name)) {
		made = old->mailboxes[*old_at];
		if (made.count != watched_count(made.watched) ||
			!watched_is_same(made.watched, watched))
			made.modseq_seen = MODSEQ_UNSEEN;
	}
	made.watched = watched;
	made.count = 0;
	return made;
}

static size_t count_chosen(const struct imap *imap, const struct notify *notify,
	const struct listing *listing, struct notify_mailbox *ret_mailboxes)
{
	size_t n = 0;

	for (size_t i = 0; i < listing->n && n <= LIMIT_NOTIFY_MAILBOXES; i++) {
		const struct listing_entry *entry = &listing->entries[i];
		unsigned events =
			!entry->exists ? 0
				       : NOTIFY_MESSAGE_EVENTS & notify_events_of(imap, notify,
									 entry->name, entry->subscribed);

		if (events == 0)
			continue;
		if (ret_mailboxes)
			ret_mailboxes[n] =
				(struct notify_mailbox){ .name = entry->name, .events = events };
		n++;
	}
	return n;
}

int notify_choose(struct imap *imap, struct notify *notify)
{
	const struct listing *listing = &notify->next_names.listing;
	size_t n = count_chosen(imap, notify, listing, NULL), old_at = 0;
	struct notify_mailbox *chosen;

	if (n > LIMIT_NOTIFY_MAILBOXES)
		return -E2BIG;
	chosen = calloc(n + 1, sizeof *chosen);
	must(chosen != NULL);
	(void)count_chosen(imap, notify, listing, chosen);
	for (size_t i = 0; i < n; i++) {
		struct slice name = chosen[i].name;
		unsigned events = chosen[i].events;

		chosen[i] = watch_mailbox(imap, notify, &old_at, name);
		chosen[i].name = name;
		chosen[i].events = events;
	}
	notify_forget_mailboxes(imap, notify);
	notify->mailboxes = chosen;
	notify->n = n;
	arena_done(&notify->names.arena);
	notify->names = notify->next_names;
	notify->next_names = (struct notify_names){ 0 };
	return 0;
}

static bool needs_look(
	const struct imap *imap, const struct notify *notify, const struct notify_mailbox *m)
{
	struct store *store = imap->settings.store;
	const struct mailbox *opened = mailbox_opened(store, m->name);
	bool sure = watched_is_sure(store, m->watched);

	return !m->known || m->count != watched_count(m->watched) || (!sure && notify->polled) ||
	       (opened && mailbox_highestmodseq(opened) != m->modseq_seen) ||
	       m->modseq_seen == MODSEQ_UNSEEN;
}

/* RFC 5465 sections 5.1 to 5.3: which items tell what is new. */
static unsigned news(
	const struct imap *imap, const struct notify_mailbox *m, const struct notify_mailbox *now)
{
	bool condstore = imap->enabled & ENABLED_CONDSTORE;
	unsigned items = 0;

	if (m->messages != now->messages || m->uidnext != now->uidnext)
		items |= STATUS_MESSAGES | STATUS_UIDNEXT | (condstore ? STATUS_HIGHESTMODSEQ : 0);
	if (m->uidvalidity != 0 && m->uidvalidity != now->uidvalidity)
		items |= STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY |
			 (condstore ? STATUS_HIGHESTMODSEQ : 0);
	if (!(m->events & NOTIFY_FLAG_CHANGE))
		return items;
	if (condstore && m->highestmodseq != now->highestmodseq)
		items |= STATUS_UIDVALIDITY | STATUS_HIGHESTMODSEQ;
	if (m->unseen_known && m->unseen != now->unseen)
		items |= STATUS_UIDVALIDITY | STATUS_UNSEEN;
	return items;
}

/* What SET STATUS tells. RFC 5465 section 3.1. */
static unsigned first_items(const struct notify_mailbox *m)
{
	return STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY |
	       (m->events & NOTIFY_FLAG_CHANGE ? STATUS_HIGHESTMODSEQ : 0);
}

static void take_facts(struct notify_mailbox *m, const struct glance *facts)
{
	m->messages = facts->messages;
	m->uidnext = facts->uidnext;
	m->uidvalidity = facts->uidvalidity;
	m->unseen = facts->unseen;
	m->highestmodseq = m->modseq_seen = facts->highestmodseq;
	m->known = m->unseen_known = true;
}

static void looked(struct imap *imap, struct notify *notify, struct notify_mailbox *m, bool first)
{
	struct notify_mailbox now = *m;
	unsigned items = 0;

	take_facts(&now, &notify->look.facts);
	if (is_selected_now(imap, m->name))
		items = 0; /* told as the selected mailbox, or not at all */
	else if (first)
		items = notify->tells_status ? first_items(m) : 0;
	else
		items = news(imap, m, &now);
	if (items)
		status_look_write(imap, &notify->look, items);
	*m = now;
}

/* Returns RUN_DONE: looked at, or it is gone or cannot be read, which the store has logged. */
static enum run look(struct imap *imap, struct notify *notify, struct notify_mailbox *m, bool first)
{
	enum run run = RUN_DONE;
	int r = 0;

	if (!notify->looking) {
		m->count = watched_count(m->watched); /* before the look */
		notify->look.items = STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY |
				     STATUS_UNSEEN | STATUS_HIGHESTMODSEQ;
		r = status_look_begin(imap, &notify->look, m->name);
	}
	notify->looking = r == 0;
	if (r == 0)
		run = status_look_run(imap, &notify->look, &r);
	if (run != RUN_DONE)
		return run;
	if (r == 0)
		looked(imap, notify, m, first);
	else
		m->modseq_seen = 0;
	m->known = true;
	status_look_end(&notify->look);
	notify->looking = false;
	return RUN_DONE;
}

enum run notify_look_all(struct imap *imap, struct notify *notify, bool first)
{
	for (; notify->look_at < notify->n; notify->look_at++) {
		struct notify_mailbox *m = &notify->mailboxes[notify->look_at];
		enum run run;

		if (!notify->looking && !needs_look(imap, notify, m))
			continue;
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (!notify->looking && !imap_spend(imap))
			return RUN_STEP;
		run = look(imap, notify, m, first);
		if (run != RUN_DONE)
			return run;
	}
	return RUN_DONE;
}
