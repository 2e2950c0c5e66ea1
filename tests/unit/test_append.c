/* Messages added to a mailbox, copied and moved: what is there afterwards, on disk and in the list; and after faults. */
#include "maildir/append.h"
#include "maildir/copy.h"
#include "maildir/leftovers.h"
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
	mkdir(fixture_path(f, ".Sub/tmp"), 0700);
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
	const uint32_t *uids, *copies;
	int r = run_copy(f, copy);

	if (r == 0) {
		r = (int)copy_result(copy, &uids, &copies);
		*ret_first = copies[0];
	}
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

static void test_leftovers(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "tmp/1700000000.M1P1.host", "half");
	mkdir(fixture_path(&f, "tmp/directory"), 0700);
	CU_ASSERT_EQUAL(add(&f, NULL, "x"), 1);

	int fd = open(fixture_path(&f, "tmp"), O_RDONLY | O_DIRECTORY);
	uint64_t now_usec = clock_realtime_usec();

	CU_ASSERT_EQUAL(leftovers_remove(fd, now_usec + LEFTOVER_AGE_USEC - 60000000), 0);
	CU_ASSERT_TRUE(fixture_exists(&f, "tmp/1700000000.M1P1.host"));
	CU_ASSERT_EQUAL(leftovers_remove(fd, now_usec + LEFTOVER_AGE_USEC + 2000000), 1);
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 1);
	close(fd);
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

/* Faults. A child in a mount namespace of its own, with a small tmpfs where faults are wanted. */
static int in_child(int (*run)(struct fixture *f), struct fixture *f)
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(run(f));
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

enum { PASSED = 0, SKIPPED = 77 };

/* A check in a child: its exit status is the number of the line that failed, cut to a byte. */
#define WANT(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			printf("test_append.c:%d: %s\n", __LINE__, #condition);                    \
			fflush(stdout);                                                            \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static bool mount_small(const char *path, const char *options)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("small", path, "tmpfs", 0, options) == 0;
}

static int append_once(struct fixture *f, size_t octets)
{
	static char text[64 * 1024];
	struct append *append = append_new(f->mailbox);
	uint32_t msg_uid;
	int r;

	memset(text, 'x', sizeof text);
	r = append_begin(append,
		&(struct append_message){ .octets = octets, .internaldate = APPEND_DATE_NOW },
		fixture_work(f).now_usec);
	while (r == 0 && octets > 0) {
		size_t n = octets < sizeof text ? octets : sizeof text;

		r = append_write(append, slice_from(text, n));
		octets -= n;
	}
	if (r == 0)
		r = append_finish(append);
	if (r == 0)
		r = commit(f, append, &msg_uid);
	append_free(append);
	return r;
}

/* Little by little the disk fills: each message is there as a whole or not at all, whatever step met the fault. */
static int fill_disk(struct fixture *f)
{
	struct stat st;
	unsigned there = 0;
	int r = 0, refused = 0;

	fixture_close(f);
	if (!mount_small(f->path, "size=512k,mode=700"))
		return SKIPPED;
	WANT(fixture_open(f) == 0 && fixture_sync(f) == 0);
	WANT(append_once(f, 1 << 20) == -ENOSPC); /* refused before it is written */
	WANT(fixture_count(f, "tmp", "") == 0);
	for (size_t octets = 60000; octets > 0; octets /= 2)
		for (refused = 0; refused < 2; there += r == 0, refused += r != 0) {
			r = append_once(f, octets);
			WANT(r == 0 || r == -ENOSPC);
			WANT(fixture_count(f, "cur", "") == there + (r == 0));
			WANT(fixture_count(f, "tmp", "") == 0);
		}
	for (int i = 0; i < 3000 && r == 0; there += r == 0, i++)
		r = append_once(f, 1);
	fixture_close(f);
	WANT(fixture_open(f) == 0 && fixture_sync(f) == 0);

	const struct message *messages;

	WANT(mailbox_messages(f->mailbox, &messages) == there);
	for (; there > 0; there--) {
		int fd;

		WANT(mailbox_messages(f->mailbox, &messages) == there);
		fd = mailbox_open_file(f->mailbox, messages[0].msg_uid);
		WANT(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0);
		close(fd);
		WANT(fixture_expunge(f, messages[0].msg_uid) == 0);
	}
	WANT(append_once(f, 60000) == 0); /* there is room again */
	return PASSED;
}

static void test_full_disk(void)
{
	struct fixture f;

	fixture_init(&f);

	int status = in_child(fill_disk, &f);

	CU_ASSERT(status == PASSED || status == SKIPPED);
	fixture_done(&f);
}

/* Another file system: no links, and too small for all. */
static int copy_across(struct fixture *f)
{
	struct mailbox *sub;
	const struct message *messages;
	uint32_t first = 0;
	int64_t date = 0;
	struct append_message large = { .octets = 300000, .internaldate = 1000000000 };
	static char text[300001];

	fixture_close(f);
	mkdir(fixture_path(f, ".Sub"), 0700);
	if (!mount_small(fixture_path(f, ".Sub"), "size=600k,mode=700"))
		return SKIPPED;
	WANT(fixture_open(f) == 0);
	fill(f);
	sub = open_sub(f);
	f->budget = 1;
	WANT(copy_all(f, sub, true, false, &first) == 4);
	WANT(holds(sub, 1, "one") && holds(sub, 4, "four"));
	WANT(mailbox_internaldate(sub, 1, &date) == 0 && date == 1000000000);
	WANT(mailbox_message(sub, 2)->flags == FLAG_SEEN);
	WANT(fixture_expunge(f, 2) == 0 && fixture_expunge(f, 3) == 0 &&
		fixture_expunge(f, 4) == 0);

	/* All or none: the third has no room. */
	memset(text, 'y', sizeof text - 1);
	for (int i = 0; i < 3; i++)
		WANT(add(f, &large, text) > 0);

	static const uint32_t UIDS[] = { 1, 5, 6, 7 };
	const struct copy_order order = {
		.source = f->mailbox, .target = sub, .uids = UIDS, .n = 4, .move = true
	};
	struct copy *copy = copy_new(&order);

	WANT(run_copy(f, copy) == -ENOSPC);
	copy_free(copy);
	WANT(mailbox_messages(sub, &messages) == 4);
	WANT(fixture_count(f, ".Sub/tmp", "") == 0 && fixture_count(f, ".Sub/cur", "") == 4);
	WANT(strcmp(fixture_uids(f), "1 5 6 7") == 0 && fixture_count(f, "cur", "") == 4);

	/* One of them has. */
	copy = copy_new(&(struct copy_order){
		.source = f->mailbox, .target = sub, .uids = UIDS, .n = 2, .move = true });
	WANT(run_copy(f, copy) == 0);
	copy_free(copy);
	WANT(mailbox_messages(sub, &messages) == 6 && strcmp(fixture_uids(f), "6 7") == 0);
	return PASSED;
}

static void test_across_file_systems(void)
{
	struct fixture f;

	fixture_init(&f);

	int status = in_child(copy_across, &f);

	CU_ASSERT(status == PASSED || status == SKIPPED);
	fixture_done(&f);
}

/* As an ordinary user: directories that permit too little, one after the other. */
static int without_permission(struct fixture *f)
{
	static const char *const CLOSED[] = { ".Sub/tmp", ".Sub/cur", ".Sub", "cur" };
	struct mailbox *sub;
	const struct message *messages;
	uint32_t first = 0;

	if (getuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return SKIPPED;
	sub = open_sub(f);
	{
		struct fixture s = *f;

		s.mailbox = sub;
		WANT(fixture_sync(&s) == 0);
	}
	for (size_t i = 0; i < sizeof CLOSED / sizeof *CLOSED; i++) {
		WANT(chmod(fixture_path(f, CLOSED[i]), 0500) == 0);

		int r = copy_all(f, sub, true, true, &first);

		WANT(chmod(fixture_path(f, CLOSED[i]), 0700) == 0);
		WANT(r == -EACCES);
		WANT(fixture_count(f, ".Sub/tmp", "") == 0 &&
			fixture_count(f, ".Sub/cur", "") == 0);
		WANT(mailbox_messages(sub, &messages) == 0);
		WANT(strcmp(fixture_uids(f), "1 2 3 4") == 0 && fixture_count(f, "cur", "") == 4);
	}
	WANT(copy_all(f, sub, true, true, &first) == 4);
	WANT(strcmp(fixture_uids(f), "") == 0);
	return PASSED;
}

static int give_away(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return lchown(path, 65534, 65534);
}

static int own_fixture(struct fixture *f)
{
	return nftw(f->path, give_away, 16, FTW_PHYS);
}

static void test_without_permission(void)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f);
	if (getuid() == 0)
		CU_ASSERT_EQUAL(own_fixture(&f), 0);

	int status = in_child(without_permission, &f);

	CU_ASSERT(status == PASSED || status == SKIPPED);
	fixture_done(&f);
}

/*
 * Killed at any instant. The child appends, copies and moves, and tells each acknowledgement through a pipe: "a UID N":
 * the message N has the UID in INBOX; "s UID N": in Sub. Afterwards everything acknowledged is there, and no UID means
 * another message.
 */
enum { KILLS = 60, KILL_MESSAGES = 20000 };

struct told {
	char where; /* 'a', 's', 'm': a move to Sub begins, of UID in INBOX */
	uint32_t msg_uid, number;
};

static void tell(int fd, char where, uint32_t msg_uid, uint32_t number)
{
	struct told told = { where, msg_uid, number };

	if (write(fd, &told, sizeof told) != sizeof told)
		_exit(1);
}

static int work_until_killed(struct fixture *f, int fd, uint32_t number)
{
	struct mailbox *sub = open_sub(f);

	for (;; number++) {
		char text[32];
		uint32_t first = 0;

		snprintf(text, sizeof text, "%u\r\n", number);

		uint32_t msg_uid = add(f, NULL, text);

		tell(fd, 'a', msg_uid, number);
		if (number % 3 == 0)
			continue;

		bool move = number % 3 == 1;
		struct copy *copy = copy_new(&(struct copy_order){ .source = f->mailbox,
			.target = sub,
			.uids = &msg_uid,
			.n = 1,
			.need_all = true,
			.move = move });
		const uint32_t *uids, *copies;

		if (move)
			tell(fd, 'm', msg_uid, number);
		if (run_copy(f, copy) != 0 || copy_result(copy, &uids, &copies) != 1)
			_exit(1);
		first = copies[0];
		copy_free(copy);
		tell(fd, 's', first, number);
	}
}

/* What is known of each UID: which message it means. */
struct ledger {
	uint32_t inbox[KILL_MESSAGES], sub[KILL_MESSAGES], moving[KILL_MESSAGES];
	bool seen_sub[KILL_MESSAGES];
	uint32_t numbers;
};

static uint32_t number_of(struct mailbox *mailbox, uint32_t msg_uid)
{
	char text[32] = "";
	int fd = mailbox_open_file(mailbox, msg_uid);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

	if (fd >= 0)
		close(fd);
	return n > 1 && text[n - 1] == '\n' ? (uint32_t)strtoul(text, NULL, 10) : 0;
}

static void verify(struct mailbox *mailbox, uint32_t *known, const uint32_t *moving)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);

	for (size_t i = 0; i < n; i++) { /* whole messages only, and none another than was told */
		uint32_t msg_uid = messages[i].msg_uid, number = number_of(mailbox, msg_uid);

		CU_ASSERT(number > 0);
		if (msg_uid < KILL_MESSAGES)
			CU_ASSERT(known[msg_uid] == 0 || known[msg_uid] == number);
		if (msg_uid < KILL_MESSAGES)
			known[msg_uid] = number;
	}
	for (uint32_t msg_uid = 1; msg_uid < KILL_MESSAGES; msg_uid++)
		if (known[msg_uid] && (!moving || !moving[msg_uid]))
			CU_ASSERT_PTR_NOT_NULL(mailbox_message(mailbox, msg_uid));
}

static void kill_once(struct fixture *f, struct ledger *ledger, useconds_t after)
{
	int ends[2];
	struct told told;

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);

	pid_t child = fork();

	if (child == 0) {
		struct fixture own = *f;

		if (fixture_open(&own) < 0)
			_exit(1);
		_exit(work_until_killed(&own, ends[1], ledger->numbers + 1));
	}
	close(ends[1]);
	usleep(after);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	while (read(ends[0], &told, sizeof told) == sizeof told) {
		CU_ASSERT_FATAL(told.msg_uid < KILL_MESSAGES);
		if (told.where == 'a')
			ledger->inbox[told.msg_uid] = told.number;
		else if (told.where == 's')
			ledger->sub[told.msg_uid] = told.number;
		else
			ledger->moving[told.msg_uid] = told.number;
		ledger->numbers = told.number > ledger->numbers ? told.number : ledger->numbers;
	}
	ledger->numbers++; /* of one that nobody was told of */
	close(ends[0]);
}

/* A message that was being moved is in one of the two. */
static void verify_moves(struct mailbox *inbox, struct mailbox *sub, struct ledger *ledger)
{
	const struct message *messages;
	size_t n = mailbox_messages(sub, &messages);

	memset(ledger->seen_sub, 0, sizeof ledger->seen_sub);
	for (size_t i = 0; i < n; i++) {
		uint32_t number = number_of(sub, messages[i].msg_uid);

		if (number < KILL_MESSAGES)
			ledger->seen_sub[number] = true;
	}
	for (uint32_t msg_uid = 1; msg_uid < KILL_MESSAGES; msg_uid++)
		if (ledger->moving[msg_uid])
			CU_ASSERT(ledger->seen_sub[ledger->moving[msg_uid] % KILL_MESSAGES] !=
				  (mailbox_message(inbox, msg_uid) != NULL));
}

static void test_kill(void)
{
	static struct ledger ledger;
	struct fixture f;

	fixture_init(&f);
	srand(7);
	for (int i = 0; i < KILLS; i++) {
		fixture_close(&f);
		kill_once(&f, &ledger, 500 + (useconds_t)(rand() % 8000));
		CU_ASSERT_EQUAL_FATAL(fixture_open(&f), 0);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);

		struct fixture s = f;

		s.mailbox = open_sub(&f);
		CU_ASSERT_EQUAL(fixture_sync(&s), 0);
		verify(f.mailbox, ledger.inbox, ledger.moving);
		verify(s.mailbox, ledger.sub, NULL);
		verify_moves(f.mailbox, s.mailbox, &ledger);
		mailbox_close(s.mailbox);
	}
	CU_ASSERT(ledger.numbers > KILLS);
	fixture_done(&f);
}

static struct append *finished_append(struct fixture *f, unsigned messages)
{
	struct append *append = append_new(f->mailbox);

	for (unsigned i = 0; i < messages; i++)
		CU_ASSERT_EQUAL(write_message(f, append, NULL, SLICE("text\r\n"), 6), 0);
	return append;
}

static int commit_step(struct fixture *f, struct append *append, size_t budget, uint32_t *ret_uid)
{
	struct work work = { .now_usec = fixture_work(f).now_usec, .budget = budget };

	return append_commit(append, &work, ret_uid);
}

/* Until so many of the files lie in cur/, beside those of before. */
static void step_until_placed(
	struct fixture *f, struct append *append, unsigned placed, unsigned before)
{
	uint32_t first;

	for (int tries = 0; tries < 100 && fixture_count(f, "cur", "") < before + placed; tries++)
		CU_ASSERT_EQUAL(commit_step(f, append, 1, &first), -EINPROGRESS);
	CU_ASSERT_EQUAL(fixture_count(f, "cur", ""), before + placed);
}

/* Between two steps of a commit others see the mailbox as it was, and wait for the lock. */
static void test_commit_in_steps(void)
{
	struct fixture f;
	uint32_t first = 0, second = 0;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	struct append *many = finished_append(&f, 5), *one = finished_append(&f, 1);

	step_until_placed(&f, many, 2, 0);
	CU_ASSERT(fixture_exists(&f, "dovecot-uidlist.lock"));
	fixture_write(&f, "new/1700000001.M1P1.agent", "delivered\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), -EAGAIN);
	CU_ASSERT_EQUAL(commit_step(&f, one, 1000, &second), -EAGAIN);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(commit_step(&f, many, 2, &first), -EINPROGRESS);
	CU_ASSERT_EQUAL(commit_step(&f, many, 4, &first), 0);
	CU_ASSERT_EQUAL(first, 1);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5");
	CU_ASSERT_EQUAL(commit(&f, one, &second), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6 7");
	CU_ASSERT_EQUAL(second, 7);
	append_free(many);
	append_free(one);

	many = finished_append(&f, 5);
	step_until_placed(&f, many, 3, 7);
	append_free(many); /* the connection ends */
	CU_ASSERT_FALSE(fixture_exists(&f, "dovecot-uidlist.lock"));
	CU_ASSERT_EQUAL(fixture_count(&f, "tmp", ""), 0);
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6 7");
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
	{ "a commit in steps", test_commit_in_steps },
	{ "what nobody finished", test_leftovers },
	{ "a full disk", test_full_disk },
	{ "across file systems", test_across_file_systems },
	{ "without permission", test_without_permission },
	{ "killed at any instant", test_kill },
};

UNIT_MAIN("test_append", TESTS)
