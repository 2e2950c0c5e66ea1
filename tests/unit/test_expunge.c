/* What is removed when another program changes flags at the very moment. */
#include "tests/unit/interpose.h"

#include "maildir/store_state.h"
#include "tests/unit/maildir_fixture.h"

enum { MESSAGES = 3 };

static struct {
	const struct fixture *f;
	const char *from, *to;
} meddling;

/* Another program renames a file right behind the next message of ours that is unlinked. */
static void meddle(const struct done *done)
{
	if (done->kind != DONE_UNLINK || !strstr(done->name, ":2,"))
		return;
	interpose.armed = false;
	fixture_rename(meddling.f, meddling.from, meddling.to);
}

static void arm(const struct fixture *f, const char *from, const char *to)
{
	meddling.f = f;
	meddling.from = from;
	meddling.to = to;
	interpose.record = meddle;
	interpose.armed = true;
}

/* Messages 1 to 3, \Deleted all. */
static void begin(struct fixture *f)
{
	fixture_init(f);
	fixture_write(f, "cur/1.a:2,T", "one\n");
	fixture_write(f, "cur/2.a:2,T", "two\n");
	fixture_write(f, "cur/3.a:2,T", "three\n");
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(f), "1 2 3");
}

static int expunge_deleted(struct fixture *f, size_t budget)
{
	static const uint32_t uids[MESSAGES] = { 1, 2, 3 };
	size_t done = 0;
	int r;

	do {
		struct work work = fixture_work(f);

		work.budget = budget;
		r = mailbox_expunge_deleted(f->mailbox, uids, MESSAGES, &done, &work);
	} while (r == -EINPROGRESS);
	return r;
}

static void test_undeleted_by_another_program(void)
{
	struct fixture f;

	begin(&f);
	arm(&f, "cur/2.a:2,T", "cur/2.a:2,S");
	CU_ASSERT_EQUAL(expunge_deleted(&f, 1000), 0);
	CU_ASSERT(!interpose.armed);
	CU_ASSERT(fixture_exists(&f, "cur/2.a:2,S"));
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "2");
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_SEEN);
	CU_ASSERT(fixture_is(&f, 2, "two\n"));
	fixture_done(&f);
}

/* Other flags are no reason to keep it. */
static void test_changed_by_another_program(void)
{
	struct fixture f;

	begin(&f);
	arm(&f, "cur/3.a:2,T", "cur/3.a:2,ST");
	CU_ASSERT_EQUAL(expunge_deleted(&f, 1000), 0);
	CU_ASSERT(!interpose.armed);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 0);
	fixture_done(&f);
}

/* By another connection, between two steps. */
static void test_undeleted_between_steps(void)
{
	static const uint32_t uids[MESSAGES] = { 1, 2, 3 };
	struct fixture f;
	size_t done = 0;

	begin(&f);

	struct work work = fixture_work(&f);

	work.budget = 1;
	CU_ASSERT_EQUAL(mailbox_expunge_deleted(f.mailbox, uids, MESSAGES, &done, &work), -EINPROGRESS);
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_REMOVE, FLAG_DELETED, 0), 0);
	work = fixture_work(&f);
	CU_ASSERT_EQUAL(mailbox_expunge_deleted(f.mailbox, uids, MESSAGES, &done, &work), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3");
	fixture_done(&f);
}

/* Who removes whatever the flags are, as POP3 does, finds the file under its new name. */
static void test_whatever_the_flags(void)
{
	static const uint32_t uids[MESSAGES] = { 1, 2, 3 };
	struct fixture f;
	size_t done = 0;

	begin(&f);
	arm(&f, "cur/2.a:2,T", "cur/2.a:2,S");

	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(mailbox_expunge(f.mailbox, uids, MESSAGES, &done, &work), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 0);
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "undeleted by another program meanwhile", test_undeleted_by_another_program },
	{ "changed by another program meanwhile", test_changed_by_another_program },
	{ "undeleted by another connection meanwhile", test_undeleted_between_steps },
	{ "whatever the flags are", test_whatever_the_flags },
};

UNIT_MAIN("test_expunge", tests)
