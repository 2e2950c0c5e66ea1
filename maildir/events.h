/*
 * events.h - what this process did to names, subscriptions and annotations lately, and who: for connections that want to
 * hear of what others do (RFC 5465). What other programs do is found by looking.
 */
#pragma once

#include "maildir/store.h"

enum store_event_kind {
	STORE_EVENT_CREATED,
	STORE_EVENT_DELETED,
	STORE_EVENT_RENAMED,
	STORE_EVENT_SUBSCRIBED,
	STORE_EVENT_UNSUBSCRIBED,
	STORE_EVENT_METADATA, /* of a mailbox; with an empty name, of the server */
};

struct store_event {
	enum store_event_kind kind;
	const void *actor; /* as store_act_as() was told */
	const char *name;  /* UTF-8 */
	const char *other; /* RENAMED: the name before; METADATA: the names of entries, each with LF; else "" */
};

enum { STORE_EVENTS_KEPT = 256 };

/* From now on it is actor who does what is done. For comparing only. */
void store_act_as(struct store *store, const void *actor);

/* The number of the event that will be next; the first one is 0. */
uint64_t store_events_end(const struct store *store);

/* An event of a number below that. NULL: forgotten, STORE_EVENTS_KEPT others came since. Valid until the next one. */
const struct store_event *store_event(const struct store *store, uint64_t number);

/* Note an event; texts are copied. */
void store_event_add(
	struct store *store, enum store_event_kind kind, struct slice name, struct slice other);

/* Free all, when the store is closed. */
void store_events_done(struct store *store);
