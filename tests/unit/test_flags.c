/* What flags are changed by: renames in cur/, which nobody who reads it under the lock of the uidlist may meet half-way. */
#include "tests/unit/interpose.h"

#include "maildir/store_state.h"
#include "tests/unit/maildir_fixture.h"

#define LOCK_PATH "dovecot-uidlist.lock"

static struct {
	const struct fixture *f;
	unsigned in_cur, unlocked;
} renames;

static void see(const struct done *done)
{
	char text[32];

	if (done->kind != DONE_RENAME || !strstr(done->to_name, ":2,"))
		return;
	interpose.armed = false;
	snprintf(text, sizeof text, "%d:test.example.org", (int)getpid());
	renames.in_cur++;
	renames.unlocked += strcmp(fixture_read(renames.f, LOCK_PATH), text) != 0;
	interpose.armed = true;
}

static void watch_renames(const struct fixture *f)
{
	renames.f = f;
	renames.in_cur = renames.unlocked = 0;
	interpose.record = see;
	interpose.armed = true;
}

static void begin(struct fixture *f, unsigned n)
{
	char name[40];

	fixture_init(f);
	for (unsigned i = 1; i <= n; i++) {
		snprintf(name, sizeof name, "cur/%u.a:2,", i);
		fixture_write(f, name, "a\n");
	}
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
}

static void test_under_lock(void)
{
	enum { MESSAGES = 5 };
	static const uint32_t uids[MESSAGES] = { 1, 2, 3, 4, 5 };
	static const struct flags_change change = {
		.operation = FLAGS_ADD, .flags = FLAG_SEEN, .unchangedsince = UINT64_MAX
	};
	struct fixture f;
	size_t done = 0;
	unsigned steps = 0;
	int r;

	begin(&f, MESSAGES);
	watch_renames(&f);
	do {
		struct work work = fixture_work(&f);

		work.budget = 2;
		r = mailbox_store_flags(f.mailbox, uids, MESSAGES, &done, &change, NULL, &work);
		CU_ASSERT_FALSE(fixture_exists(&f, LOCK_PATH)); /* others wait for a step at most */
		steps++;
	} while (r == -EINPROGRESS);
	interpose.armed = false;
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(steps, 3);
	CU_ASSERT_EQUAL(renames.in_cur, MESSAGES);
	CU_ASSERT_EQUAL(renames.unlocked, 0);

	/* New mail, and flags of it while it lies in new/. */
	fixture_write(&f, "new/6.a", "a\n");
	watch_renames(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 6, FLAGS_REPLACE, FLAG_DELETED, 0), 0);
	interpose.armed = false;
	CU_ASSERT_EQUAL(renames.in_cur, 2);
	CU_ASSERT_EQUAL(renames.unlocked, 0);
	fixture_done(&f);
}

static void test_another_has_it(void)
{
	struct fixture f;

	begin(&f, 1);
	fixture_write(&f, LOCK_PATH, "1:elsewhere");
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), -EAGAIN);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REMOVE, FLAG_SEEN, 0), 0); /* nothing is renamed */
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, LOCK_PATH), "1:elsewhere");
	unlink(fixture_path(&f, LOCK_PATH));
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,S"));
	CU_ASSERT_FALSE(fixture_exists(&f, LOCK_PATH));
	fixture_done(&f);
}

static void test_no_lock_at_all(void)
{
	struct fixture f;

	begin(&f, 1);
	CU_ASSERT_EQUAL(rmdir(fixture_path(&f, "tmp")), 0);
	CU_ASSERT_EQUAL(symlink("tmp", fixture_path(&f, "tmp")), 0);
	watch_renames(&f);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	interpose.armed = false;
	CU_ASSERT_EQUAL(renames.unlocked, 1);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,S"));
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "files are renamed under the lock", test_under_lock },
	{ "another program has the lock", test_another_has_it },
	{ "no lock can be had", test_no_lock_at_all },
};

UNIT_MAIN("test_flags", tests)
