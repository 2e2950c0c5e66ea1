/* Messages added to a mailbox, copied and moved: what is there afterwards, on disk and in the list; and after faults. */
#include "maildir/append.h"
#include "maildir/copy.h"
#include "tests/unit/maildir_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int write_message(struct fixture *f, struct append *append, const struct append_message *m,
	struct slice text, size_t piece)
{
	struct append_message message =
		m ? *m
		  : (struct append_message){ .octets = text.n, .internaldate = APPEND_DATE_NOW };
	int r = append_begin(append, &message, fixture_work(f).now_usec);

	while (r == 0 && text.n > 0) {
		struct slice part = slice_head(text, piece);

		r = append_write(append, part);
		text = slice_tail(text, part.n);
	}
	return r < 0 ? r : append_finish(append);
}

static int commit(struct fixture *f, struct append *append, uint32_t *ret_uid)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = append_commit(append, &work, ret_uid);

		if (r != -EINPROGRESS)
			return r;
	}
}

/* One message; its UID, or 0. */
static uint32_t add(struct fixture *f, const struct append_message *m, const char *text)
{
	struct append *append = append_new(f->mailbox);
	uint32_t msg_uid = 0;
	int r = write_message(f, append, m, slice_str(text), 1000);

	CU_ASSERT_EQUAL(r, 0);
	if (r == 0)
		CU_ASSERT_EQUAL(commit(f, append, &msg_uid), 0);
	append_free(append);
	return msg_uid;
}

static const struct {
	const char *appended, *stored;
	unsigned long long octets; /* RFC822.SIZE */
} LINE_ENDS[] = {
	{ "a\r\nb\r\n", "a\nb\n", 6 },
	{ "a\r\r\nb", "a\r\r\nb", 5 },
	{ "a\rb\r", "a\rb\r", 4 },
	{ "\r\n\r\n", "\n\n", 4 },
	{ "\r\r\r\n\n", "\r\r\r\n\n", 6 },
	{ "a\nb", "a\nb", 4 },
	{ "\r", "\r", 1 },
	{ "x", "x", 1 },
};

static void test_line_ends(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (size_t i = 0; i < sizeof LINE_ENDS / sizeof *LINE_ENDS; i++)
		for (size_t piece = 1; piece < 4; piece++) {
			struct append *append = append_new(f.mailbox);
			uint32_t msg_uid = 0;
			uint64_t octets = 0;
			struct work work = fixture_work(&f);

			CU_ASSERT_EQUAL(write_message(&f, append, NULL,
						slice_str(LINE_ENDS[i].appended), piece),
				0);
			CU_ASSERT_EQUAL(commit(&f, append, &msg_uid), 0);
			append_free(append);
			CU_ASSERT_TRUE(fixture_is(&f, msg_uid, LINE_ENDS[i].stored));
			CU_ASSERT_EQUAL(mailbox_rfc822_size(f.mailbox, msg_uid, &work, &octets), 0);
			CU_ASSERT_EQUAL(octets, LINE_ENDS[i].octets);
		}
	fixture_done(&f);
}

static void test_append(void)
{
	const struct slice keywords[] = { SLICE("$Junk"), SLICE("work") };
	struct append_message message = {
		.octets = 4,
		.flags = FLAG_SEEN | FLAG_FLAGGED,
		.keywords = keywords,
		.keywords_n = 2,
		.internaldate = 1000000000,
	};
	struct fixture f;
	int64_t date = 0;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(add(&f, &message, "a\r\nb"), 1);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN | FLAG_FLAGGED);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, 3);
	CU_ASSERT_EQUAL(mailbox_internaldate(f.mailbox, 1, &date), 0);
	CU_ASSERT_EQUAL(date, 1000000000);
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 2);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture_read(&f, "dovecot-uidlist"), ",S=3,W=4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture_read(&f, "dovecot-keywords"), "1 work\n"));

	/* The same, as whoever comes next reads it. */
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN | FLAG_FLAGGED);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, 3);
	CU_ASSERT_EQUAL(add(&f, NULL, "second"), 2);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	fixture_done(&f);
}

static void test_append_several(void)
{
	struct fixture f;
	uint32_t first = 0;

	fixture_init(&f);
	fixture_write(&f, "new/1700000001.M1P1.host", "from an MTA\n");

	struct append *append = append_new(f.mailbox);

	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(write_message(&f, append, NULL, SLICE("text\r\n"), 3), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");
	CU_ASSERT_EQUAL(append_count(append), 3);
	CU_ASSERT_EQUAL(commit(&f, append, &first), 0);
	CU_ASSERT_EQUAL(first, 2);
	append_free(append);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");

	/* Given up: nothing stays. */
	append = append_new(f.mailbox);
	CU_ASSERT_EQUAL(write_message(&f, append, NULL, SLICE("text\r\n"), 3), 0);
	CU_ASSERT_EQUAL(append_begin(append, &(struct append_message){ .octets = 1 << 20 }, 1), 0);
	CU_ASSERT_EQUAL(append_write(append, SLICE("abc")), 0);
	append_free(append);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);

	append = append_new(f.mailbox);
	CU_ASSERT_EQUAL(write_message(&f, append, NULL, SLICE("a\0b"), 3), -EILSEQ);
	append_free(append);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	fixture_done(&f);
}

/* More keywords than letters, and more than there can be. */
static void test_keywords(void)
{
	struct fixture f;
	char names[70][16];
	struct slice keywords[70];

	fixture_init(&f);
	for (int i = 0; i < 70; i++) {
		snprintf(names[i], sizeof names[i], "k%d", i);
		keywords[i] = slice_str(names[i]);
	}

	struct append_message message = { .octets = 1,
		.flags = FLAG_FORWARDED,
		.keywords = keywords,
		.keywords_n = 40,
		.internaldate = APPEND_DATE_NOW };

	CU_ASSERT_EQUAL(add(&f, &message, "x"), 1);
	CU_ASSERT_EQUAL(__builtin_popcountll(mailbox_message(f.mailbox, 1)->keywords), 40);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FORWARDED);
	message.keywords_n = 70;
	CU_ASSERT_EQUAL(add(&f, &message, "y"), 2);
	CU_ASSERT_TRUE(__builtin_popcountll(mailbox_message(f.mailbox, 2)->keywords) >= 63);
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(__builtin_popcountll(mailbox_message(f.mailbox, 1)->keywords), 40);
	fixture_done(&f);
}

/* A second mailbox, "Sub", beside INBOX. */
static struct mailbox *open_sub(struct fixture *f)
{
	struct mailbox *mailbox = NULL;

	mkdir(fixture_path(f, ".Sub"), 0700);
	mkdir(fixture_path(f, ".Sub/cur"), 0700);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f->store, SLICE("Sub"), &mailbox), 0);
	return mailbox;
}

static int run_copy(struct fixture *f, struct copy *copy)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = copy_step(copy, &work);

		if (r != -EINPROGRESS)
			return r;
		f->steps++;
	}
}

static int copy_all(
	struct fixture *f, struct mailbox *target, bool need_all, bool move, uint32_t *ret_first)
{
	static const uint32_t UIDS[] = { 1, 2, 3, 4 };
	struct copy *copy = copy_new(&(struct copy_order){ .source = f->mailbox,
		.target = target,
		.uids = UIDS,
		.n = 4,
		.need_all = need_all,
		.move = move });
	const uint32_t *uids;
	int r = run_copy(f, copy);

	if (r == 0)
		r = (int)copy_result(copy, &uids, ret_first);
	copy_free(copy);
	return r;
}

/* UIDs 1 to 4 in INBOX, with flags, keywords and dates. */
static void fill(struct fixture *f)
{
	const struct slice keyword = SLICE("blue");
	struct append_message message = { .octets = 4, .internaldate = 1000000000 };

	CU_ASSERT_EQUAL(add(f, &message, "one"), 1);
	message.flags = FLAG_SEEN;
	message.keywords = &keyword;
	message.keywords_n = 1;
	CU_ASSERT_EQUAL(add(f, &message, "two"), 2);
	fixture_write(f, "new/1700000001.odd.host", "three");
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
	CU_ASSERT_EQUAL(add(f, &message, "four"), 4);
}

static bool holds(struct mailbox *mailbox, uint32_t msg_uid, const char *text)
{
	struct fixture f = { .mailbox = mailbox };

	return fixture_is(&f, msg_uid, text);
}

static void test_copy(void)
{
	struct fixture f;
	uint32_t first = 0;
	int64_t date = 0;
	struct stat st;

	fixture_init(&f);
	fill(&f);

	struct mailbox *sub = open_sub(&f);
	const struct message *messages;

	f.budget = 1;
	CU_ASSERT_EQUAL(copy_all(&f, sub, true, false, &first), 4);
	CU_ASSERT_TRUE(f.steps > 3);
	CU_ASSERT_EQUAL(first, 1);
	CU_ASSERT_EQUAL(mailbox_messages(sub, &messages), 4);
	CU_ASSERT_TRUE(holds(sub, 1, "one") && holds(sub, 3, "three") && holds(sub, 4, "four"));
	CU_ASSERT_EQUAL(mailbox_message(sub, 2)->flags, FLAG_SEEN);
	CU_ASSERT_EQUAL(mailbox_message(sub, 2)->keywords, 1);
	CU_ASSERT_TRUE(slice_equal(mailbox_keyword(sub, 0), SLICE("blue")));
	CU_ASSERT_EQUAL(mailbox_internaldate(sub, 4, &date), 0);
	CU_ASSERT_EQUAL(date, 1000000000);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(fixture_read(&f, ".Sub/dovecot-uidlist"), "\n3 G1700000001.odd.host :"));

	int fd = mailbox_open_file(sub, 1);

	CU_ASSERT_TRUE(fstat(fd, &st) == 0 && st.st_nlink == 2);
	close(fd);

	/* Into the mailbox itself; then with one message gone. */
	CU_ASSERT_EQUAL(copy_all(&f, f.mailbox, true, false, &first), 4);
	CU_ASSERT_EQUAL(first, 5);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6 7 8");
	CU_ASSERT_EQUAL(fixture_expunge(&f, 2), 0);
	CU_ASSERT_EQUAL(copy_all(&f, sub, true, false, &first), -ENOENT);
	CU_ASSERT_EQUAL(mailbox_messages(sub, &messages), 4);
	CU_ASSERT_EQUAL(fixture_count(&f, ".Sub/tmp", ""), 0);
	CU_ASSERT_EQUAL(copy_all(&f, sub, false, false, &first), 3);
	CU_ASSERT_EQUAL(first, 5);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_messages(sub, &messages), 7);
	mailbox_close(sub);
	fixture_done(&f);
}

static void test_move(void)
{
	struct fixture f;
	uint32_t first = 0;

	fixture_init(&f);
	fill(&f);

	struct mailbox *sub = open_sub(&f);

	f.budget = 2;
	CU_ASSERT_EQUAL(copy_all(&f, sub, true, true, &first), 4);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 0);
	CU_ASSERT_EQUAL(fixture_count(&f, ".Sub/cur", ""), 4);
	CU_ASSERT_TRUE(holds(sub, 2, "two"));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");

	/* What another program renames meanwhile is found again. */
	fixture_write(&f, "cur/1700000009.x.host:2,", "nine");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "5");
	fixture_rename(&f, "cur/1700000009.x.host:2,", "cur/1700000009.x.host:2,F");

	const uint32_t five = 5;
	struct copy *copy = copy_new(&(struct copy_order){
		.source = f.mailbox, .target = sub, .uids = &five, .n = 1, .move = true });

	CU_ASSERT_EQUAL(run_copy(&f, copy), 0);
	copy_free(copy);
	CU_ASSERT_TRUE(holds(sub, 5, "nine"));
	CU_ASSERT_EQUAL(mailbox_message(sub, 5)->flags, FLAG_FLAGGED);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	mailbox_close(sub);
	fixture_done(&f);
}

static void test_locked(void)
{
	struct fixture f;
	struct append *append;
	uint32_t msg_uid = 0;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_write(&f, "dovecot-uidlist.lock", "1:elsewhere.example.org");
	append = append_new(f.mailbox);
	CU_ASSERT_EQUAL(write_message(&f, append, NULL, SLICE("a"), 1), 0);
	CU_ASSERT_EQUAL(commit(&f, append, &msg_uid), -EAGAIN);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 1);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 0);

	/* Meanwhile the other one gave a UID to a message. */
	fixture_write(&f, "cur/1700000009.x.host:2,S", "nine");
	fixture_append(&f, "dovecot-uidlist", "1 :1700000009.x.host\n");
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	CU_ASSERT_EQUAL(commit(&f, append, &msg_uid), 0);
	CU_ASSERT_EQUAL(msg_uid, 2);
	append_free(append);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	CU_ASSERT_TRUE(fixture_is(&f, 1, "nine") && fixture_is(&f, 2, "a"));
	fixture_done(&f);
}

static const struct unit_test TESTS[] = {
	{ "line ends", test_line_ends },
	{ "one message", test_append },
	{ "several at once", test_append_several },
	{ "keywords", test_keywords },
	{ "copy", test_copy },
	{ "move", test_move },
	{ "a lock held elsewhere", test_locked },
};

UNIT_MAIN("test_append", TESTS)
