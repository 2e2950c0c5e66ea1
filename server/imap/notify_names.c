#include "maildir/events.h"
#include "maildir/name.h"
#include "server/imap/connection.h"
#include "server/imap/notify_state.h"
#include "server/imap/write_mailbox.h"

#include <string.h>

static char separator_of(const struct imap *imap)
{
	return store_hierarchy_separator(imap->settings.store);
}

int notify_names_read(struct imap *imap, struct notify_names *names)
{
	return listing_make(
		imap->settings.store, LISTING_SUBSCRIBED, &names->arena, &names->listing);
}

bool notify_names_are_due(const struct imap *imap, const struct notify *notify)
{
	const struct store *store = imap->settings.store;

	if (notify->other_events == 0)
		return false;
	return notify->next_event != store_events_end(store) ||
	       notify->tree_seen != store_tree_count(store) ||
	       (notify->polled && !store_tree_is_sure(store));
}

static struct listing_entry entry_of(
	const struct imap *imap, const struct listing *listing, struct slice name)
{
	const struct listing_entry *found = listing_find(listing, name, separator_of(imap));

	return found ? *found : (struct listing_entry){ .name = name };
}

static unsigned events_of(const struct imap *imap, const struct notify *notify, struct slice name)
{
	bool subscribed = entry_of(imap, &notify->next_names.listing, name).subscribed ||
			  entry_of(imap, &notify->names.listing, name).subscribed;

	return notify_events_of(imap, notify, name, subscribed);
}

static bool wants(
	const struct imap *imap, const struct notify *notify, struct slice name, unsigned event)
{
	return events_of(imap, notify, name) & event;
}

/* What a name is now. RFC 5465 section 5.4. */
static void tell_name(struct imap *imap, const struct notify *notify, struct slice name,
	const struct listing_told *told)
{
	struct listing_entry entry = entry_of(imap, &notify->next_names.listing, name);

	listing_write(imap, &entry, told);
}

/* A mailbox came or went: the one above it is affected, too. */
static void tell_affected(struct imap *imap, const struct notify *notify, struct slice name)
{
	ssize_t end = slice_find_last(name, separator_of(imap));
	const struct listing_told told = { .subscribed = false };

	if (wants(imap, notify, name, NOTIFY_MAILBOX_NAME))
		tell_name(imap, notify, name, &told);
	if (end > 0 && wants(imap, notify, slice_head(name, (size_t)end), NOTIFY_MAILBOX_NAME))
		tell_name(imap, notify, slice_head(name, (size_t)end), &told);
}

static void tell_renamed(
	struct imap *imap, const struct notify *notify, struct slice name, struct slice old_name)
{
	_cleanup_buf_ struct buf text = BUF(4 * LIMIT_PATH_BYTES);
	_cleanup_arena_ struct arena arena = { 0 };
	struct writer w = { .out = &text, .utf8 = imap->out.utf8 };

	if (!wants(imap, notify, name, NOTIFY_MAILBOX_NAME) &&
		!wants(imap, notify, old_name, NOTIFY_MAILBOX_NAME))
		return;
	write_text(&w, "\"OLDNAME\" (");
	write_mailbox(&w, old_name);
	write_text(&w, ")");
	tell_name(imap, notify, name,
		&(struct listing_told){ .extended = w.failed ? NULL : arena_str(&arena, buf_slice(&text)) });
}

static void tell_subscription(struct imap *imap, const struct notify *notify, struct slice name)
{
	if (wants(imap, notify, name, NOTIFY_SUBSCRIPTION_CHANGE))
		tell_name(imap, notify, name, &(struct listing_told){ .subscribed = true });
}

/* The names of entries only. RFC 5464 section 4.4.2. */
static void tell_metadata(
	struct imap *imap, const struct notify *notify, struct slice name, struct slice entries)
{
	struct slice entry;

	if (name.n > 0 ? !wants(imap, notify, name, NOTIFY_MAILBOX_METADATA_CHANGE)
		       : !(notify->other_events & NOTIFY_SERVER_METADATA_CHANGE))
		return;
	write_raw(&imap->out, SLICE("* METADATA "));
	write_mailbox(&imap->out, name);
	while (slice_split(&entries, '\n', &entry)) {
		if (entry.n == 0)
			continue;
		write_raw(&imap->out, SLICE(" "));
		write_astring(&imap->out, entry);
	}
	write_crlf(&imap->out);
}

static void tell_event(
	struct imap *imap, const struct notify *notify, const struct store_event *event)
{
	struct slice name = slice_str(event->name), other = slice_str(event->other);

	switch (event->kind) {
	case STORE_EVENT_CREATED:
	case STORE_EVENT_DELETED:
		tell_affected(imap, notify, name);
		break;
	case STORE_EVENT_RENAMED:
		tell_renamed(imap, notify, name, other);
		break;
	case STORE_EVENT_SUBSCRIBED:
	case STORE_EVENT_UNSUBSCRIBED:
		tell_subscription(imap, notify, name);
		break;
	case STORE_EVENT_METADATA:
		tell_metadata(imap, notify, name, other);
	}
}

/* RFC 5465 section 5: what this client did itself it knows. */
enum run notify_tell_events(struct imap *imap, struct notify *notify)
{
	const struct store *store = imap->settings.store;

	for (; notify->next_event < store_events_end(store); notify->next_event++) {
		const struct store_event *event = store_event(store, notify->next_event);

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (event && event->actor != imap)
			tell_event(imap, notify, event);
	}
	return RUN_DONE;
}

static bool is_name_or_below(const struct imap *imap, struct slice name, struct slice parent)
{
	return slice_equal(name, parent) || name_is_below(name, parent, separator_of(imap));
}

/* Whether what this process did says why a name came or went, or its subscription. */
static bool is_explained(
	const struct imap *imap, const struct notify *notify, struct slice name, bool subscription)
{
	for (uint64_t i = notify->first_event; i < notify->next_event; i++) {
		const struct store_event *event = store_event(imap->settings.store, i);
		struct slice event_name;

		if (!event)
			continue;
		event_name = slice_str(event->name);
		if (event->kind == STORE_EVENT_SUBSCRIBED ||
			event->kind == STORE_EVENT_UNSUBSCRIBED) {
			if (subscription && slice_equal(event_name, name))
				return true;
		} else if (event->kind == STORE_EVENT_RENAMED) {
			if (!subscription &&
				(is_name_or_below(imap, name, event_name) ||
					is_name_or_below(imap, name, slice_str(event->other))))
				return true;
		} else if (!subscription && slice_equal(event_name, name)) {
			return true;
		}
	}
	return false;
}

/* One name of both; NULL where it is not there. */
static void compare(struct imap *imap, const struct notify *notify,
	const struct listing_entry *before, const struct listing_entry *now)
{
	struct slice name = now ? now->name : before->name;

	if ((before && before->exists) != (now && now->exists) &&
		!is_explained(imap, notify, name, false))
		tell_affected(imap, notify, name);
	if ((before && before->subscribed) != (now && now->subscribed) &&
		!is_explained(imap, notify, name, true))
		tell_subscription(imap, notify, name);
}

enum run notify_tell_different(struct imap *imap, struct notify *notify)
{
	const struct listing *before = &notify->names.listing, *now = &notify->next_names.listing;

	while (notify->old_at < before->n || notify->new_at < now->n) {
		const struct listing_entry *b = &before->entries[notify->old_at];
		const struct listing_entry *a = &now->entries[notify->new_at];
		int order = notify->old_at == before->n ? 1
			    : notify->new_at == now->n
				    ? -1
				    : name_compare(b->name, a->name, separator_of(imap));

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		compare(imap, notify, order <= 0 ? b : NULL, order >= 0 ? a : NULL);
		notify->old_at += order <= 0;
		notify->new_at += order >= 0;
	}
	return RUN_DONE;
}
