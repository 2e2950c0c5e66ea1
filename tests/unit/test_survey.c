/* What restantectl mailbox verify finds, in Maildirs broken one way each. Nothing in them changes by it. */
#include "server/ctl/mail_verify.h"
#include "tests/unit/maildir_fixture.h"

#include <unistd.h>

static const char UIDLIST[] = "3 V1700000000 N10 G0123456789abcdef0123456789abcdef\n";

/* Kind, UID and file of each finding, a line each, "!" in front of what is a problem. */
static void describe(const struct survey *survey, struct buf *out)
{
	for (size_t i = 0; i < survey->n_findings; i++) {
		const struct finding *f = &survey->findings[i];

		CU_ASSERT_EQUAL(buf_addf(out, "%s%s %u %.*s\n", f->is_note ? "" : "!", f->kind,
					f->msg_uid, SLICE_FMT(f->file)),
			0);
		CU_ASSERT_TRUE(f->detail.n > 0);
	}
}

static struct slice verify(const struct fixture *f, bool quick, struct buf *out)
{
	_cleanup_buf_ struct buf nowhere = BUF(1);
	struct report report = { .fd = -1, .out = nowhere };
	struct survey survey;
	_cleanup_close_ int root_fd = open(f->path, O_RDONLY | O_DIRECTORY);
	struct verify_order order = {
		.name = SLICE("INBOX"),
		.quick = quick,
		.hostname = "test.example.org",
		.now_usec = clock_realtime_usec(),
		.report = &report,
	};

	CU_ASSERT_EQUAL_FATAL(survey_read(root_fd, ".", &survey), 0);
	verify_mailbox(&survey, &order);
	CU_ASSERT_TRUE(survey_is_current(&survey));
	describe(&survey, out);
	survey_done(&survey);
	return buf_slice(out);
}

static void expect(const struct fixture *f, const char *want)
{
	_cleanup_buf_ struct buf out = BUF(100000);
	struct slice got = verify(f, false, &out);

	CHECK(slice_equal(got, slice_str(want)), "got:\n%.*swant:\n%s", SLICE_FMT(got), want);
}

static void begin(struct fixture *f, const char *records)
{
	char text[4096];

	fixture_init(f);
	snprintf(text, sizeof text, "%s%s", UIDLIST, records);
	fixture_write(f, "dovecot-uidlist", text);
}

static void test_clean(void)
{
	struct fixture f;

	begin(&f, "1 W4 :1.a\n3 :2.b,S=5,W=6\n");
	fixture_write(&f, "cur/1.a:2,S", "x\n\n"); /* with CRLF 5 */
	expect(&f, "!wrong-size 1 cur/1.a:2,S\nno-file 3 2.b,S=5,W=6\n");
	fixture_write(&f, "cur/1.a:2,S", "x\n."); /* with CRLF 4 */
	fixture_write(&f, "cur/2.b,S=5,W=6:2,", "ab\ncd");
	fixture_write(&f, "new/3.c", "new mail has no UID yet");
	expect(&f, "");
	fixture_done(&f);
}

static void test_sizes(void)
{
	struct fixture f;
	_cleanup_buf_ struct buf quick = BUF(1000);

	begin(&f, "1 :1.a,S=5,W=6\n2 S9 :2.b\n");
	fixture_write(&f, "cur/1.a,S=5,W=6:2,", "a\nb\nc\n");
	fixture_write(&f, "cur/2.b:2,", "12345678");
	expect(&f, "!wrong-size 1 cur/1.a,S=5,W=6:2,\n!wrong-size 1 "
		   "cur/1.a,S=5,W=6:2,\n!wrong-size 2 cur/2.b:2,\n");
	CU_ASSERT_TRUE(slice_equal(verify(&f, true, &quick),
		SLICE("!wrong-size 1 cur/1.a,S=5,W=6:2,\n!wrong-size 2 cur/2.b:2,\n")));
	fixture_done(&f);
}

static void test_uids(void)
{
	struct fixture f;

	begin(&f, "1 :1.a\n2 :2.b\n5 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "x");
	fixture_write(&f, "cur/9.z:2,", "x");
	expect(&f, "!duplicate-uid 1 cur/1.a:2,\n!no-uid 0 cur/9.z:2,\nno-file 2 2.b\n");
	fixture_done(&f);
}

static void test_names(void)
{
	struct fixture f;

	begin(&f, "1 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "x");
	fixture_write(&f, "cur/1.a:2,S", "x");
	fixture_write(&f, "new/1.a", "x");
	expect(&f, "!duplicate-name 0 cur/1.a:2,S\n!duplicate-name 0 new/1.a\n");
	fixture_done(&f);
}

static void test_odd_files(void)
{
	struct fixture f;

	begin(&f, "");
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "cur/fifo"), 0600), 0);
	expect(&f, "!odd-file 0 cur/fifo\n");
	unlink(fixture_path(&f, "cur/fifo"));
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "new/link")), 0);
	expect(&f, "!odd-file 0 new/link\n");
	unlink(fixture_path(&f, "new/link"));
	CU_ASSERT_EQUAL(mkdir(fixture_path(&f, "cur/directory"), 0700), 0);
	expect(&f, "!odd-file 0 cur/directory\n");
	rmdir(fixture_path(&f, "cur/directory"));
	fixture_write(&f, "cur/1.a\nb:2,", "x");
	expect(&f, "!odd-file 0 cur/1.a\nb:2,\n");
	fixture_done(&f);
}

static void test_broken_uidlist(void)
{
	struct fixture f;

	begin(&f, "2 :1.a\n1 :2.b\nrubbish\n3 :3.c");
	fixture_write(&f, "cur/1.a:2,", "x");
	expect(&f, "!uidlist-broken 0 dovecot-uidlist\n!uidlist-broken 0 dovecot-uidlist\n"
		   "uidlist-unfinished 0 dovecot-uidlist\n");
	fixture_write(&f, "dovecot-uidlist", "4 what\n");
	expect(&f, "!uidlist-broken 0 dovecot-uidlist\n");
	unlink(fixture_path(&f, "dovecot-uidlist"));
	expect(&f, "no-uidlist 0 dovecot-uidlist\n");
	fixture_write(&f, "courierimapuiddb", "1 1700000000 8\n7 1.a\n");
	expect(&f, "courier 0 courierimapuiddb\n");
	fixture_done(&f);
}

static void test_keywords(void)
{
	struct fixture f;

	begin(&f, "1 :1.a\n");
	fixture_write(&f, "cur/1.a:2,Sab", "x");
	fixture_write(&f, "dovecot-keywords", "0 first\n");
	expect(&f, "!nameless-keyword 0 dovecot-keywords\n");
	fixture_append(&f, "dovecot-keywords", "1 second\n");
	fixture_write(&f, "restante-keywords", "1 restante-keywords\nK 26 third\nM 26 1.a\nwhat\n");
	expect(&f, "!keywords-broken 0 restante-keywords\n");
	fixture_done(&f);
}

static void test_locks_and_leftovers(void)
{
	struct fixture f;
	char text[100];

	begin(&f, "");
	snprintf(text, sizeof text, "%d:test.example.org", (int)getpid());
	fixture_write(&f, "dovecot-uidlist.lock", text);
	expect(&f, "");
	fixture_age(&f, "dovecot-uidlist.lock");
	expect(&f, "!stale-lock 0 dovecot-uidlist.lock\n");
	fixture_write(&f, "dovecot-uidlist.lock", "2147483647:test.example.org");
	expect(&f, "!stale-lock 0 dovecot-uidlist.lock\n");
	fixture_write(&f, "dovecot-uidlist.lock", "2147483647:other.example.org");
	expect(&f, "");
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	rmdir(fixture_path(&f, "tmp"));
	expect(&f, "!missing-directory 0 tmp\n");
	mkdir(fixture_path(&f, "tmp"), 0700);
	fixture_done(&f);
}

/* A message is found again when its flags were changed meanwhile; a link in its place is not followed. */
static void test_open(void)
{
	struct fixture f;
	struct survey survey;
	char byte;

	begin(&f, "1 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "x");
	_cleanup_close_ int root_fd = open(f.path, O_RDONLY | O_DIRECTORY);

	CU_ASSERT_EQUAL_FATAL(survey_read(root_fd, ".", &survey), 0);
	CU_ASSERT_EQUAL_FATAL(survey.n_files, 1);
	fixture_rename(&f, "cur/1.a:2,", "cur/1.a:2,S");
	CU_ASSERT_FALSE(survey_is_current(&survey));
	int fd = survey_open(&survey, &survey.files[0]);

	CU_ASSERT_EQUAL(fd >= 0 ? read(fd, &byte, 1) : fd, 1);
	close(fd);
	unlink(fixture_path(&f, "cur/1.a:2,S"));
	CU_ASSERT_EQUAL(survey_open(&survey, &survey.files[0]), -ENOENT);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "cur/1.a:2,")), 0);
	CU_ASSERT_EQUAL(survey_open(&survey, &survey.files[0]), -EINVAL);
	survey_done(&survey);
	CU_ASSERT_EQUAL(survey_read(root_fd, ".None", &survey), -ENOENT);
	survey_done(&survey);
	CU_ASSERT_EQUAL(symlink(".", fixture_path(&f, ".Link")), 0);
	CU_ASSERT_EQUAL(survey_read(root_fd, ".Link", &survey), -ELOOP);
	survey_done(&survey);
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "clean", test_clean },
	{ "sizes", test_sizes },
	{ "UIDs", test_uids },
	{ "names", test_names },
	{ "odd files", test_odd_files },
	{ "broken uidlist", test_broken_uidlist },
	{ "keywords", test_keywords },
	{ "locks and leftovers", test_locks_and_leftovers },
	{ "open", test_open },
};

UNIT_MAIN("survey", tests)
