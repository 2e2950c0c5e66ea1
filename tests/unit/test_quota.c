#include "maildir/append.h"
#include "maildir/copy.h"
#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "tests/unit/maildir_fixture.h"

#include <signal.h>
#include <sys/resource.h>

static const char *const TRASH[] = { "Trash" };

static void test_parse(void)
{
	static const struct {
		const char *text;
		bool reliable;
		uint64_t bytes, messages;
		int64_t used_bytes, used_messages;
		size_t sums;
	} rows[] = {
		{ "1000S,10C\n500 5\n", true, 1000, 10, 500, 5, 1 },
		{ "10C,1000S\n   500    5\n-100 -1\n", true, 1000, 10, 400, 4, 2 },
		{ "0S\n0 0\n", true, 0, 0, 0, 0, 1 },
		{ "\n0 0\n", true, 0, 0, 0, 0, 1 },
		{ "1000S\n", false, 1000, 0, 0, 0, 0 },
		{ "1000S", false, 1000, 0, 0, 0, 0 },
		{ "", false, 0, 0, 0, 0, 0 },
		{ "1000S,7X,junk\n1 1\n", true, 1000, 0, 1, 1, 1 },
		{ "1000S\n1 1\n1 1", false, 1000, 0, 2, 2, 2 },
		{ "1000S\n1\n", false, 1000, 0, 0, 0, 0 },
		{ "1000S\n1 1\n\n", false, 1000, 0, 0, 0, 0 },
		{ "1000S\n1 1 1\n", false, 1000, 0, 0, 0, 0 },
		{ "1000S\n1 1\n-2 0\n", false, 1000, 0, -1, 1, 2 },
		{ "1000S\n1 1\n0 -2\n", false, 1000, 0, 1, -1, 2 },
		{ "1000S\n9223372036854775807 1\n1 1\n", false, 1000, 0, 0, 0, 0 },
		{ "1000S\n9223372036854775808 1\n", false, 1000, 0, 0, 0, 0 },
		{ "18446744073709551615S\n1 1\n", true, INT64_MAX, 0, 1, 1, 1 },
		{ "99999999999999999999S\n1 1\n", true, 0, 0, 1, 1, 1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct quota_text text;
		bool reliable = quota_parse(slice_str(rows[i].text), &text);

		CHECK(reliable == rows[i].reliable, "row %zu", i);
		CHECK(text.limits.bytes == rows[i].bytes, "row %zu", i);
		CHECK(text.limits.messages == rows[i].messages, "row %zu", i);
		CHECK(!reliable || text.used.bytes == rows[i].used_bytes, "row %zu", i);
		CHECK(!reliable || text.used.messages == rows[i].used_messages, "row %zu", i);
		CHECK(!reliable || text.sums == rows[i].sums, "row %zu", i);
	}
}

static void test_format(void)
{
	static const struct {
		struct quota_limits limits;
		const char *want;
	} rows[] = {
		{ { 0, 0 }, "0S\n7 -2\n" },
		{ { 5, 0 }, "5S\n7 -2\n" },
		{ { 0, 6 }, "6C\n7 -2\n" },
		{ { 5, 6 }, "5S,6C\n7 -2\n" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(100);

		CU_ASSERT_EQUAL(
			quota_format(&rows[i].limits, &(struct quota_sum){ 7, -2 }, &out), 0);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu", i);
	}
}

static int usage(struct fixture *f, struct quota_usage *ret_usage)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = quota_usage(f->store, &work, ret_usage);

		if (r != -EINPROGRESS)
			return r;
		f->steps++;
	}
}

static void check_used(struct fixture *f, int64_t bytes, int64_t messages)
{
	struct quota_usage used;

	CU_ASSERT_EQUAL(usage(f, &used), 0);
	CHECK(used.used.bytes == bytes && used.used.messages == messages, "%lld %lld, file %s",
		(long long)used.used.bytes, (long long)used.used.messages,
		fixture_read(f, "maildirsize"));
}

static int add(struct fixture *f, struct mailbox *mailbox, const char *text)
{
	struct append *append = append_new(mailbox);
	struct append_message message = { .octets = strlen(text), .internaldate = APPEND_DATE_NOW };
	uint32_t first;
	int r = append_begin(append, &message, clock_realtime_usec());

	if (r == 0)
		r = append_write(append, slice_str(text));
	if (r == 0)
		r = append_finish(append);
	for (bool again = r == 0; again; again = r == -EINPROGRESS) {
		struct work work = fixture_work(f);

		r = append_commit(append, &work, &first);
	}
	append_free(append);
	return r;
}

static int copy_all(struct fixture *f, struct mailbox *from, struct mailbox *to, bool move)
{
	const struct message *messages;
	uint32_t uids[100];
	struct work work = fixture_work(f);
	int r = mailbox_sync(from, &work);
	size_t n = mailbox_messages(from, &messages);

	CU_ASSERT_EQUAL_FATAL(r, 0);
	for (size_t i = 0; i < n; i++)
		uids[i] = messages[i].msg_uid;

	struct copy *copy = copy_new(&(struct copy_order){
		.source = from, .target = to, .uids = uids, .n = n, .move = move });

	do {
		work = fixture_work(f);
		r = copy_step(copy, &work);
	} while (r == -EINPROGRESS);
	copy_free(copy);
	return r;
}

static void test_no_quota(void)
{
	struct fixture f;
	struct quota_usage used;

	fixture_init(&f);
	CU_ASSERT_EQUAL(usage(&f, &used), -ENODATA);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_FALSE(fixture_exists(&f, "maildirsize"));
	CU_ASSERT_FALSE(quota_counts(f.store));

	/* One that is there is kept up to date for others. */
	fixture_write(&f, "maildirsize", "0S\n10 1\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345"), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "0S\n10 1\n5 1\n");
	CU_ASSERT_EQUAL(usage(&f, &used), -ENODATA);
	fixture_done(&f);
}

static void test_limit_by_setting(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "new/1.a", "12345");
	fixture_write(&f, "new/2.b,S=7", "1234567");
	fixture_write(&f, "cur/3.c,S=70:2,S", "1234567"); /* what the name says counts */
	f.store->settings.quota_bytes = 100;
	check_used(&f, 82, 3);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "100S\n82 3\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "100S\n82 3\n10 1\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), -EDQUOT);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345678"), 0);
	check_used(&f, 100, 5);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 1), 0);
	check_used(&f, 95, 4);
	f.store->settings.quota_messages = 4;
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1"), -EDQUOT);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "100S,4C\n95 4\n");
	fixture_done(&f);
}

static void test_limit_by_file(void)
{
	struct fixture f;
	struct quota_usage used;

	fixture_init(&f);
	fixture_write(&f, "maildirsize", "20S,3C\n0 0\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_EQUAL(usage(&f, &used), 0);
	CU_ASSERT_EQUAL(used.limits.bytes, 20);
	CU_ASSERT_EQUAL(used.limits.messages, 3);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345678901"), -EDQUOT);

	/* What another program wrote counts; where it says "too much", it is counted anew. */
	fixture_append(&f, "maildirsize", "11 1\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "20S,3C\n10 1\n10 1\n");

	/* The settings count more than the file. */
	f.store->settings.quota_messages = 2;
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1"), -EDQUOT);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "2C\n20 2\n");
	fixture_done(&f);
}

static void test_trusted(void)
{
	struct fixture f;
	struct timespec old[2] = { { .tv_sec = time(NULL) - 1000 }, { .tv_sec = time(NULL) - 1000 } };

	fixture_init(&f);
	f.store->settings.quota_bytes = 10;

	/* Counted just now: "too much" is believed. */
	fixture_write(&f, "maildirsize", "10S\n50 5\n");
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1"), -EDQUOT);
	check_used(&f, 50, 5);

	/* Long ago: it is not. */
	CU_ASSERT_EQUAL(utimensat(AT_FDCWD, fixture_path(&f, "maildirsize"), old, 0), 0);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1"), 0);
	check_used(&f, 1, 1);

	/* A total below zero, and what is no sum, are not believed, nor is a file that is too long. */
	fixture_write(&f, "maildirsize", "10S\n1 1\n-5 -1\n");
	check_used(&f, 1, 1);
	fixture_write(&f, "maildirsize", "10S\n5 1 junk\n");
	check_used(&f, 1, 1);
	fixture_write(&f, "maildirsize", "10S\n5 5\n");
	for (int i = 0; i < 1300; i++)
		fixture_append(&f, "maildirsize", "0 0\n");
	check_used(&f, 1, 1);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "10S\n1 1\n");
	fixture_done(&f);
}

static void test_mailboxes(void)
{
	struct fixture f;
	struct mailbox *trash, *other;
	struct work work;

	fixture_init(&f);
	f.store->settings.quota_bytes = 40;
	f.store->settings.quota_ignore = TRASH;
	f.store->settings.quota_ignore_n = 1;
	CU_ASSERT_EQUAL_FATAL(tree_create(f.store, SLICE("Trash")), 0);
	CU_ASSERT_EQUAL_FATAL(tree_create(f.store, SLICE("Other")), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("Trash"), &trash), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("Other"), &other), 0);
	check_used(&f, 0, 0);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "1234567890"), 0);
	CU_ASSERT_EQUAL(add(&f, trash, "12345678901234567890123456789012345678901234567890"), 0);
	check_used(&f, 20, 2);

	/* Copies count; a move changes nothing, so it fits always. */
	CU_ASSERT_EQUAL(copy_all(&f, f.mailbox, other, false), 0);
	check_used(&f, 40, 4);
	CU_ASSERT_EQUAL(copy_all(&f, f.mailbox, other, false), -EDQUOT);
	CU_ASSERT_EQUAL(copy_all(&f, f.mailbox, other, true), 0);
	check_used(&f, 40, 4);

	/* From and to what is not counted it does change something. */
	CU_ASSERT_EQUAL(copy_all(&f, trash, f.mailbox, true), -EDQUOT);
	CU_ASSERT_EQUAL(copy_all(&f, other, trash, true), 0);
	check_used(&f, 0, 0);
	CU_ASSERT_EQUAL(copy_all(&f, trash, other, true), -EDQUOT);
	CU_ASSERT_EQUAL(add(&f, other, "1234567890"), 0);
	mailbox_close(other);
	mailbox_close(trash);

	/* A name that is not counted becomes one that is. */
	CU_ASSERT_EQUAL(tree_rename(f.store, SLICE("Trash"), SLICE("Kept")), 0);
	check_used(&f, 100, 6);

	/* A mailbox that is deleted counts until its files are gone; then they are taken off. */
	work = (struct work){ .now_usec = clock_realtime_usec(), .budget = 1000 };
	CU_ASSERT_EQUAL(tree_delete(f.store, SLICE("Kept"), &work), 0);
	check_used(&f, 100, 6);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	check_used(&f, 100, 6);
	do {
		work = (struct work){ .now_usec = clock_realtime_usec(), .budget = 2 };
	} while (tree_purge(f.store, &work) == -EINPROGRESS);
	check_used(&f, 10, 1);
	fixture_done(&f);
}

static void test_ignored_deleted(void)
{
	struct fixture f;
	struct mailbox *trash;
	struct work work = { .now_usec = clock_realtime_usec(), .budget = 1000 };

	fixture_init(&f);
	f.store->settings.quota_bytes = 40;
	f.store->settings.quota_ignore = TRASH;
	f.store->settings.quota_ignore_n = 1;
	CU_ASSERT_EQUAL_FATAL(tree_create(f.store, SLICE("Trash")), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("Trash"), &trash), 0);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345"), 0);
	CU_ASSERT_EQUAL(add(&f, trash, "1234567890"), 0);
	mailbox_close(trash);
	check_used(&f, 5, 1);
	CU_ASSERT_EQUAL(tree_delete(f.store, SLICE("Trash"), &work), 0);
	CU_ASSERT_EQUAL(tree_purge(f.store, &work), 0);
	check_used(&f, 5, 1);
	fixture_done(&f);
}

/* In steps of one unit; what changes meanwhile keeps the count from being written, but not from being used. */
static void test_steps(void)
{
	struct fixture f;
	struct quota_usage used;
	struct work work;
	char name[64];

	fixture_init(&f);
	f.store->settings.quota_messages = 1000;
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof name, "cur/%d.x,S=3:2,", i);
		fixture_write(&f, name, "abc");
	}
	f.budget = 1;
	check_used(&f, 150, 50);
	CU_ASSERT(f.steps >= 25);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "1000C\n150 50\n");

	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	for (int i = 0; i < 20; i++) {
		work = fixture_work(&f);
		CU_ASSERT_EQUAL(quota_usage(f.store, &work, &used), -EINPROGRESS);
	}
	fixture_write(&f, "new/late", "abc");
	CU_ASSERT_EQUAL(usage(&f, &used), 0);
	CU_ASSERT_EQUAL(used.used.messages, 51);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "1000C\n153 51\n");

	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	for (int i = 0, r = -EINPROGRESS; r == -EINPROGRESS; i++) {
		snprintf(name, sizeof name, "tmp/%d", i);
		fixture_write(&f, name, "abc");
		CU_ASSERT_EQUAL(rename(fixture_path(&f, name), fixture_path(&f, "new/always")), 0);
		work = fixture_work(&f);
		r = quota_usage(f.store, &work, &used);
		CU_ASSERT(r == 0 || (r == -EINPROGRESS && i < 1000));
	}
	CU_ASSERT_EQUAL(used.used.messages, 52);
	CU_ASSERT_FALSE(fixture_exists(&f, "maildirsize"));
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "new/always")), 0);
	check_used(&f, 153, 51);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "1000C\n153 51\n");

	/* A count that is not ended is no leak. */
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	work = fixture_work(&f);
	CU_ASSERT_EQUAL(quota_usage(f.store, &work, &used), -EINPROGRESS);
	fixture_done(&f);
}

/* Odd things in the place of the file: the quota cannot be told, and forbids nothing. */
static void test_odd_files(void)
{
	struct fixture f;
	struct quota_usage used;

	fixture_init(&f);
	f.store->settings.quota_bytes = 1;
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "maildirsize")), 0);
	CU_ASSERT_EQUAL(usage(&f, &used), -ELOOP);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345"), 0);
	CU_ASSERT(f.log_lines > 0);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "maildirsize"), 0600), 0);
	CU_ASSERT_EQUAL(usage(&f, &used), -EINVAL);
	CU_ASSERT_EQUAL(add(&f, f.mailbox, "12345"), 0);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);

	/* Another program is writing it: what was counted is used, and left to it to write. */
	fixture_write(&f, "maildirsize.lock", "1:other.example.org");
	check_used(&f, 10, 2);
	CU_ASSERT_FALSE(fixture_exists(&f, "maildirsize"));
	fixture_done(&f);
}

/* A change counts on a sum that was counted. Where there is none, it must not look like one. */
static void test_note_without_sum(void)
{
	static const char *const texts[] = { "100S\n", "100S", "100S\n1 1\n12", "100S\n1 1\njunk\n",
		"100S\n1 1\n-2 -2\n" };
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		fixture_write(&f, "maildirsize", texts[i]);
		quota_note(f.store, &(struct quota_sum){ 34, 1 });
		CHECK(strcmp(fixture_read(&f, "maildirsize"), texts[i]) == 0, "row %zu: %s", i,
			fixture_read(&f, "maildirsize"));
		check_used(&f, 0, 0);
		CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "100S\n0 0\n");
	}
	fixture_done(&f);
}

/* A real limit, of this process: the line is cut short after so many bytes, or does not come to be at all. */
static void test_note_cut_short(void)
{
	struct rlimit before, low;
	struct fixture f;

	fixture_init(&f);
	signal(SIGXFSZ, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (rlim_t bytes = 0; bytes <= 5; bytes++) {
		fixture_write(&f, "maildirsize", "100S\n0 0\n");
		low = (struct rlimit){ strlen("100S\n0 0\n") + bytes, before.rlim_max };
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &low), 0);
		quota_note(f.store, &(struct quota_sum){ 34, 1 });
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &before), 0);
		CHECK(strcmp(fixture_read(&f, "maildirsize"),
			      bytes == 5 ? "100S\n0 0\n34 1\n" : "100S\n") == 0,
			"%u: %s", (unsigned)bytes, fixture_read(&f, "maildirsize"));
		check_used(&f, bytes == 5 ? 34 : 0, bytes == 5);
	}
	fixture_done(&f);
}

/* No descriptor is left: neither the line nor anything else can be written. The limits are a user's own, and stay. */
static void test_note_impossible(void)
{
	static const char sum[] = "100S\n50 5\n";
	struct rlimit before, low;
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (int way = 0; way < 3; way++) {
		fixture_write(&f, "maildirsize", sum);
		low = (struct rlimit){ 0, before.rlim_max };
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
		quota_note(f.store, &(struct quota_sum){ 34, 1 });
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
		CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), sum);

		/* This process does not believe it; others must not for longer than can be helped. */
		if (way == 0)
			check_used(&f, 0, 0);
		else if (way == 1)
			quota_note(f.store, &(struct quota_sum){ 1, 1 });
		fixture_reopen(&f);
		check_used(&f, 0, 0);
		CU_ASSERT_STRING_EQUAL(fixture_read(&f, "maildirsize"), "100S\n0 0\n");
	}

	/* Limits that are in the settings: then it is as good as no file. */
	f.store->settings.quota_bytes = 100;
	low = (struct rlimit){ 0, before.rlim_max };
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	quota_note(f.store, &(struct quota_sum){ 34, 1 });
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	CU_ASSERT_FALSE(fixture_exists(&f, "maildirsize"));
	fixture_done(&f);
}

/* A message goes while the mailboxes are looked at once more: what was counted before is not written. */
static void test_note_while_counted(void)
{
	struct fixture f;
	struct work work;
	struct quota_usage used;
	const struct message *messages;
	char name[64];
	bool noted = true;

	fixture_init(&f);
	f.store->settings.quota_messages = 1000;
	CU_ASSERT_EQUAL_FATAL(tree_create(f.store, SLICE("Zed")), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "cur/%d.x,S=3:2,", i);
		fixture_write(&f, name, "abc");
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (unsigned steps = 1; noted; steps++) {
		size_t left = mailbox_messages(f.mailbox, &messages);
		unsigned n = 0;
		int r = -EINPROGRESS;

		CU_ASSERT_FATAL(left > 0);
		noted = false;
		while (r == -EINPROGRESS) {
			work = (struct work){ .now_usec = clock_realtime_usec(), .budget = 3 };
			r = quota_usage(f.store, &work, &used);
			if (r != -EINPROGRESS || ++n != steps)
				continue;
			CU_ASSERT_EQUAL(fixture_expunge(&f, messages[0].msg_uid), 0);
			noted = true;
			left--;
		}
		CU_ASSERT_EQUAL(r, 0);
		check_used(&f, 3 * (int64_t)left, (int64_t)left);
		CU_ASSERT_EQUAL(unlink(fixture_path(&f, "maildirsize")), 0);
	}
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "the text is read", test_parse },
	{ "the text is written", test_format },
	{ "without a limit no file is made", test_no_quota },
	{ "a limit by setting", test_limit_by_setting },
	{ "a limit by the file", test_limit_by_file },
	{ "when the file is believed", test_trusted },
	{ "mailboxes that are copied to, moved, renamed, deleted", test_mailboxes },
	{ "a mailbox that is not counted is deleted", test_ignored_deleted },
	{ "a count in steps", test_steps },
	{ "odd files in its place", test_odd_files },
	{ "a change where no sum was counted", test_note_without_sum },
	{ "a change that is cut short", test_note_cut_short },
	{ "a change that cannot be noted", test_note_impossible },
	{ "a change while it is counted", test_note_while_counted },
};

UNIT_MAIN("quota", tests)
