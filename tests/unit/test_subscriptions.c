/* The file of subscriptions: its three forms, changes, and what stands in the way. */
#include "base/limits.h"
#include "maildir/subscriptions.h"
#include "maildir/subscriptions_file.h"
#include "tests/unit/maildir_fixture.h"

static const struct {
	enum subscriptions_form form;
	const char *line, *name; /* name NULL: none */
} lines[] = {
	{ SUBSCRIPTIONS_2, "ok\tsub\tdeep", "ok/sub/deep" },
	{ SUBSCRIPTIONS_2, "&ZeVnLA-\t&Jjo-", "日本/☺" },
	{ SUBSCRIPTIONS_2, "a\\2eb", "a.b" },
	{ SUBSCRIPTIONS_2, "b\\5cy", "b\\y" },
	{ SUBSCRIPTIONS_2, "INBOX", "INBOX" },
	{ SUBSCRIPTIONS_2, "INBOX\tFoo", "INBOX/Foo" },
	{ SUBSCRIPTIONS_2, "", NULL },
	{ SUBSCRIPTIONS_2, "a.b", NULL },
	{ SUBSCRIPTIONS_2, "a/b", NULL },
	{ SUBSCRIPTIONS_2, "a\t\tb", NULL },
	{ SUBSCRIPTIONS_2, "\ta", NULL },
	{ SUBSCRIPTIONS_2, "a\001tb", NULL },
	{ SUBSCRIPTIONS_1, "ok.sub", "ok/sub" },
	{ SUBSCRIPTIONS_1, "ok/sub", "ok/sub" },
	{ SUBSCRIPTIONS_1, "inbox", "INBOX" },
	{ SUBSCRIPTIONS_1, "a\r", NULL },
	{ SUBSCRIPTIONS_COURIER, "INBOX", "INBOX" },
	{ SUBSCRIPTIONS_COURIER, "INBOX.Sent", "Sent" },
	{ SUBSCRIPTIONS_COURIER, "INBOX.a.&ZeVnLA-", "a/日本" },
	{ SUBSCRIPTIONS_COURIER, "shared.x", NULL },
	{ SUBSCRIPTIONS_COURIER, "INBOX.", NULL },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		_cleanup_buf_ struct buf name = BUF(1000), again = BUF(1000);
		int r = subscriptions_parse_line(
			lines[i].form, slice_str(lines[i].line), '/', &name);

		if (!lines[i].name) {
			CHECK(r == -EINVAL && name.n == 0, "row %zu: %d", i, r);
			continue;
		}
		CHECK(r == 0 && slice_equal(buf_slice(&name), slice_str(lines[i].name)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&name)));
		if (lines[i].form != SUBSCRIPTIONS_2)
			continue;
		CHECK(subscriptions_format_line(SUBSCRIPTIONS_2, buf_slice(&name), '/', &again) ==
				0,
			"row %zu", i);
		CHECK(slice_equal(
			      slice_head(buf_slice(&again), again.n - 1), slice_str(lines[i].line)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&again)));
	}
}

/* "a b c" */
static const char *subscribed(struct fixture *f)
{
	static char text[2000];
	_cleanup_arena_ struct arena arena = { 0 };
	struct slice *names;
	size_t n, at = 0;
	int r = subscriptions_read(f->store, &arena, &names, &n);

	text[0] = '\0';
	if (r < 0)
		snprintf(text, sizeof text, "error %d", r);
	for (size_t i = 0; r == 0 && i < n; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, "%s%.*s", i ? " " : "", SLICE_FMT(names[i]));
	return text;
}

static int change(struct fixture *f, const char *name, bool on)
{
	struct work work = fixture_work(f);

	return subscriptions_change(f->store, slice_str(name), on, &work);
}

static void test_version_2(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "");
	CU_ASSERT_EQUAL(change(&f, "b/c", false), 0);
	CHECK(!fixture_exists(&f, "subscriptions"), "nothing changed");
	CU_ASSERT_EQUAL(change(&f, "b/c", true), 0);
	CU_ASSERT_EQUAL(change(&f, "a.b", true), 0);
	CU_ASSERT_EQUAL(change(&f, "inbox", true), 0);
	CU_ASSERT_EQUAL(change(&f, "INBOX", true), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "subscriptions"), "V\t2\n\nb\tc\na\\2eb\nINBOX\n");
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "INBOX a.b b/c");
	CU_ASSERT_EQUAL(change(&f, "b/c", false), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "subscriptions"), "V\t2\n\na\\2eb\nINBOX\n");
	CU_ASSERT_EQUAL(change(&f, "a//b", true), -EINVAL);
	CHECK(!fixture_exists(&f, "subscriptions.lock") && !fixture_exists(&f, "subscriptions.tmp"),
		"tidy");
	fixture_done(&f);
}

static void test_kept(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "subscriptions", "one.two\nstrange//thing\n\nx");
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "one/two x");
	CU_ASSERT_EQUAL(change(&f, "new/one", true), 0);
	CU_ASSERT_STRING_EQUAL(
		fixture_read(&f, "subscriptions"), "one.two\nstrange//thing\n\nx\nnew.one\n");
	fixture_write(&f, "subscriptions", "V\t2\n\n\x01odd\na\na\nb\n");
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "a b");
	CU_ASSERT_EQUAL(change(&f, "a", false), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "subscriptions"), "V\t2\n\n\x01odd\nb\n");
	fixture_done(&f);
}

static void test_courier(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "courierimapsubscribed", "INBOX\nINBOX.Sent\nINBOX.a.b\n#shared.x\n");
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "INBOX Sent a/b");
	CU_ASSERT_EQUAL(change(&f, "Sent", false), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "subscriptions"), "V\t2\n\nINBOX\na\tb\n");
	fixture_write(&f, "courierimapsubscribed", "INBOX.other\n");
	CU_ASSERT_STRING_EQUAL(subscribed(&f), "INBOX a/b");
	fixture_done(&f);
}

static void test_obstacles(void)
{
	struct fixture f;
	struct work work;

	fixture_init(&f);
	fixture_write(&f, "subscriptions.lock", "1:another.example.org");
	work = fixture_work(&f);
	CU_ASSERT_EQUAL(subscriptions_change(f.store, SLICE("a"), true, &work), -EAGAIN);
	CHECK(work.retry_usec > 0, "retry");
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "subscriptions.lock")), 0);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "subscriptions")), 0);
	CU_ASSERT_EQUAL(change(&f, "a", true), -ELOOP);
	CHECK(strstr(f.last_log, "subscriptions") != NULL, "%s", f.last_log);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "subscriptions")), 0);
	fixture_write(&f, "subscriptions", "");
	CU_ASSERT_EQUAL(
		truncate(fixture_path(&f, "subscriptions"), LIMIT_SUBSCRIPTIONS_BYTES + 1), 0);
	CU_ASSERT_EQUAL(change(&f, "a", true), -EFBIG);
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "lines", test_lines },
	{ "version 2", test_version_2 },
	{ "what is not understood is kept", test_kept },
	{ "Courier's", test_courier },
	{ "obstacles", test_obstacles },
};
UNIT_MAIN("subscriptions", tests)
