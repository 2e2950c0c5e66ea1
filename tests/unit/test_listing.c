/* Names of LIST from mailboxes and subscriptions: levels between, and names that are only subscribed. */
#include "server/imap/listing.h"
#include "tests/unit/unit.h"

static const struct tree_entry tree[] = {
	{ .name = { "INBOX", 5 }, .exists = true },
	{ .name = { "a", 1 }, .exists = true, .has_children = true },
	{ .name = { "a/b", 3 }, .exists = true },
};
static const struct slice subscribed[] = { { "a/b", 3 }, { "a/c/d", 5 }, { "z", 1 } };

static const struct {
	const char *name;
	bool exists, has_children, subscribed;
} wants[] = {
	{ "INBOX", true, false, false },
	{ "a", true, true, false },
	{ "a/b", true, false, true },
	{ "a/c", false, false, false },
	{ "a/c/d", false, false, true },
	{ "z", false, false, true },
};

static void test_merge(void)
{
	struct listing_parts parts = { tree, 3, NULL, subscribed, 3, '/' };
	struct arena arena = { 0 };
	struct listing listing = listing_merge(&parts, &arena);

	CHECK(listing.n == 6, "%zu names", listing.n);
	for (size_t i = 0; i < 6 && i < listing.n; i++) {
		const struct listing_entry *e = &listing.entries[i];

		CHECK(slice_equal(e->name, slice_str(wants[i].name)), "name %zu", i);
		CHECK(e->exists == wants[i].exists, "%s: exists", wants[i].name);
		CHECK(e->has_children == wants[i].has_children, "%s: children", wants[i].name);
		CHECK(e->subscribed == wants[i].subscribed, "%s: subscribed", wants[i].name);
		CHECK(listing_find(&listing, e->name, '/') == e, "%s: not found", wants[i].name);
	}
	CHECK(!listing_find(&listing, SLICE("a/x"), '/'), "found what is not there");
	arena_done(&arena);
}

static const struct unit_test tests[] = { { "merge", test_merge } };
UNIT_MAIN("listing", tests)
