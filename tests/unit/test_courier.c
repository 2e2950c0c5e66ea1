#include "maildir/courier_keywords.h"
#include "maildir/mailbox_state.h"
#include "tests/unit/maildir_fixture.h"

#include <sys/resource.h>

static void test_list(void)
{
	static const char text[] = "$Label1\nWork\nbad name\n\n1.a:0 2\n2.b,S=5:1\njunk\n:1\n3.c:\n"
				   "4.d:7 x 1 -1\n5.e:0";
	_cleanup_arena_ struct arena arena = { 0 };
	struct courier_list list = courier_list_parse(slice_from(text, sizeof text - 1), &arena);
	static const struct {
		const char *base;
		size_t numbers[3], n;
	} want[] = {
		{ "1.a", { 0, 2 }, 2 },
		{ "2.b,S=5", { 1 }, 1 },
		{ "3.c", { 0 }, 0 },
		{ "4.d", { 1 }, 1 },
	};
	struct courier_message message;
	size_t number;

	CU_ASSERT_EQUAL(list.n, 3);
	CU_ASSERT(slice_equal(list.names[1], SLICE("Work")));
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		CU_ASSERT_FATAL(courier_list_next(&list.lines, &message));
		CHECK(slice_equal(message.base, slice_str(want[i].base)), "row %zu", i);
		for (size_t k = 0; k < want[i].n; k++)
			CHECK(courier_number_next(&message.numbers, list.n, &number) &&
					number == want[i].numbers[k],
				"row %zu", i);
		CHECK(!courier_number_next(&message.numbers, list.n, &number), "row %zu", i);
	}
	CU_ASSERT_FALSE(courier_list_next(&list.lines, &message));
}

static void test_change_names(void)
{
	static const struct {
		const char *name, *base;
		uint64_t turn;
	} rows[] = {
		{ "1.a", "1.a", UINT64_MAX },
		{ ".0.1.a", "1.a", 0 },
		{ ".123.1.a,S=5", "1.a,S=5", 123 },
		{ ":list", NULL, 0 },
		{ ".", NULL, 0 },
		{ "..", NULL, 0 },
		{ ".x.1.a", NULL, 0 },
		{ ".5.", NULL, 0 },
		{ ".5", NULL, 0 },
		{ ".18446744073709551615.x", NULL, 0 },
		{ "", NULL, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice base;
		uint64_t turn;
		bool is = courier_change_parse(slice_str(rows[i].name), &turn, &base);

		CHECK(is == (rows[i].base != NULL), "row %zu", i);
		CHECK(!is || (slice_equal(base, slice_str(rows[i].base)) && turn == rows[i].turn),
			"row %zu", i);
	}
}

/* A Maildir as Courier leaves it: 1 has Work, 2 $Forwarded and Home, 3 what a change said last, 4 none. */
static void make_courier(struct fixture *f)
{
	fixture_close(f);
	CU_ASSERT_EQUAL(mkdir(fixture_path(f, "courierimapkeywords"), 0700), 0);
	fixture_write(f, "cur/1.a:2,S", "one");
	fixture_write(f, "cur/2.b:2,", "two");
	fixture_write(f, "cur/3.c:2,", "three");
	fixture_write(f, "cur/4.d:2,F", "four");
	fixture_write(f, "courierimapuiddb", "1 1700000000 5\n1 1.a\n2 2.b\n3 3.c\n4 4.d\n");
	fixture_write(f, "courierimapkeywords/:list",
		"Work\n$Forwarded\nHome\nno name\n\n1.a:0\n2.b:1 2\n3.c:0 2\n4.d:0 3\n9.gone:0\n");
	fixture_write(f, "courierimapkeywords/.7.3.c", "Work\nOld\n");
	fixture_write(f, "courierimapkeywords/.12.3.c", "New\n");
	fixture_write(f, "courierimapkeywords/.9.3.c", "Older\n");
	fixture_write(f, "courierimapkeywords/4.d", "");
	CU_ASSERT_EQUAL_FATAL(fixture_open(f), 0);
}

/* The keywords of a message, as text. */
static const char *keywords(const struct fixture *f, uint32_t msg_uid)
{
	static char text[500];
	const struct message *message = mailbox_message(f->mailbox, msg_uid);

	text[0] = '\0';
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	if (message->flags & FLAG_FORWARDED)
		strcat(text, "$Forwarded ");
	for (unsigned n = 0; n < mailbox_keywords(f->mailbox); n++)
		if (message->keywords >> n & 1)
			snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s ",
				SLICE_FMT(mailbox_keyword(f->mailbox, n)));
	return text;
}

static void check_adopted(struct fixture *f)
{
	CU_ASSERT_STRING_EQUAL(fixture_uids(f), "1 2 3 4");
	CU_ASSERT_STRING_EQUAL(keywords(f, 1), "Work ");
	CU_ASSERT_STRING_EQUAL(keywords(f, 2), "$Forwarded Home ");
	CU_ASSERT_STRING_EQUAL(keywords(f, 3), "New ");
	CU_ASSERT_STRING_EQUAL(keywords(f, 4), "");
	CU_ASSERT_EQUAL(fixture_flags(f, 1), FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_flags(f, 4), FLAG_FLAGGED);
	CU_ASSERT_FALSE(fixture_exists(f, "restante-courier-keywords"));
	CU_ASSERT(fixture_exists(f, "courierimapkeywords/:list"));
}

static void test_adopt(void)
{
	struct fixture f;

	fixture_init(&f);
	make_courier(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	check_adopted(&f);
	CU_ASSERT_EQUAL(mailbox_uidvalidity(f.mailbox), 1700000000);

	/* Never twice: what was changed since stays so. */
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REPLACE, FLAG_SEEN, 0), 0);
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(keywords(&f, 1), "");
	CU_ASSERT_STRING_EQUAL(keywords(&f, 3), "New ");
	fixture_done(&f);
}

/* One step, then all is dropped, as by a kill; again and again with more steps, until it comes to its end. */
static void test_interrupted(void)
{
	struct fixture f;
	unsigned interruptions = 0;
	int r = -EINPROGRESS;

	fixture_init(&f);
	make_courier(&f);
	for (unsigned steps = 1; r == -EINPROGRESS && steps < 200; steps++) {
		for (unsigned i = 0; i < steps && r == -EINPROGRESS; i++) {
			struct work work = { .now_usec = clock_realtime_usec(), .budget = 1 };

			r = mailbox_sync(f.mailbox, &work);
		}
		if (r == -EINPROGRESS) {
			CU_ASSERT(fixture_exists(&f, "restante-courier-keywords"));
			interruptions++;
			fixture_reopen(&f);
		}
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT(interruptions > 5);
	check_adopted(&f);
	fixture_done(&f);
}

/* A mailbox that another server adopted before has a uidlist: what Courier left behind is out of date. */
static void test_adopted_elsewhere(void)
{
	struct fixture f;

	fixture_init(&f);
	make_courier(&f);
	fixture_write(&f, "dovecot-uidlist", "3 V1700000001 N5\n1 :1.a\n2 :2.b\n3 :3.c\n4 :4.d\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(keywords(&f, 1), "");
	CU_ASSERT_STRING_EQUAL(keywords(&f, 3), "");
	CU_ASSERT_FALSE(fixture_exists(&f, "restante-courier-keywords"));
	fixture_done(&f);
}

/* More names than letters, and more than there can be. */
static void test_many(void)
{
	_cleanup_buf_ struct buf list = BUF(100000);
	struct fixture f;

	fixture_init(&f);
	make_courier(&f);
	for (int i = 0; i < 80; i++)
		CU_ASSERT_EQUAL(buf_addf(&list, "Name%d\n", i), 0);
	CU_ASSERT_EQUAL(buf_addf(&list, "\n1.a:3 40 79\n2.b:"), 0);
	for (int i = 0; i < 80; i++)
		CU_ASSERT_EQUAL(buf_addf(&list, " %d", i), 0);
	CU_ASSERT_EQUAL(buf_add(&list, SLICE("\n\0")), 0);
	fixture_write(&f, "courierimapkeywords/:list", list.p);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(keywords(&f, 1), "Name3 Name40 Name79 ");
	CU_ASSERT_EQUAL(mailbox_keywords(f.mailbox), LIMIT_KEYWORDS);
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(keywords(&f, 1), "Name3 Name40 Name79 ");
	fixture_done(&f);
}

/* The mailbox has as many keywords as it can have, Work among them: that one is adopted all the same. */
static void test_no_number_left(void)
{
	_cleanup_buf_ struct buf names = BUF(10000), beyond = BUF(10000);
	struct fixture f;

	fixture_init(&f);
	make_courier(&f);
	for (unsigned n = 0; n < 26; n++)
		CU_ASSERT_EQUAL(buf_addf(&names, "%u %s%.*u\n", n, n == 25 ? "Work" : "Name", n == 25 ? 0 : 1, n == 25 ? 0 : n), 0);
	CU_ASSERT_EQUAL(buf_add(&beyond, SLICE("1 restante-keywords\n")), 0);
	for (unsigned n = 26; n < LIMIT_KEYWORDS; n++)
		CU_ASSERT_EQUAL(buf_addf(&beyond, "K %u Name%u\n", n, n), 0);
	CU_ASSERT(buf_add_char(&names, '\0') == 0 && buf_add_char(&beyond, '\0') == 0);
	fixture_write(&f, "dovecot-keywords", names.p);
	fixture_write(&f, "restante-keywords", beyond.p);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(keywords(&f, 1), "Work ");
	CU_ASSERT_STRING_EQUAL(keywords(&f, 2), "$Forwarded ");
	CU_ASSERT_STRING_EQUAL(keywords(&f, 3), "");
	CU_ASSERT_FALSE(fixture_exists(&f, "restante-courier-keywords"));
	fixture_done(&f);
}

/* One step with no descriptor left, behind so many others. Returns whether there was one to do. */
static bool starve(struct fixture *f, unsigned steps)
{
	struct rlimit before, low;
	struct work work;
	int r = -EINPROGRESS;

	for (unsigned i = 0; i < steps && r == -EINPROGRESS; i++) {
		work = fixture_work(f);
		r = mailbox_sync(f->mailbox, &work);
	}
	if (r != -EINPROGRESS)
		return false;
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ 0, before.rlim_max };
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	work = fixture_work(f);
	r = mailbox_sync(f->mailbox, &work);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	CHECK(r == 0 || r == -EINPROGRESS || r == -EMFILE, "step %u: %d", steps, r);
	return true;
}

/* What is no file of Courier's is passed over; what cannot be read now keeps the messages from being shown without keywords. */
static void test_unreadable(void)
{
	struct fixture f;
	bool again = true;

	for (unsigned steps = 0; again && steps < 200; steps++) {
		fixture_init(&f);
		make_courier(&f);
		CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "courierimapkeywords/.20.3.c"), 0600), 0);
		CU_ASSERT_EQUAL(symlink("4.d", fixture_path(&f, "courierimapkeywords/.20.4.d")), 0);
		f.budget = 1;
		again = starve(&f, steps);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		check_adopted(&f);
		fixture_done(&f);
	}
	CU_ASSERT_FALSE(again);
}

static const struct unit_test tests[] = {
	{ ":list", test_list },
	{ "names of changes", test_change_names },
	{ "keywords are adopted, once", test_adopt },
	{ "an adoption that is interrupted", test_interrupted },
	{ "adopted by another server", test_adopted_elsewhere },
	{ "many keywords", test_many },
	{ "no number left for a keyword", test_no_number_left },
	{ "no descriptor left, and odd files", test_unreadable },
};

UNIT_MAIN("courier", tests)
