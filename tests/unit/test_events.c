/* What this process did to names lately: numbers, actors, and what is forgotten. */
#include "maildir/events.h"
#include "maildir/store_state.h"
#include "tests/unit/unit.h"

static void test_texts_are_copied(void)
{
	struct store store = { 0 };
	char name[] = "a", other[] = "b";
	int actor;

	CHECK(store_events_end(&store) == 0 && !store_event(&store, 0), "not empty");
	store_act_as(&store, &actor);
	store_event_add(&store, STORE_EVENT_RENAMED, slice_str(name), slice_str(other));
	name[0] = other[0] = 'x';

	const struct store_event *event = store_event(&store, 0);

	CU_ASSERT_FATAL(event != NULL);
	CHECK(event->kind == STORE_EVENT_RENAMED && event->actor == &actor, "kind, actor");
	CU_ASSERT_STRING_EQUAL(event->name, "a");
	CU_ASSERT_STRING_EQUAL(event->other, "b");
	CHECK(store_events_end(&store) == 1, "end");
	store_events_done(&store);
}

static void test_old_ones_are_forgotten(void)
{
	struct store store = { 0 };

	for (int i = 0; i < STORE_EVENTS_KEPT + 2; i++)
		store_event_add(&store, STORE_EVENT_CREATED, SLICE("a"), SLICE(""));
	CHECK(!store_event(&store, 0) && !store_event(&store, 1), "kept too long");
	CHECK(store_event(&store, 2) != NULL, "forgotten too early");
	CHECK(store_event(&store, STORE_EVENTS_KEPT + 1) != NULL, "the last one");
	store_events_done(&store);
}

static const struct unit_test tests[] = {
	{ "texts are copied", test_texts_are_copied },
	{ "old ones are forgotten", test_old_ones_are_forgotten },
};
UNIT_MAIN("events", tests)
