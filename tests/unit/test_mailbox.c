#include "base/arena.h"
#include "tests/unit/maildir_fixture.h"

static void fill(struct fixture *f, unsigned n)
{
	for (unsigned i = 1; i <= n; i++) {
		char name[64], text[64];

		snprintf(name, sizeof name, "cur/%u.a:2,", i);
		snprintf(text, sizeof text, "message %u\n", i);
		fixture_write(f, name, text);
	}
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
}

static void test_open(void)
{
	struct fixture f;
	struct mailbox *other;

	fixture_init(&f);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("InBoX"), &other), 0);
	CU_ASSERT_PTR_EQUAL(other, f.mailbox);
	CU_ASSERT(slice_equal(mailbox_name(other), SLICE("INBOX")));
	mailbox_close(other);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("Work"), &other), -ENOENT);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE(""), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a//b"), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("/a"), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a/"), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a\0b"), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("a\nb"), &other), -EINVAL);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE(".."), &other), -ENOENT);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("../x"), &other), -ENOENT);
	mkdir(fixture_path(&f, ".Work.2026"), 0700);
	mkdir(fixture_path(&f, ".Work.2026/cur"), 0700);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("Work/2026"), &other), 0);

	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(mailbox_sync(other, &work), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT(mailbox_uidvalidity(other) < mailbox_uidvalidity(f.mailbox));
	mailbox_close(other);
	CU_ASSERT_EQUAL(symlink(".Work.2026", fixture_path(&f, ".Link")), 0);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("Link"), &other), -ELOOP);
	CU_ASSERT_EQUAL(store_lock_maildrop(f.store), 0);
	CU_ASSERT_EQUAL(store_lock_maildrop(f.store), -EBUSY);
	store_unlock_maildrop(f.store);
	CU_ASSERT_EQUAL(store_lock_maildrop(f.store), 0);
	fixture_done(&f);
}

static void test_made_with_modes(void)
{
	static const char *const PARTS[] = { "cur", "new", "tmp" };
	struct fixture f;
	struct stat st;

	fixture_init(&f);
	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(stat(fixture_path(&f, PARTS[i]), &st), 0);
		CU_ASSERT_EQUAL(st.st_mode, S_IFDIR | 0700);
	}
	fixture_close(&f);
	CU_ASSERT_EQUAL(fixture_open_format(&f, "%v", FSYNC_NEVER), -EINVAL);
	CU_ASSERT_EQUAL(fixture_open(&f), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(stat(fixture_path(&f, "dovecot-uidlist"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	fixture_done(&f);
}

static void test_store_flags(void)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f, 3);

	uint64_t before = mailbox_highestmodseq(f.mailbox);

	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,FS"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN | FLAG_FLAGGED);
	CU_ASSERT(mailbox_message(f.mailbox, 1)->modseq > before);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->modseq, mailbox_highestmodseq(f.mailbox));
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REMOVE, FLAG_SEEN, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,F"));
	CU_ASSERT_EQUAL(
		fixture_store(&f, 1, FLAGS_REPLACE, FLAG_DELETED | FLAG_DRAFT | FLAG_ANSWERED, 0),
		0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,DRT"));

	/* Nothing to change: nothing is stamped. */
	before = mailbox_highestmodseq(f.mailbox);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_DELETED, 0), 0);
	CU_ASSERT_EQUAL(mailbox_highestmodseq(f.mailbox), before);

	/* A message that is not there is passed over. */
	CU_ASSERT_EQUAL(fixture_store(&f, 77, FLAGS_ADD, FLAG_DELETED, 0), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3");
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_DELETED | FLAG_DRAFT | FLAG_ANSWERED);
	fixture_done(&f);
}

static void test_other_letters_stay(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a,S=2,Q=x:2,SXZ,future", "a\n");
	fixture_write(&f, "cur/2.b", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REPLACE, FLAG_FLAGGED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a,S=2,Q=x:2,FXZ,future"));
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/2.b:2,S"));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED);
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_SEEN);
	fixture_done(&f);
}

/* Many messages, a budget that is small, another program that renames meanwhile, UNCHANGEDSINCE. */
static void test_store_in_steps(void)
{
	enum { N = 50 };
	struct fixture f;
	uint32_t uids[N];
	bool modified[N] = { false };
	size_t done = 0;
	unsigned steps = 0;

	fixture_init(&f);
	fill(&f, N);
	for (uint32_t i = 0; i < N; i++)
		uids[i] = i + 1;
	fixture_rename(&f, "cur/10.a:2,", "cur/10.a:2,F");
	unlink(fixture_path(&f, "cur/20.a:2,"));
	f.budget = 7;

	struct flags_change change = {
		.operation = FLAGS_ADD, .flags = FLAG_SEEN, .unchangedsince = UINT64_MAX
	};
	int r;

	do {
		struct work work = fixture_work(&f);

		r = mailbox_store_flags(f.mailbox, uids, N, &done, &change, modified, &work);
		steps++;
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(done, N);
	CU_ASSERT(steps > N / 7);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_flags(&f, 10), FLAG_SEEN | FLAG_FLAGGED);
	CU_ASSERT_EQUAL(fixture_flags(&f, 20), UINT32_MAX);
	CU_ASSERT_EQUAL(fixture_flags(&f, 50), FLAG_SEEN);

	/* RFC 7162 3.1.3 */
	uint64_t modseq = mailbox_message(f.mailbox, 50)->modseq;

	f.budget = 1000;
	CU_ASSERT_EQUAL(fixture_store(&f, 50, FLAGS_ADD, FLAG_ANSWERED, 0), 0);

	struct work work = fixture_work(&f);
	uint32_t two[] = { 49, 50 };
	bool two_modified[2] = { false };

	done = 0;
	change.unchangedsince = modseq;
	change.operation = FLAGS_REPLACE; /* all flags count */
	change.flags = FLAG_SEEN | FLAG_DELETED;
	CU_ASSERT_EQUAL(
		mailbox_store_flags(f.mailbox, two, 2, &done, &change, two_modified, &work), 0);
	CU_ASSERT_FALSE(two_modified[0]);
	CU_ASSERT(two_modified[1]);
	CU_ASSERT_EQUAL(fixture_flags(&f, 49), FLAG_SEEN | FLAG_DELETED);
	CU_ASSERT_EQUAL(fixture_flags(&f, 50), FLAG_SEEN | FLAG_ANSWERED);
	fixture_done(&f);
}

static int create_keyword(struct fixture *f, const char *name)
{
	struct work work = fixture_work(f);

	return mailbox_find_keyword(f->mailbox, slice_str(name), true, &work);
}

static void test_keywords(void)
{
	struct fixture f;
	struct work work;

	fixture_init(&f);
	fill(&f, 2);
	work = fixture_work(&f);
	CU_ASSERT_EQUAL(mailbox_find_keyword(f.mailbox, SLICE("foo"), false, &work), -ENOENT);
	CU_ASSERT_EQUAL(create_keyword(&f, "foo"), 0);
	CU_ASSERT_EQUAL(create_keyword(&f, "FOO"), 0);
	CU_ASSERT_EQUAL(create_keyword(&f, "bar"), 1);
	CU_ASSERT_EQUAL(create_keyword(&f, "bad name"), -EINVAL);
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "dovecot-keywords"), "0 foo\n1 bar\n");
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, 0, 3), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,ab"));
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, 3);

	/* Another program names more, and uses a letter without a name. */
	fixture_write(&f, "dovecot-keywords", "0 foo\n1 bar\n3 baz\n");
	fixture_rename(&f, "cur/2.a:2,", "cur/2.a:2,df");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 2)->keywords, 1 << 3 | 1 << 5);
	CU_ASSERT(slice_equal(mailbox_keyword(f.mailbox, 3), SLICE("baz")));
	CU_ASSERT_PTR_NULL(mailbox_keyword(f.mailbox, 2).p);
	CU_ASSERT(slice_equal(mailbox_keyword(f.mailbox, 5), SLICE("unknown-5")));
	CU_ASSERT_EQUAL(create_keyword(&f, "new"), 2);
	fixture_done(&f);
}

/* The letters run out after 26; the rest must survive all the same. */
static void test_keywords_beyond(void)
{
	struct fixture f;
	char name[16];

	fixture_init(&f);
	fill(&f, 3);
	for (int i = 0; i < LIMIT_KEYWORDS; i++) {
		snprintf(name, sizeof name, "k%d", i);
		CU_ASSERT_EQUAL_FATAL(create_keyword(&f, name), i);
	}
	CU_ASSERT_EQUAL(create_keyword(&f, "one-too-many"), -E2BIG);

	const uint64_t some = 1ULL << 63 | 1ULL << 26 | 1ULL << 2;

	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, some), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_ADD, 0, some), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_REMOVE, 0, 1ULL << 26), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_REPLACE, 0, some), 0);
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_REPLACE, FLAG_SEEN, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,Sc"));
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, some);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 2)->keywords, (1ULL << 63 | 1ULL << 2));
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 3)->keywords, 0);
	CU_ASSERT(slice_equal(mailbox_keyword(f.mailbox, 63), SLICE("k63")));

	/* Another of our servers, on another host, changes the file. */
	fixture_append(&f, "restante-keywords", "M 27 3.a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 3)->keywords, 1ULL << 27);

	/* Renamed by another program: the base name is what counts. */
	fixture_rename(&f, "cur/1.a:2,Sc", "cur/1.a:2,");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, (1ULL << 63 | 1ULL << 26));

	/* Out-of-date lines do not pile up. */
	for (int i = 0; i < 600; i++)
		CU_ASSERT_EQUAL_FATAL(
			fixture_store(&f, 1, i % 2 ? FLAGS_ADD : FLAGS_REMOVE, 0, 1ULL << 30), 0);
	fixture_write(&f, "new/9.b", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_write(&f, "cur/9.c", "c\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT(strlen(fixture_read(&f, "restante-keywords")) < 1000);
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(
		mailbox_message(f.mailbox, 1)->keywords, (1ULL << 63 | 1ULL << 30 | 1ULL << 26));
	fixture_done(&f);
}

/* P is what mail readers on the host know, a keyword of that name what Dovecot knows. */
static void test_forwarded(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-keywords", "0 foo\n1 $Forwarded\n");
	fixture_write(&f, "cur/1.a:2,P", "a\n");
	fixture_write(&f, "cur/2.b:2,b", "b\n");
	fixture_write(&f, "cur/3.c:2,a", "c\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FORWARDED);
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_FORWARDED);
	CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 2)->keywords, 0);
	CU_ASSERT_PTR_NULL(mailbox_keyword(f.mailbox, 1).p);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,PSb"));
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REMOVE, FLAG_FORWARDED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,S"));
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_ADD, FLAG_FORWARDED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/3.c:2,ab"));
	CU_ASSERT_EQUAL(fixture_store(&f, 3, FLAGS_REMOVE, FLAG_FORWARDED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/3.c:2,a"));
	CU_ASSERT_EQUAL(fixture_store(&f, 2, FLAGS_REMOVE, FLAG_FORWARDED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/2.b:2,"));
	CU_ASSERT_EQUAL(
		fixture_store(&f, 2, FLAGS_ADD, 0, 1 << 1), 0); /* asked for by its number */
	CU_ASSERT(fixture_exists(&f, "cur/2.b:2,b"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_FORWARDED);
	fixture_done(&f);

	fixture_init(&f);
	fill(&f, 1);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_FORWARDED, 0), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1.a:2,a"));
	CU_ASSERT_STRING_EQUAL(fixture_read(&f, "dovecot-keywords"), "0 $Forwarded\n");
	fixture_done(&f);
}

static void test_expunge(void)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f, 200);

	uint64_t modseq = mailbox_highestmodseq(f.mailbox);

	CU_ASSERT_EQUAL(fixture_expunge(&f, 200), 0);
	CU_ASSERT(mailbox_highestmodseq(f.mailbox) > modseq);
	CU_ASSERT_PTR_NULL(mailbox_message(f.mailbox, 200));
	CU_ASSERT_FALSE(fixture_exists(&f, "cur/200.a:2,"));
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 201);

	/* Renamed by another program, and removed by it. */
	fixture_rename(&f, "cur/199.a:2,", "cur/199.a:2,T");
	unlink(fixture_path(&f, "cur/198.a:2,"));
	CU_ASSERT_EQUAL(fixture_expunge(&f, 199), 0);
	CU_ASSERT_EQUAL(fixture_expunge(&f, 198), 0);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 197);

	/* In steps, until the uidlist is worth a rewrite; the UIDs are never given again. */
	uint32_t uids[197];
	size_t done = 0;
	int r;

	for (uint32_t i = 0; i < 197; i++)
		uids[i] = i + 1;
	f.budget = 10;
	do {
		struct work work = fixture_work(&f);

		r = mailbox_expunge(f.mailbox, uids, 197, &done, &work);
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(strncmp(fixture_read(&f, "dovecot-uidlist"), "3 V", 3), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture_read(&f, "dovecot-uidlist"), " N201 G"));
	CU_ASSERT_EQUAL(strlen(strchr(fixture_read(&f, "dovecot-uidlist"), '\n')), 1);
	fixture_reopen(&f);
	f.budget = 1000;
	fixture_write(&f, "new/1.x", "x\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "201");
	fixture_done(&f);
}

static const struct {
	const char *name, *text;
	uint64_t octets;
} SIZES[] = {
	{ "cur/1.a:2,", "a\nb\n", 6 },
	{ "cur/2.b:2,", "a\r\nb\n", 6 },
	{ "cur/3.c:2,", "", 0 },
	{ "cur/4.d,S=4,W=6:2,", "a\nb\n", 6 },
	{ "cur/5.e,S=4:2,", "a\nb\n", 6 },
	{ "cur/6.f,S=4,W=1:2,", "a\nb\n", 6 }, /* cannot be: counted */
	{ "cur/7.g:2,", "no end", 6 },
	{ "cur/8.h:2,", "a\rb\n", 5 },
};
enum { SIZES_COUNT = sizeof SIZES / sizeof *SIZES };

static uint64_t size_of(struct fixture *f, uint32_t msg_uid)
{
	uint64_t octets = UINT64_MAX;
	int r;

	do {
		struct work work = fixture_work(f);

		r = mailbox_rfc822_size(f->mailbox, msg_uid, &work, &octets);
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL(r, 0);
	return octets;
}

static void test_sizes(void)
{
	struct fixture f;
	uint64_t octets;

	fixture_init(&f);
	for (size_t i = 0; i < SIZES_COUNT; i++)
		fixture_write(&f, SIZES[i].name, SIZES[i].text);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 0; i < SIZES_COUNT; i++)
			CHECK(size_of(&f, i + 1) == SIZES[i].octets, "row %u", i);

	/* A large one, in steps, several at a time. */
	FILE *large = fopen(fixture_path(&f, "new/9.large"), "w");

	for (int i = 0; i < 100000; i++)
		fputs("0123456789\n", large);
	fclose(large);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	f.budget = 1;
	CU_ASSERT_EQUAL(size_of(&f, SIZES_COUNT + 1), 1200000);

	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(mailbox_rfc822_size(f.mailbox, 99, &work, &octets), -ENOENT);
	unlink(fixture_path(&f, "cur/1.a:2,"));
	fixture_reopen(&f);
	fixture_write(&f, "cur/1.a:2,", "a\nb\n");
	f.budget = 1000;
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	unlink(fixture_path(&f, "cur/1.a:2,"));
	work = fixture_work(&f);
	CU_ASSERT_EQUAL(mailbox_rfc822_size(f.mailbox, 1, &work, &octets), -ENOENT);
	fixture_done(&f);
}

static void test_files(void)
{
	struct fixture f;
	int64_t seconds;
	struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	fixture_init(&f);
	fill(&f, 4);
	utimensat(AT_FDCWD, fixture_path(&f, "cur/1.a:2,"), times, 0);
	utimensat(AT_FDCWD, fixture_path(&f, "cur/2.a:2,"), times, 0);
	CU_ASSERT(mailbox_internaldate(f.mailbox, 1, &seconds) == 0 && seconds == 1000000000);
	CU_ASSERT_EQUAL(mailbox_internaldate(f.mailbox, 9, &seconds), -ENOENT);

	/* Another program changes flags: the file is found. */
	fixture_rename(&f, "cur/2.a:2,", "cur/2.a:2,FS");
	CU_ASSERT(fixture_is(&f, 2, "message 2\n"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), FLAG_FLAGGED | FLAG_SEEN);
	fixture_rename(&f, "cur/2.a:2,FS", "cur/2.a:2,S");
	CU_ASSERT(mailbox_internaldate(f.mailbox, 2, &seconds) == 0 && seconds == 1000000000);
	unlink(fixture_path(&f, "cur/3.a:2,"));
	CU_ASSERT_EQUAL(mailbox_open_file(f.mailbox, 3), -ENOENT);

	/* Something else is in its place now. */
	unlink(fixture_path(&f, "cur/4.a:2,"));
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "cur/4.a:2,")), 0);
	CU_ASSERT_EQUAL(mailbox_open_file(f.mailbox, 4), -EINVAL);
	unlink(fixture_path(&f, "cur/4.a:2,"));
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "cur/4.a:2,"), 0600), 0);
	CU_ASSERT_EQUAL(mailbox_open_file(f.mailbox, 4), -EINVAL);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	fixture_done(&f);
}

static void test_uidl(void)
{
	static const char *const WANT[] = { "old-uidl", "2.b", "3.c", "000000040000007b" };
	_cleanup_arena_ struct arena arena = { 0 };
	struct fixture f;
	uint32_t order[4];
	struct slice uidl;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidlist",
		"3 V123 N5 G00496d127b02026ba929000083ecc375 P%f\n1 Pold-uidl O7 :1.a\n2 P :2.b\n3 "
		"P3.c O5 :3.c\n4 :4.d\n");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b:2,", "b\n");
	fixture_write(&f, "cur/3.c:2,", "c\n");
	fixture_write(&f, "cur/4.d:2,", "d\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (uint32_t i = 0; i < 4; i++) {
		CU_ASSERT_EQUAL(mailbox_uidl(f.mailbox, i + 1, &arena, &uidl), 0);
		CHECK(slice_equal(uidl, slice_str(WANT[i])), "%u: %.*s", i, SLICE_FMT(uidl));
	}
	CU_ASSERT_EQUAL(mailbox_uidl(f.mailbox, 9, &arena, &uidl), -ENOENT);
	mailbox_pop3_order(f.mailbox, order);
	CU_ASSERT(order[0] == 3 && order[1] == 1 && order[2] == 2 && order[3] == 4);
	fixture_done(&f);
}

static void test_fsync_modes(void)
{
	for (enum fsync_mode mode = FSYNC_OPTIMIZED; mode <= FSYNC_NEVER; mode++) {
		struct fixture f;

		fixture_init(&f);
		fixture_close(&f);
		CU_ASSERT_EQUAL_FATAL(fixture_open_format(&f, "%u", mode), 0);
		fill(&f, 3);
		CU_ASSERT_EQUAL(create_keyword(&f, "k"), 0);
		CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 1), 0);
		CU_ASSERT_EQUAL(fixture_expunge(&f, 2), 0);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 3");
		fixture_done(&f);
	}
}

static const struct unit_test TESTS[] = {
	{ "mailboxes are opened", test_open },
	{ "a Maildir is made", test_made_with_modes },
	{ "flags", test_store_flags },
	{ "letters of others stay", test_other_letters_stay },
	{ "flags in steps", test_store_in_steps },
	{ "keywords", test_keywords },
	{ "keywords beyond the letters", test_keywords_beyond },
	{ "$Forwarded", test_forwarded },
	{ "expunge", test_expunge },
	{ "sizes", test_sizes },
	{ "files", test_files },
	{ "unique-ids and order of POP3", test_uidl },
	{ "fsync modes", test_fsync_modes },
};

UNIT_MAIN("test_mailbox", TESTS)
