#include "maildir/mailbox_state.h"
#include "tests/unit/maildir_fixture.h"

#include <signal.h>
#include <sys/wait.h>

static void test_empty(void)
{
	struct fixture f;

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 1);
	CU_ASSERT(mailbox_uidvalidity(f.mailbox) > 1700000000);
	CU_ASSERT_EQUAL(mailbox_guid(f.mailbox).n, 32);
	CU_ASSERT(fixture_exists(&f, "dovecot-uidlist"));
	CU_ASSERT(fixture_exists(&f, "dovecot-uidvalidity"));
	CU_ASSERT_FALSE(fixture_exists(&f, "dovecot-uidlist.lock"));

	uint32_t uidvalidity = mailbox_uidvalidity(f.mailbox);

	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_uidvalidity(f.mailbox), uidvalidity);
	fixture_done(&f);
}

static void test_new_mail(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "new/1700000002.M1P1.host", "two\n");
	fixture_write(&f, "new/1700000001.M30P1.host", "one b\n");
	fixture_write(&f, "new/1700000001.M4P1.host", "one a\n");
	fixture_write(&f, "cur/1700000000.M1P1.host:2,FS", "zero\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	CU_ASSERT(fixture_is(&f, 1, "zero\n"));
	CU_ASSERT(fixture_is(&f, 2, "one a\n"));
	CU_ASSERT(fixture_is(&f, 3, "one b\n"));
	CU_ASSERT(fixture_is(&f, 4, "two\n"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED | FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_flags(&f, 4), 0);
	CU_ASSERT_EQUAL(fixture_count(&f, "new", ""), 0);
	CU_ASSERT(fixture_exists(&f, "cur/1700000002.M1P1.host:2,"));
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 5);

	uint64_t modseq = mailbox_highestmodseq(f.mailbox);

	fixture_write(&f, "new/1600000000.M1P1.host", "late\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5");
	CU_ASSERT(fixture_is(&f, 5, "late\n"));
	CU_ASSERT(mailbox_highestmodseq(f.mailbox) > modseq);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(fixture_read(&f, "dovecot-uidlist"), "\n5 :1600000000.M1P1.host\n"));

	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5");
	CU_ASSERT(fixture_is(&f, 5, "late\n"));
	fixture_done(&f);
}

static void test_small_steps(void)
{
	struct fixture f;

	fixture_init(&f);
	f.budget = 1;
	for (int i = 0; i < 20; i++) {
		char name[64];

		snprintf(name, sizeof name, "new/17000000%02d.M1P1.host", i);
		fixture_write(&f, name, "x\n");
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT(f.steps >= 40);
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 21);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 20);
	fixture_done(&f);
}

static void test_changes_by_others(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b:2,S", "b\n");
	fixture_write(&f, "cur/3.c:2,", "c\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3");

	uint64_t changes = store_change_count(f.store);

	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(store_change_count(f.store), changes);
	fixture_rename(&f, "cur/1.a:2,", "cur/1.a:2,FRT");
	fixture_rename(&f, "cur/2.b:2,S", "cur/2.b:2,");
	unlink(fixture_path(&f, "cur/3.c:2,"));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED | FLAG_ANSWERED | FLAG_DELETED);
	CU_ASSERT_EQUAL(fixture_flags(&f, 2), 0);
	CU_ASSERT(store_change_count(f.store) > changes);

	/* What was seen to be gone and comes back is a new message. */
	fixture_write(&f, "cur/3.c:2,", "c again\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 4");
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 4");
	CU_ASSERT(fixture_is(&f, 4, "c again\n"));
	fixture_done(&f);
}

/* A change in the same tick of the clock as the last look is found when the stamp has grown old. */
static void test_same_second(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	struct stat before;

	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	stat(fixture_path(&f, "cur"), &before);
	fixture_rename(&f, "cur/1.a:2,", "cur/1.a:2,S");

	struct timespec times[2] = { before.st_atim, before.st_mtim };

	utimensat(AT_FDCWD, fixture_path(&f, "cur"), times,
		0); /* only the ctime tells now; coarse file systems say nothing */
	f.now_usec = clock_realtime_usec() + 10 * USEC_PER_SEC;
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);
	fixture_done(&f);
}

static void test_uidlist_of_others(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidlist",
		"3 V1234 N10 G00496d127b02026ba929000083ecc375 Zkeep\n3 W99 Xfuture Pold-uidl O2 "
		":1.a\n5 :gone\n7 :2.b,S=2\n");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b,S=2:2,", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3 7");
	CU_ASSERT_EQUAL(mailbox_uidvalidity(f.mailbox), 1234);
	CU_ASSERT_EQUAL(mailbox_uidnext(f.mailbox), 10);

	/* Another program gives UIDs while we have the mailbox open, and delivers more. */
	fixture_write(&f, "cur/3.c:2,", "c\n");
	fixture_append(&f, "dovecot-uidlist", "12 :3.c\n");
	fixture_write(&f, "new/4.d", "d\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3 7 12 13");
	CU_ASSERT(fixture_is(&f, 12, "c\n"));
	CU_ASSERT(fixture_is(&f, 13, "d\n"));

	/* It rewrites the file: what we know stays, and what it dropped gets a new UID if the file is there. */
	fixture_write(&f, "uidlist-2",
		"3 V1234 N14 G00496d127b02026ba929000083ecc375 Zkeep\n3 W99 Xfuture Pold-uidl O2 "
		":1.a\n12 :3.c\n13 :4.d\n");
	fixture_rename(&f, "uidlist-2", "dovecot-uidlist");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3 12 13 14");
	CU_ASSERT(fixture_is(&f, 14, "b\n"));
	fixture_done(&f);
}

static void test_unknown_fields_survive(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(
		&f, "dovecot-uidlist", "3 V1234 N10 Zkeep\n3 W99 Xfuture Pold-uidl O2 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0); /* no GUID: written anew */

	const char *text = fixture_read(&f, "dovecot-uidlist");

	CU_ASSERT_PTR_NOT_NULL(strstr(text, " Zkeep\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n3 W99 Xfuture Pold-uidl O2 :1.a\n"));
	CU_ASSERT_EQUAL(strncmp(text, "3 V1234 N10 G", 13), 0);
	fixture_done(&f);
}

static void test_version_1_and_courier(void)
{
	static const char *const NAMES[] = { "dovecot-uidlist", "courierimapuiddb" };

	for (size_t i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		fixture_write(&f, NAMES[i], "1 777 8\n2 1.a\n6 2.b\n");
		fixture_write(&f, "cur/1.a:2,S", "a\n");
		fixture_write(&f, "cur/2.b:2,", "b\n");
		fixture_write(&f, "new/3.c", "c\n");
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "2 6 8");
		CU_ASSERT_EQUAL(mailbox_uidvalidity(f.mailbox), 777);
		CHECK(strncmp(fixture_read(&f, "dovecot-uidlist"), "3 V777 N9 G", 11) == 0, "%s",
			NAMES[i]);
		fixture_reopen(&f);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "2 6 8");
		fixture_done(&f);
	}
}

static const char *const BROKEN[] = {
	"",
	"garbage\n",
	"2 V1 N1\n",
	"3 V0 N1\n",
	"3 N1\n",
	"3 V1 N1\n5 :a\n5 :b\n",
	"3 V1 N1\n5 :a\n4 :b\n",
	"3 V1 N1\n5 a\n",
	"3 V1 N1\n4294967295 :a\n",
	"3 V1 N1\n0 :a\n",
	"3 V1 N1\n1 :a/b\n",
	"3 V1 N1\n\n",
};

static void test_broken_uidlist(void)
{
	for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
		struct fixture f;

		fixture_init(&f);
		fixture_write(&f, "dovecot-uidlist", BROKEN[i]);
		fixture_write(&f, "cur/a:2,", "a\n");
		CHECK(fixture_sync(&f) == 0, "row %zu", i);
		CHECK(strcmp(fixture_uids(&f), "1") == 0, "row %zu", i);
		CHECK(mailbox_uidvalidity(f.mailbox) > 1700000000, "row %zu", i);
		CHECK(f.log_lines == 1 && strstr(f.last_log, "kept as"), "row %zu: %s", i,
			f.last_log);
		CHECK(fixture_count(&f, ".", "dovecot-uidlist.broken-") == 1, "row %zu", i);
		fixture_done(&f);
	}
}

/* Whoever has the mailbox open when its UIDs lose their meaning must not go on. */
static void test_replaced_under_us(void)
{
	struct fixture f;
	struct mailbox *again;

	fixture_init(&f);
	fixture_write(&f, "cur/a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_write(&f, "x", "3 V99 N2 G00496d127b02026ba929000083ecc375\n1 :b\n");
	fixture_rename(&f, "x", "dovecot-uidlist");
	CU_ASSERT_EQUAL(fixture_sync(&f), -ESTALE);
	CU_ASSERT_EQUAL(fixture_sync(&f), -ESTALE);
	CU_ASSERT_EQUAL(mailbox_open(f.store, SLICE("INBOX"), &again), 0);
	CU_ASSERT_PTR_NOT_EQUAL(again, f.mailbox);
	mailbox_close(f.mailbox);
	f.mailbox = again;
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");
	fixture_done(&f);
}

static void test_unfinished_line(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidlist",
		"3 V1234 N1 G00496d127b02026ba929000083ecc375\n3 :1.a\n4 :2.");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b:2,", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3 4");
	CU_ASSERT_PTR_NOT_NULL(strstr(fixture_read(&f, "dovecot-uidlist"), "\n3 :1.a\n4 :2.b\n"));
	fixture_done(&f);
}

static void test_two_uids_for_one_file(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidlist",
		"3 V1234 N1 G00496d127b02026ba929000083ecc375\n3 :1.a\n4 :2.b\n9 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b:2,", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "4 9");

	/* While we have it open, too. */
	fixture_append(&f, "dovecot-uidlist", "11 :2.b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "9 11");
	fixture_done(&f);
}

static void test_new_and_cur(void)
{
	struct fixture f;

	fixture_init(&f);

	/* Known in cur/, and a second file of that name in new/. */
	fixture_write(&f, "cur/1.a:2,S", "first\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_write(&f, "new/1.a", "second\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	CU_ASSERT(fixture_is(&f, 1, "first\n"));
	CU_ASSERT(fixture_is(&f, 2, "second\n"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_count(&f, "new", ""), 0);

	/* Both unknown. */
	fixture_write(&f, "cur/5.b:2,", "third\n");
	fixture_write(&f, "new/5.b", "fourth\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4");
	CU_ASSERT(fixture_is(&f, 3, "third\n"));
	CU_ASSERT(fixture_is(&f, 4, "fourth\n"));

	/* Known from the uidlist, first look of this process. */
	fixture_write(&f, "new/1.a", "fifth\n");
	fixture_reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5");
	CU_ASSERT(fixture_is(&f, 1, "first\n"));
	CU_ASSERT(fixture_is(&f, 5, "fifth\n"));

	/* One file with two links is one message. */
	fixture_write(&f, "new/7.c", "sixth\n");
	CU_ASSERT_EQUAL(link(fixture_path(&f, "new/7.c"), fixture_path(&f, "cur/7.c:2,F")), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6");
	CU_ASSERT_EQUAL(fixture_flags(&f, 6), FLAG_FLAGGED);
	CU_ASSERT_EQUAL(fixture_count(&f, "new", ""), 0);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 6);
	fixture_done(&f);
}

static void test_name_twice(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,S", "first\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (int i = 0; i < 8; i++) { /* in whatever order the directory has them */
		char name[64], text[64];

		snprintf(name, sizeof name, "cur/1.a:2,%c", 'a' + i);
		snprintf(text, sizeof text, "other %d\n", i);
		fixture_write(&f, name, text);
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6 7 8 9");
	CU_ASSERT(fixture_is(&f, 1, "first\n"));
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_SEEN);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", ""), 9);

	/* Unknown ones, and hard links. */
	fixture_write(&f, "cur/9.z:2,", "z\n");
	CU_ASSERT_EQUAL(link(fixture_path(&f, "cur/9.z:2,"), fixture_path(&f, "cur/9.z:2,F")), 0);
	fixture_write(&f, "cur/8.y:2,", "y1\n");
	fixture_write(&f, "cur/8.y:2,F", "y2\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2 3 4 5 6 7 8 9 10 11 12");
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", "9.z"), 1);
	CU_ASSERT_EQUAL(fixture_count(&f, "cur", "8.y"), 1);
	fixture_done(&f);
}

static void test_no_messages(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.new\nline:2,", "x\n");
	fixture_write(&f, "cur/:2,S", "x\n");
	fixture_write(&f, "cur/.hidden", "x\n");
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "cur/3.fifo:2,"), 0600), 0);
	CU_ASSERT_EQUAL(mkdir(fixture_path(&f, "cur/4.dir:2,"), 0700), 0);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "cur/5.link:2,")), 0);
	CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, "new/6.fifo"), 0600), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");
	CU_ASSERT_EQUAL(f.log_lines, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(f.last_log, "6 files or directories"));
	fixture_write(&f, "cur/7.b:2,", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	CU_ASSERT_EQUAL(f.log_lines, 1); /* said once */
	CU_ASSERT(fixture_exists(&f, "cur/3.fifo:2,"));
	CU_ASSERT(fixture_exists(&f, "new/6.fifo"));
	fixture_done(&f);
}

/* Run as an ordinary user, in a child, since root may read everything. */
static void test_cur_without_permission(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_close(&f);
	chmod(f.path, 0755);
	chmod(fixture_path(&f, "cur"), 0000);

	pid_t pid = fork();

	if (pid == 0) {
		if (getuid() == 0 && setuid(65534) < 0)
			_exit(1);
		_exit(fixture_open(&f) == -EACCES && f.log_lines == 1 ? 0 : 2);
	}

	int status = -1;

	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	chmod(fixture_path(&f, "cur"), 0700);
	CU_ASSERT_EQUAL_FATAL(fixture_open(&f), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");

	/* The same while it is open. */
	chmod(f.path, 0700);
	pid = fork();
	if (pid == 0) {
		const struct message *messages;

		chmod(fixture_path(&f, "cur"), 0000);
		if (getuid() == 0 && setuid(65534) < 0)
			_exit(1);
		f.log_lines = 0;
		_exit(fixture_sync(&f) == -EACCES && f.log_lines == 1 &&
					mailbox_messages(f.mailbox, &messages) == 1
				? 0
				: 3);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	chmod(fixture_path(&f, "cur"), 0700);
	fixture_done(&f);
}

/* What cannot get a UID is not shown; what has one is. */
static void test_directory_not_writable(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_close(&f);
	fixture_write(&f, "cur/2.b:2,", "b\n");
	chmod(f.path, 0555);
	chmod(fixture_path(&f, "cur"), 0755);
	chmod(fixture_path(&f, "new"), 0755);
	chmod(fixture_path(&f, "tmp"), 0755);
	chmod(fixture_path(&f, "dovecot-uidlist"), 0644);

	pid_t pid = fork();

	if (pid == 0) {
		if (getuid() == 0 && setuid(65534) < 0)
			_exit(1);
		if (fixture_open(&f) < 0)
			_exit(2);
		f.log_lines = 0; /* that there is no index for us was said */
		if (fixture_sync(&f) != 0 || strcmp(fixture_uids(&f), "1") != 0)
			_exit(3);
		if (f.log_lines != 1 || !strstr(f.last_log, "cannot be written"))
			_exit(4);
		_exit(fixture_sync(&f) == 0 && f.log_lines == 1 ? 0 : 5);
	}

	int status = -1;

	waitpid(pid, &status, 0);
	CHECK(status == 0, "exit %d", WEXITSTATUS(status));
	chmod(f.path, 0755);
	CU_ASSERT_EQUAL_FATAL(fixture_open(&f), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	fixture_done(&f);
}

static void test_lock_held(void)
{
	struct fixture f;
	char text[64];

	fixture_init(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	snprintf(text, sizeof text, "%d:%s", (int)getppid(), "test.example.org");
	fixture_write(&f, "dovecot-uidlist.lock", text);
	fixture_write(&f, "new/1.a", "a\n");

	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(mailbox_sync(f.mailbox, &work), -EAGAIN);
	CU_ASSERT(work.retry_usec > 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "");
	CU_ASSERT_EQUAL(mailbox_sync(f.mailbox, &work), -EAGAIN);
	unlink(fixture_path(&f, "dovecot-uidlist.lock"));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1");
	fixture_done(&f);
}

/* Keywords that cannot be read are an error: messages are not shown as if they had none. Those known before stay. */
static void test_unreadable_keywords(void)
{
	static const char *const names[] = { "dovecot-keywords", "restante-keywords" };
	struct fixture f;

	for (size_t i = 0; i < 2; i++) {
		fixture_init(&f);
		fixture_write(&f, "cur/1.a:2,a", "a");
		CU_ASSERT_EQUAL(mkdir(fixture_path(&f, names[i]), 0700), 0);
		CU_ASSERT_EQUAL(fixture_sync(&f), -EINVAL);
		CU_ASSERT_EQUAL(rmdir(fixture_path(&f, names[i])), 0);
		fixture_write(&f, names[i], i == 0 ? "0 Work\n" : "1 restante-keywords\nK 26 Beyond\nM 26 1.a\n");
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);

		uint64_t keywords = mailbox_message(f.mailbox, 1)->keywords;

		CU_ASSERT_EQUAL(keywords, i == 0 ? 1 : 1 | UINT64_C(1) << 26);
		fixture_rename(&f, names[i], "kept");
		CU_ASSERT_EQUAL(mkfifo(fixture_path(&f, names[i]), 0600), 0);
		fixture_write(&f, "new/2.b", "b");
		CU_ASSERT_EQUAL(fixture_sync(&f), -EINVAL);
		CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, keywords);
		fixture_rename(&f, "kept", names[i]);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
		CU_ASSERT_EQUAL(mailbox_message(f.mailbox, 1)->keywords, keywords);
		fixture_done(&f);
	}
}

/* Courier's UIDs are read again under each lock: what was met under one that was lost is looked for once more. */
static void test_lock_lost(void)
{
	struct fixture f;
	const struct sync_state *sync;
	unsigned lost = 0;
	int r = -EINPROGRESS;

	fixture_init(&f);
	sync = &f.mailbox->sync;
	fixture_write(&f, "cur/1.a:2,", "a");
	fixture_write(&f, "cur/2.b:2,", "b");
	fixture_write(&f, "courierimapuiddb", "1 1700000000 8\n3 1.a\n7 2.b\n");
	fixture_age(&f, "cur");
	usleep(50000);
	while (r == -EINPROGRESS || r == -EAGAIN) {
		struct work work = { .now_usec = clock_realtime_usec(), .budget = 1 };

		r = mailbox_sync(f.mailbox, &work);
		if (lost == 0 && sync->phase == SYNC_SCAN_CUR && sync->have_lock) {
			CU_ASSERT_EQUAL(unlink(fixture_path(&f, "dovecot-uidlist.lock")), 0);
			lost++;
		}
	}
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(lost, 1);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "3 7");
	fixture_done(&f);
}

static void test_uids_run_out(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_write(&f, "dovecot-uidlist",
		"3 V1234 N4294967294 G00496d127b02026ba929000083ecc375\n3 :1.a\n");
	fixture_write(&f, "cur/1.a:2,", "a\n");
	fixture_write(&f, "cur/2.b:2,", "b\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_STRING_EQUAL(fixture_uids(&f), "1 2");
	CU_ASSERT(mailbox_uidvalidity(f.mailbox) > 1234);
	fixture_done(&f);
}

static void test_symlinked_parts(void)
{
	struct fixture f;

	fixture_init(&f);
	fixture_close(&f);
	fixture_rename(&f, "cur", "elsewhere");
	CU_ASSERT_EQUAL(symlink("elsewhere", fixture_path(&f, "cur")), 0);
	CU_ASSERT_EQUAL(fixture_open(&f), -ELOOP);
	unlink(fixture_path(&f, "cur"));
	fixture_rename(&f, "elsewhere", "cur");
	CU_ASSERT_EQUAL_FATAL(fixture_open(&f), 0);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", fixture_path(&f, "dovecot-uidlist")), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), -ELOOP);
	fixture_done(&f);
}

/* New and removed messages, and the watch. */
static void test_watch(void)
{
	struct fixture f;

	fixture_init(&f);

	int fd = store_watch(f.store);
	char byte;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(store_watch(f.store), fd);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	fixture_write(&f, "cur/1.a:2,", "a\n");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	store_watch_drain(f.store);
	CU_ASSERT(read(fd, &byte, 1) < 0 && errno == EAGAIN);
	fixture_rename(&f, "cur/1.a:2,", "cur/1.a:2,F");
	store_watch_drain(f.store);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	store_watch_drain(f.store);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_FLAGGED | FLAG_SEEN);

	/* When new/ is older than a tick of the clock it has been looked at for good. */
	usleep(50000);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	/* A change of our own costs no look at cur/, then or later; what another program does meanwhile is seen. */
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_REMOVE, FLAG_SEEN, 0), 0);
	store_watch_drain(f.store);

	struct work work = { .now_usec = clock_realtime_usec() + 60 * USEC_PER_SEC, .budget = 1000 };

	CU_ASSERT_EQUAL(mailbox_sync(f.mailbox, &work), 0);
	CU_ASSERT_EQUAL(work.budget, 1000);
	CU_ASSERT_EQUAL(fixture_store(&f, 1, FLAGS_ADD, FLAG_SEEN, 0), 0);
	fixture_rename(&f, "cur/1.a:2,FS", "cur/1.a:2,T");
	store_watch_drain(f.store);
	CU_ASSERT_EQUAL(mailbox_sync(f.mailbox, &work), 0);
	CU_ASSERT_EQUAL(fixture_flags(&f, 1), FLAG_DELETED);
	fixture_done(&f);
}

/* Other processes rename flags without pause while we scan: no message may seem to be gone. */
static void test_renaming_storm(void)
{
	enum { FILES = 300, ROUNDS = 30 };
	struct fixture f;
	char from[320], to[320];

	fixture_init(&f);
	for (int i = 0; i < FILES; i++) {
		snprintf(from, sizeof from, "cur/%d.a:2,", i);
		fixture_write(&f, from, "a\n");
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);

	pid_t pid = fork();

	if (pid == 0) {
		for (int round = 0;; round++) {
			for (int i = 0; i < FILES; i++) {
				snprintf(from, sizeof from, "%s/cur/%d.a:2,%s", f.path, i,
					round % 2 ? "S" : "");
				snprintf(to, sizeof to, "%s/cur/%d.a:2,%s", f.path, i,
					round % 2 ? "" : "S");
				rename(from, to);
			}
		}
	}
	f.budget = 50;
	for (int i = 0; i < ROUNDS; i++) {
		const struct message *messages;

		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		CHECK(mailbox_messages(f.mailbox, &messages) == FILES, "round %d", i);
		CHECK(mailbox_uidnext(f.mailbox) == FILES + 1, "round %d", i);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fixture_done(&f);
}

/* What a process does that is killed sooner or later. */
static void work_until_killed(struct fixture *f, unsigned seed)
{
	f->log.sink = NULL;
	if (fixture_open_format(f, "%u", FSYNC_NEVER) < 0)
		_exit(1);
	for (;;) {
		struct work work = fixture_work(f);
		uint32_t msg_uid = 1 + (uint32_t)rand_r(&seed) % 60;
		char name[16];

		if (fixture_sync(f) < 0)
			continue;
		snprintf(name, sizeof name, "k%u", (unsigned)rand_r(&seed) % 40);

		int number = mailbox_find_keyword(f->mailbox, slice_str(name), true, &work);

		if (number >= 0)
			(void)!fixture_store(f, msg_uid,
				rand_r(&seed) % 2 ? FLAGS_ADD : FLAGS_REMOVE, FLAG_SEEN,
				(uint64_t)1 << number);
		if (rand_r(&seed) % 20 == 0) {
			fixture_close(f);
			if (fixture_open_format(f, "%u", FSYNC_NEVER) < 0)
				_exit(1);
		}
	}
}

/* kill -9 at any moment: every message there once, every UID what it was, no lock left that lasts. */
static void test_killed(void)
{
	enum { ROUNDS = 60 };
	struct fixture f;
	char content[ROUNDS * 2 + 1][32] = { "" };
	unsigned seed = 11;
	uint32_t uidvalidity = 0;

	fixture_init(&f);
	for (unsigned round = 0; round < ROUNDS; round++) {
		char name[64], text[64];
		const struct message *messages;

		fixture_close(&f);

		pid_t pid = fork();

		if (pid == 0)
			work_until_killed(&f, round);
		snprintf(name, sizeof name, "new/%u.a", 1000 + round);
		snprintf(text, sizeof text, "message %u\n", round);
		fixture_write(&f, name, text);
		usleep(500 + (unsigned)rand_r(&seed) % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		CU_ASSERT_EQUAL_FATAL(fixture_open(&f), 0);
		CHECK(fixture_sync(&f) == 0, "round %u", round);
		if (uidvalidity == 0)
			uidvalidity = mailbox_uidvalidity(f.mailbox);
		CU_ASSERT_EQUAL(mailbox_uidvalidity(f.mailbox), uidvalidity);

		size_t n = mailbox_messages(f.mailbox, &messages);

		CHECK(n == round + 1, "round %u: %zu messages", round, n);
		for (size_t i = 0; i < n; i++) {
			uint32_t msg_uid = messages[i].msg_uid;

			CU_ASSERT_FATAL(msg_uid <= ROUNDS * 2);
			if (content[msg_uid][0] == '\0')
				snprintf(content[msg_uid], sizeof content[msg_uid], "message %u\n",
					round);
			CHECK(fixture_is(&f, msg_uid, content[msg_uid]), "round %u, UID %u", round,
				msg_uid);
		}
	}
	CU_ASSERT_EQUAL(fixture_count(&f, ".", "dovecot-uidlist.broken"), 0);
	fixture_done(&f);
}

static const struct unit_test TESTS[] = {
	{ "an empty mailbox", test_empty },
	{ "new mail", test_new_mail },
	{ "a budget of one", test_small_steps },
	{ "changes by other programs", test_changes_by_others },
	{ "a change in the same second", test_same_second },
	{ "a uidlist of another program", test_uidlist_of_others },
	{ "unknown fields survive a rewrite", test_unknown_fields_survive },
	{ "version 1 and Courier", test_version_1_and_courier },
	{ "a broken uidlist", test_broken_uidlist },
	{ "UIDVALIDITY changes under us", test_replaced_under_us },
	{ "an unfinished line", test_unfinished_line },
	{ "two UIDs for one file", test_two_uids_for_one_file },
	{ "a file in new/ and cur/", test_new_and_cur },
	{ "one base name twice", test_name_twice },
	{ "things that are no messages", test_no_messages },
	{ "cur/ without permission", test_cur_without_permission },
	{ "a directory that cannot be written", test_directory_not_writable },
	{ "a lock that is held", test_lock_held },
	{ "a lock that is lost", test_lock_lost },
	{ "keywords that cannot be read", test_unreadable_keywords },
	{ "UIDs run out", test_uids_run_out },
	{ "symbolic links", test_symlinked_parts },
	{ "the watch", test_watch },
	{ "a storm of renames", test_renaming_storm },
	{ "killed at any moment", test_killed },
};

UNIT_MAIN("test_sync", TESTS)
