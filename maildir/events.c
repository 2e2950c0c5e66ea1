#include "maildir/events.h"

#include "base/must.h"
#include "maildir/store_state.h"

#include <stdlib.h>
#include <string.h>

struct store_events {
	const void *actor;
	uint64_t end;
	struct store_event ring[STORE_EVENTS_KEPT];
};

static struct store_events *events_of(struct store *store)
{
	if (!store->events) {
		store->events = calloc(1, sizeof *store->events);
		must(store->events != NULL);
	}
	return store->events;
}

void store_act_as(struct store *store, const void *actor)
{
	events_of(store)->actor = actor;
}

uint64_t store_events_end(const struct store *store)
{
	return store->events ? store->events->end : 0;
}

const struct store_event *store_event(const struct store *store, uint64_t number)
{
	const struct store_events *events = store->events;

	if (!events || number >= events->end || events->end - number > STORE_EVENTS_KEPT)
		return NULL;
	return &events->ring[number % STORE_EVENTS_KEPT];
}

static void forget(struct store_event *event)
{
	free((char *)event->name);
	free((char *)event->other);
}

static char *copy(struct slice text)
{
	char *made = strndup(text.p ? text.p : "", text.n);

	must(made != NULL);
	return made;
}

void store_event_add(
	struct store *store, enum store_event_kind kind, struct slice name, struct slice other)
{
	struct store_events *events = events_of(store);
	struct store_event *event = &events->ring[events->end++ % STORE_EVENTS_KEPT];

	forget(event);
	*event = (struct store_event){
		.kind = kind, .actor = events->actor, .name = copy(name), .other = copy(other)
	};
	store->changes++;
}

void store_events_done(struct store *store)
{
	for (size_t i = 0; store->events && i < STORE_EVENTS_KEPT; i++)
		forget(&store->events->ring[i]);
	free(store->events);
	store->events = NULL;
}
