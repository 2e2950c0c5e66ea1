/* NOTIFY where no script of a dialogue comes: many mailboxes, and a kernel that does not tell of changes. RFC 5465. */
#include "maildir/watch.h"
#include "tests/unit/imap_talk.h"

#include <errno.h>
#include <sys/inotify.h>
#include <sys/syscall.h>

enum { SECOND = 1000 * 1000 };

static char root[64];
static bool no_watch;

/* In place of libc's: as many instances as there may be are in use. */
int inotify_init1(int flags)
{
	if (!no_watch)
		return (int)syscall(SYS_inotify_init1, flags);
	errno = EMFILE;
	return -1;
}

static void shell(const char *command)
{
	char text[1000];

	snprintf(text, sizeof text, "cd %s && %s", root, command);
	CU_ASSERT_FATAL(system(text) == 0);
}

static void make_many(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char directory[40];

		snprintf(directory, sizeof directory, ".m%04zu", i);
		talk_make_mailbox(root, directory);
	}
}

/* More mailboxes than a connection is told of. INBOX is one of them. */
static void test_too_many(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);

	make_many(LIMIT_NOTIFY_MAILBOXES);
	(void)talk_say(&t, "a NOTIFY SET (personal (MessageNew MessageExpunge))\r\n");
	TALK_EXPECT(&t, "a NO [NOTIFICATIONOVERFLOW] Too many mailboxes\r\n");
	CHECK(!t.engine->idling, "nothing is listened to");

	/* Names cost nothing, and those of few can be chosen. */
	(void)talk_say(&t, "b NOTIFY SET (personal (MailboxName)) (mailboxes m0007 (MessageNew "
			   "MessageExpunge))\r\n");
	TALK_EXPECT(&t, "b OK NOTIFY completed\r\n");
	shell("echo x > .m0007/new/1700000001.M1P1.h");
	t.now_usec += SECOND;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS m0007 (MESSAGES 1 UIDNEXT 2)\r\n");

	/* What was asked for before stays when more is refused. */
	(void)talk_say(&t, "c NOTIFY SET (personal (MessageNew MessageExpunge))\r\n");
	TALK_EXPECT(&t, "c NO [NOTIFICATIONOVERFLOW] Too many mailboxes\r\n");
	shell("echo x > .m0007/new/1700000002.M1P1.h");
	t.now_usec += SECOND;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS m0007 (MESSAGES 2 UIDNEXT 3)\r\n");
	talk_end(&t);
	talk_remove_store(store, root);
}

/* They become too many later: the client is told, once, and then nothing more. RFC 5465 section 5.8. */
static void test_become_too_many(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES),
		    other = talk_begin(store, LIMIT_OUTPUT_BYTES);

	make_many(LIMIT_NOTIFY_MAILBOXES - 1);
	(void)talk_say(&t, "a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))\r\n");
	TALK_EXPECT(&t, "a OK NOTIFY completed\r\n");
	(void)talk_say(&other, "a APPEND m0003 {1+}\r\nx\r\n");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS m0003 (MESSAGES 1 UIDNEXT 2)\r\n");

	(void)talk_say(&other, "b CREATE more\r\n");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\HasNoChildren) \"/\" more\r\n"
			"* OK [NOTIFICATIONOVERFLOW] There are too many mailboxes: nothing is told "
			"any more\r\n");
	CHECK(!t.engine->idling, "nothing is listened to");
	(void)talk_say(&other, "c APPEND m0003 {1+}\r\nx\r\nd CREATE x\r\n");
	t.now_usec += SECOND;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "");

	/* With fewer it can be asked for again. */
	(void)talk_say(&other, "e DELETE more\r\nf DELETE x\r\n");
	(void)talk_say(&t, "b NOTIFY SET (personal (MessageNew MessageExpunge))\r\n");
	TALK_EXPECT(&t, "b OK NOTIFY completed\r\n");
	(void)talk_say(&other, "g APPEND m0003 {1+}\r\nx\r\n");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS m0003 (MESSAGES 3 UIDNEXT 4)\r\n");
	talk_end(&t);
	talk_end(&other);
	talk_remove_store(store, root);
}

/* Without a watch what others do is looked for by time, once a second at most. */
static void test_by_time(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);

	no_watch = true;
	talk_make_mailbox(root, ".a");
	CHECK(!store_must_poll(store), "nothing is watched");
	(void)talk_say(&t, "a NOTIFY SET (personal (MessageNew MessageExpunge FlagChange "
			   "MailboxName SubscriptionChange))\r\n");
	TALK_EXPECT(&t, "a OK NOTIFY completed\r\n");
	CHECK(t.engine->idling && store_must_poll(store), "the kernel is not asked");

	t.now_usec += SECOND; /* the first look makes the time that others count from */
	(void)talk_run(&t);
	TALK_EXPECT(&t, "");
	shell("echo x > .a/new/1700000001.M1P1.h && mkdir -p .b/cur .b/new .b/tmp && printf "
	      "'V\\t2\\n\\na\\n' > subscriptions");
	t.now_usec += SECOND / 2;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "");
	t.now_usec += SECOND / 2;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\HasNoChildren \\Subscribed) \"/\" a\r\n"
			"* LIST (\\HasNoChildren) \"/\" b\r\n"
			"* STATUS a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 1800000001 UNSEEN 1)\r\n");
	shell("rm -r .b && mv .a/cur/* .a/cur/1700000001.M1P1.h:2,S");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "");
	t.now_usec += SECOND;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\Noselect \\NonExistent \\HasNoChildren) \"/\" b\r\n"
			"* STATUS a (UIDVALIDITY 1800000001 UNSEEN 0)\r\n");

	/* A clock that is set back does not keep it from looking. */
	shell("echo x > .a/new/1700000002.M1P1.h");
	t.now_usec -= 1000 * SECOND;
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS a (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1800000001 UNSEEN 1)\r\n");
	talk_end(&t);
	no_watch = false;
	CHECK(!store_must_poll(store), "nothing is watched any more");
	talk_remove_store(store, root);
}

/* With a watch nothing is looked for by time, and what comes is told at once. */
static void test_by_watch(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);

	talk_make_mailbox(root, ".a");
	CU_ASSERT(store_watch(store) >= 0);
	(void)talk_say(&t, "a NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))\r\n");
	TALK_EXPECT(&t, "a OK NOTIFY completed\r\n");
	CHECK(!store_must_poll(store), "the kernel tells all");
	shell("echo x > .a/new/1700000001.M1P1.h && mkdir -p .b/cur .b/new .b/tmp");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\HasNoChildren) \"/\" b\r\n"
			"* STATUS a (MESSAGES 1 UIDNEXT 2)\r\n");

	/* Deleted and made anew behind our back: the watch is lost, and is made again. */
	shell("rm -r .a");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\Noselect \\NonExistent \\HasNoChildren) \"/\" a\r\n");
	shell("mkdir -p .a/cur .a/new .a/tmp");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* LIST (\\HasNoChildren) \"/\" a\r\n");
	CHECK(!store_must_poll(store), "it is watched again");
	shell("echo x > .a/new/1700000003.M1P1.h");
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* STATUS a (MESSAGES 1 UIDNEXT 2)\r\n");
	talk_end(&t);
	talk_remove_store(store, root);
}

/* What came to the selected mailbox after the last look, and before there was a watch, nobody tells: it is looked for. */
static void test_before_watch(void)
{
	struct store *store = talk_make_store(root);
	struct talk t = talk_begin(store, LIMIT_OUTPUT_BYTES);

	t.now_usec += SECOND;
	(void)talk_say(&t, "a EXAMINE INBOX\r\n"
			   "b NOTIFY SET (selected (MessageNew (UID) MessageExpunge))\r\n");
	TALK_EXPECT_IN(&t, "* 0 EXISTS\r\n");
	CHECK(t.engine->idling, "it listens");
	shell("echo x > new/1700000001.M1P1.h");
	CU_ASSERT(store_watch(store) >= 0);
	(void)talk_run(&t);
	TALK_EXPECT(&t, "* 1 EXISTS\r\n* 1 RECENT\r\n* 1 FETCH (UID 1)\r\n");
	talk_end(&t);
	talk_remove_store(store, root);
}

static const struct unit_test tests[] = {
	{ "too many mailboxes", test_too_many },
	{ "mailboxes become too many", test_become_too_many },
	{ "a look by time", test_by_time },
	{ "a look by watch", test_by_watch },
	{ "a look when there is a watch", test_before_watch },
};
UNIT_MAIN("imap_notify", tests)
