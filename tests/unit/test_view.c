#include "maildir/view.h"
#include "tests/unit/maildir_fixture.h"

static void add(struct fixture *f, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++) {
		char name[64];

		snprintf(name, sizeof name, "new/%u.a", i);
		fixture_write(f, name, "x\n");
	}
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
}

static struct view *open_view(struct fixture *f, bool read_write)
{
	struct view *view = NULL;

	CU_ASSERT_EQUAL_FATAL(view_open(f->mailbox, read_write, &view), 0);
	return view;
}

/* What a sync says, as text: "-3 -1 E5 F2,4". Valid until the next call. */
static const char *changes_of(struct view *view, bool may_expunge)
{
	static char text[2000];
	struct view_changes c;
	size_t at = 0;

	view_sync(view, may_expunge, &c);
	text[0] = '\0';
	for (size_t i = 0; i < c.n_expunged; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "-%u(%u) ",
			c.expunged_seqnums[i], c.expunged_uids[i]);
	if (c.exists_changed)
		at += (size_t)snprintf(text + at, sizeof text - at, "E%u ", view_exists(view));
	for (size_t i = 0; i < c.n_flags; i++)
		at += (size_t)snprintf(text + at, sizeof text - at, "F%u ", c.flags_uids[i]);
	if (at > 0)
		text[at - 1] = '\0';
	return text;
}

static void test_numbers(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 5);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 2), 0);

	struct view *view = open_view(&f, true);

	CU_ASSERT_PTR_EQUAL(view_mailbox(view), f.mailbox);
	CU_ASSERT_EQUAL(view_exists(view), 4);
	CU_ASSERT_EQUAL(view_uid(view, 1), 1);
	CU_ASSERT_EQUAL(view_uid(view, 2), 3);
	CU_ASSERT_EQUAL(view_seqnum(view, 3), 2);
	CU_ASSERT_EQUAL(view_seqnum(view, 2), 0);
	CU_ASSERT_EQUAL(view_seqnum(view, 0), 0);
	CU_ASSERT_EQUAL(view_seqnum(view, 99), 0);
	CU_ASSERT_EQUAL(view_seqnum_at_most(view, 0), 0);
	CU_ASSERT_EQUAL(view_seqnum_at_most(view, 2), 1);
	CU_ASSERT_EQUAL(view_seqnum_at_most(view, UINT32_MAX), 4);
	CU_ASSERT_EQUAL(view_message(view, 2)->msg_uid, 3);
	CU_ASSERT_STRING_EQUAL(changes_of(view, true), "");
	view_close(view);
	fixture_done(&f);
}

static void test_changes(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 5);

	struct view *a = open_view(&f, true), *b = open_view(&f, false);

	add(&f, 6, 7);
	CU_ASSERT_EQUAL(view_exists(a), 5);
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 4, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_ADD, FLAG_FLAGGED, 0), 0);
	CU_ASSERT_EQUAL(
		fixture_store(&f, 7, FLAGS_ADD, FLAG_FLAGGED, 0), 0); /* new to both: no FETCH */
	CU_ASSERT_EQUAL(fixture_expunge(&f, 1), 0);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 3), 0);

	/* During FETCH, STORE, SEARCH numbers stand still; what is gone is told later. */
	CU_ASSERT_STRING_EQUAL(changes_of(a, false), "E7 F2 F4");
	CU_ASSERT_PTR_NULL(view_message(a, 1));
	CU_ASSERT_PTR_NULL(view_message(a, 3));
	CU_ASSERT_EQUAL(view_uid(a, 7), 7);
	CU_ASSERT_STRING_EQUAL(changes_of(a, false), "");
	add(&f, 8, 8);
	CU_ASSERT_STRING_EQUAL(changes_of(a, false), "E8");
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "-3(3) -1(1)");
	CU_ASSERT_EQUAL(view_exists(a), 6);
	CU_ASSERT_EQUAL(view_uid(a, 1), 2);
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "");
	CU_ASSERT_STRING_EQUAL(changes_of(b, true), "-3(3) -1(1) E6 F2 F4");
	CU_ASSERT_EQUAL(view_exists(b), 6);

	/* Added and gone again before it was told. */
	add(&f, 9, 10);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 9), 0);
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "E7");
	CU_ASSERT_EQUAL(fixture_expunge(&f, 10), 0);
	CU_ASSERT_STRING_EQUAL(changes_of(b, true), "");
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "-7(10)");
	view_close(a);
	view_close(b);
	fixture_done(&f);
}

static void test_told(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 5);

	struct view *a = open_view(&f, true), *b = open_view(&f, true);

	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 5, FLAGS_ADD, FLAG_SEEN, 0), 0);
	view_flags_told(a, 5);
	view_flags_told(a, 2);
	view_flags_told(a, 77);
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "F3");
	CU_ASSERT_STRING_EQUAL(changes_of(b, true), "F2 F3 F5");

	/* Told, and changed once more by another connection. */
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_REMOVE, FLAG_SEEN, 0), 0);
	view_flags_told(a, 3);
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_ADD, FLAG_FLAGGED, 0), 0);
	CU_ASSERT_STRING_EQUAL(changes_of(a, false), "F3");
	CU_ASSERT_EQUAL(fixture_store(&f, 4, FLAGS_ADD, FLAG_FLAGGED, 0), 0);
	view_flags_told(a, 4);
	view_flags_told(a, 4);
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "");
	CU_ASSERT_STRING_EQUAL(changes_of(b, true), "F3 F4");
	view_close(a);
	view_close(b);
	fixture_done(&f);
}

/* More changes than the log holds: the slow way must say the same. */
static void test_log_overflows(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 5);

	struct view *a = open_view(&f, true);

	CU_ASSERT_EQUAL(fixture_store(&f, 4, FLAGS_ADD, FLAG_SEEN, 0), 0);
	for (int i = 0; i < 1500; i++)
		CU_ASSERT_EQUAL_FATAL(
			fixture_store(&f, 2, i % 2 ? FLAGS_ADD : FLAGS_REMOVE, FLAG_DELETED, 0), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 5, FLAGS_ADD, FLAG_SEEN, 0), 0);
	view_flags_told(a, 5);
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "F2 F4");
	CU_ASSERT_STRING_EQUAL(changes_of(a, true), "");
	view_close(a);
	fixture_done(&f);
}

static void test_recent(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 3);

	struct view *examine = open_view(&f, false);

	CU_ASSERT_EQUAL(view_recent(examine), 3);

	struct view *first = open_view(&f, true), *second = open_view(&f, true);

	CU_ASSERT_EQUAL(view_recent(first), 3);
	CU_ASSERT_EQUAL(view_recent(second), 0);
	CU_ASSERT(view_is_recent(first, 2));
	CU_ASSERT_FALSE(view_is_recent(second, 2));
	add(&f, 4, 5);
	changes_of(second, true);
	CU_ASSERT_EQUAL(view_recent(second), 2);
	changes_of(first, true);
	CU_ASSERT_EQUAL(view_recent(first), 3);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 5), 0);
	changes_of(second, true);
	CU_ASSERT_EQUAL(view_recent(second), 1);
	CU_ASSERT(view_is_recent(second, 4));
	CU_ASSERT_FALSE(view_is_recent(second, 5));
	view_close(examine);
	view_close(first);
	view_close(second);

	/* Nothing is recent that was there before this process came. */
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	struct view *again = open_view(&f, true);

	CU_ASSERT_EQUAL(view_recent(again), 0);
	view_close(again);
	fixture_done(&f);
}

/* A view keeps its mailbox open. */
static void test_outlives_close(void)
{
	struct fixture f;

	fixture_init(&f);
	add(&f, 1, 2);

	struct view *view = open_view(&f, true);

	mailbox_close(f.mailbox);
	CU_ASSERT_EQUAL(view_exists(view), 2);
	CU_ASSERT_EQUAL(view_message(view, 2)->msg_uid, 2);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("INBOX"), &f.mailbox), 0);
	view_close(view);
	fixture_done(&f);
}

/* A client that obeys what it is told must end up with what the mailbox holds. */
static void test_random(void)
{
	enum { STEPS = 400 };
	struct fixture f;
	uint32_t client[STEPS * 4], client_n = 0, next_file = 1;
	unsigned seed = 42;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	struct view *view = open_view(&f, true);

	for (int step = 0; step < STEPS; step++) {
		const struct message *messages;
		size_t n = mailbox_messages(f.mailbox, &messages);
		struct view_changes c;

		switch (rand_r(&seed) % 4) {
		case 0:
			add(&f, next_file, next_file + 2);
			next_file += 3;
			break;
		case 1:
		case 2:
			if (n > 0)
				CU_ASSERT_EQUAL(
					fixture_expunge(
						&f, messages[(size_t)rand_r(&seed) % n].msg_uid),
					0);
			break;
		default:
			break;
		}
		view_sync(view, rand_r(&seed) % 2, &c);
		for (size_t i = 0; i < c.n_expunged; i++) {
			uint32_t at = c.expunged_seqnums[i] - 1;

			CU_ASSERT_FATAL(at < client_n);
			CU_ASSERT_EQUAL(client[at], c.expunged_uids[i]);
			memmove(client + at, client + at + 1, (client_n - at - 1) * sizeof *client);
			client_n--;
		}
		if (c.exists_changed)
			while (client_n < view_exists(view))
				client[client_n] = view_uid(view, client_n + 1), client_n++;
		CU_ASSERT_EQUAL_FATAL(client_n, view_exists(view));
		for (uint32_t i = 0; i < client_n; i++)
			CU_ASSERT_EQUAL(client[i], view_uid(view, i + 1));
	}
	view_close(view);
	fixture_done(&f);
}

static const struct unit_test TESTS[] = {
	{ "numbers", test_numbers },
	{ "changes are told in order", test_changes },
	{ "flags the client knows", test_told },
	{ "more changes than the log holds", test_log_overflows },
	{ "\\Recent", test_recent },
	{ "a view keeps its mailbox", test_outlives_close },
	{ "a client that keeps count", test_random },
};

UNIT_MAIN("test_view", TESTS)
