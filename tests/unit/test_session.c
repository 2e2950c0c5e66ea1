/* A whole session process, as its master and well-behaved fronts see it. */
#include "tests/unit/session_process.h"

static void test_pop3(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = login_pop3(&master, 7);

	say(&channel, "STAT\r\nDELE");
	expect_data(&channel, "+OK 5 348\r\n");
	say(&channel, " 1\r\nQUIT\r\n");
	expect_data(&channel, "+OK Marked for deletion at QUIT\r\n+OK Bye\r\n");
	expect_kind(&channel, CHANNEL_CLOSE);
	channel_close(&channel);
	expect_closed(&master, 7);
	CU_ASSERT(count_messages() == 4);
	CHECK(slice_find_slice(buf_slice(&master.logs),
		      SLICE("login: user=bob\\x20\\x22x addr=192.0.2.7 service=pop3s\n")) >= 0,
		"%.*s", SLICE_FMT(buf_slice(&master.logs)));
	CHECK(slice_find_slice(buf_slice(&master.logs),
		      SLICE("closed: user=bob\\x20\\x22x addr=192.0.2.7 service=pop3s "
			    "reason=\"logged out\" in=20 out=53 commands=3\n")) >= 0,
		"%.*s", SLICE_FMT(buf_slice(&master.logs)));
	stop(&master);
	remove_home();
}

/* RFC 1939 section 4: one at a time; free again before the answer to QUIT can be read. */
static void test_maildrop_lock(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel first = login_pop3(&master, 1), second = adopt(&master, 2, SERVICE_POP3);

	expect_verdict(&second, VERDICT_IN_USE, SLICE("[IN-USE] "));
	channel_close(&second);
	expect_closed(&master, 2);
	say(&first, "QUIT\r\n");
	expect_data(&first, "+OK Bye\r\n");

	struct channel third = login_pop3(&master, 3);

	channel_close(&first);
	channel_close(&third);
	expect_closed(&master, 1);
	expect_closed(&master, 3);
	stop(&master);
	remove_home();
}

static void test_broken_connection_deletes_nothing(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = login_pop3(&master, 1);

	say(&channel, "DELE 1\r\nDELE 2\r\n");
	expect_data(
		&channel, "+OK Marked for deletion at QUIT\r\n+OK Marked for deletion at QUIT\r\n");
	channel_close(&channel);
	expect_closed(&master, 1);
	CU_ASSERT(count_messages() == 5);

	channel = login_pop3(&master, 2);
	say(&channel, "DELE 1\r\n");
	expect_data(&channel, "+OK Marked for deletion at QUIT\r\n");
	CU_ASSERT(channel_send(&channel, CHANNEL_TIMEOUT, SLICE("")) == 0);
	expect_kind(&channel, CHANNEL_CLOSE);
	channel_close(&channel);
	expect_closed(&master, 2);
	CU_ASSERT(count_messages() == 5);
	stop(&master);
	remove_home();
}

static void test_imap(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel a = adopt(&master, 1, SERVICE_IMAPS), b = adopt(&master, 2, SERVICE_IMAP);

	expect_verdict(&a, VERDICT_OK, SLICE("[CAPABILITY IMAP4"));
	expect_verdict(&b, VERDICT_OK, SLICE("[CAPABILITY IMAP4"));
	say(&a, "1 NOOP\r\n");
	expect_data(&a, "1 OK ");
	say(&b, "1 LOGOUT\r\n");
	expect_data(&b, "* BYE ");
	drain(&b);
	expect_closed(&master, 2);
	b = adopt(&master, 3, SERVICE_IMAP);
	expect_verdict(&b, VERDICT_OK, SLICE("[CAPABILITY IMAP4"));
	CU_ASSERT(channel_send(&b, CHANNEL_STOP, SLICE("")) == 0);
	expect_data(&b, "* BYE ");
	drain(&b);
	expect_closed(&master, 3);
	channel_close(&a);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

static void expect_keepalive(struct channel *channel, char want)
{
	struct channel_frame frame = receive(channel);

	CU_ASSERT(frame.kind == CHANNEL_KEEPALIVE && frame.payload.p[0] == want);
}

/* One in IDLE is told what other programs do in the directory, and what other connections of the user do. */
static void test_changes_are_told(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel idle = adopt(&master, 1, SERVICE_IMAPS);

	expect_verdict(&idle, VERDICT_OK, SLICE(""));
	say(&idle, "1 SELECT INBOX\r\n");
	await_data(&idle, "1 OK ");
	say(&idle, "2 IDLE\r\n");
	await_data(&idle, "+ ");
	expect_keepalive(&idle, 1);

	run_command("echo 'Subject: new' > %s/tmp/1900000001.a.b && chown %u %s/tmp/19* && mv "
		    "%s/tmp/19* %s/new",
		mail_path, (unsigned)mail_uid, mail_path, mail_path, mail_path);
	await_data(&idle, "* 6 EXISTS\r\n");

	struct channel pop3 = adopt(&master, 2, SERVICE_POP3);

	expect_verdict(&pop3, VERDICT_OK, SLICE("6 messages"));
	say(&pop3, "DELE 2\r\nQUIT\r\n");
	await_data(&pop3, "+OK Bye\r\n");
	await_data(&idle, "* 2 EXPUNGE\r\n");
	drain(&pop3);
	expect_closed(&master, 2);
	say(&idle, "DONE\r\n3 FETCH 1 BODY[]\r\n");
	expect_keepalive(&idle, 0); /* before any literal begins */
	await_data(&idle, "2 OK ");
	channel_close(&idle);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

static void write_mail(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof path, "%s/cur/%s", mail_path, name);

	FILE *f = fopen(path, "we");

	CU_ASSERT_FATAL(f != NULL);
	fputs(text, f);
	fclose(f);
	run_command("chown %u:%u '%s'", (unsigned)mail_uid, (unsigned)mail_gid, path);
}

/* Every kind of work on mail, with the fences up: whatever they forbid would end the process, or show as NO. */
static void test_imap_in_the_sandbox(void)
{
	static const struct {
		const char *command, *want;
	} rows[] = {
		{ "a LIST \"\" *", "a OK " },
		{ "a STATUS INBOX (MESSAGES UIDNEXT)", "a OK " },
		{ "a SELECT INBOX", "a OK " },
		{ "a FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE "
		  "BODY.PEEK[])",
			"a OK " },
		{ "a SEARCH CHARSET UTF-8 SUBJECT {6+}\r\n\xe6\x97\xa5\xe6\x9c\xac",
			"* SEARCH 4 6 7\r\n" },
		{ "a SEARCH CHARSET UTF-8 BODY {6+}\r\n\xe6\xbc\xa2\xe5\xad\x97",
			"* SEARCH 6 7\r\n" },
		{ "a STORE 1:3 +FLAGS (\\Flagged $Label1)", "a OK " },
		{ "a STORE 3 +FLAGS.SILENT (\\Deleted)", "a OK " },
		{ "a EXPUNGE", "a OK " },
		{ "a CLOSE", "a OK " },
	};

	make_home();
	write_mail("1800000006.J.h:2,",
		"Subject: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=\nContent-Type: text/plain; "
		"charset=iso-2022-jp\n\n"
		"\033$B4A;z\033(B\n");
	write_mail("1800000007.E.h:2,", "Subject: =?EUC-JP?B?xvzL3A==?=\nContent-Type: text/plain; "
					"charset=euc-jp\n\n\xb4\xc1\xbb\xfa\n");

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = adopt(&master, 1, SERVICE_IMAPS);

	expect_verdict(&channel, VERDICT_OK, SLICE(""));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		say(&channel, rows[i].command);
		say(&channel, "\r\n");
		await_data(&channel, rows[i].want);
		say(&channel, "b NOOP\r\n");
		await_data(&channel, "b OK ");
	}
	channel_close(&channel);
	expect_closed(&master, 1);
	CU_ASSERT(count_messages() == 6);
	stop(&master);
	remove_home();
}

static void test_who_and_kick(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = login_pop3(&master, 5);
	struct line_frame f;

	say(&channel, "NOOP\r\n");
	expect_data(&channel, "+OK Done\r\n");
	tell(&master, &(struct frame){ .kind = FRAME_WHO, .serial = { 99 } }, NULL);
	CU_ASSERT(next_frame(&master, &f) == FRAME_WHO_ENTRY);
	CU_ASSERT(f.frame.who_entry.login_id == 5 && f.frame.who_entry.commands == 1);
	CU_ASSERT(slice_equal(f.frame.who_entry.doing, SLICE("maildrop of 5")));
	CU_ASSERT(next_frame(&master, &f) == FRAME_WHO_END && f.frame.serial.serial == 99);
	tell(&master, &(struct frame){ .kind = FRAME_KICK, .login_id = { 4 } }, NULL);
	tell(&master, &(struct frame){ .kind = FRAME_KICK, .login_id = { 5 } }, NULL);
	expect_data(&channel, "-ERR [SYS/TEMP] Closed by the administrator\r\n");
	expect_kind(&channel, CHANNEL_CLOSE);
	channel_close(&channel);
	expect_closed(&master, 5);
	stop(&master);
	remove_home();
}

/* A master that does not read: what it asked for must not fill the line, which would be the end of all connections. */
static void test_who_of_very_many(void)
{
	enum { CONNECTIONS = 200, ROUNDS = 200 };
	struct channel channels[CONNECTIONS];
	struct line_frame f;
	unsigned answers = 0;

	make_home();

	struct master master = start(60 * USEC_PER_SEC);

	for (int i = 0; i < CONNECTIONS; i++) {
		channels[i] = adopt(&master, 1 + (uint64_t)i, SERVICE_IMAPS);
		expect_verdict(&channels[i], VERDICT_OK, SLICE(""));
		say(&channels[i], "1 EXAMINE INBOX\r\n");
		await_data(&channels[i], "1 OK ");
	}
	for (uint64_t i = 1; i <= ROUNDS; i++)
		tell(&master, &(struct frame){ .kind = FRAME_WHO, .serial = { i } }, NULL);
	sleep(1);
	while (answers < ROUNDS) {
		enum frame_kind kind = next_frame(&master, &f);

		CU_ASSERT_FATAL(kind == FRAME_WHO_ENTRY || kind == FRAME_WHO_END);
		answers += kind == FRAME_WHO_END;
	}
	for (int i = 0; i < CONNECTIONS; i++)
		channel_close(&channels[i]);
	for (int i = 0; i < CONNECTIONS; i++)
		CU_ASSERT_FATAL(next_frame(&master, &f) == FRAME_CLOSED);
	stop(&master);
	remove_home();
}

static void test_retire(void)
{
	make_home();

	struct master master = start(100 * USEC_PER_MSEC);
	struct channel channel = login_pop3(&master, 1);

	usleep(300000); /* not while somebody is there */
	channel_close(&channel);
	expect_closed(&master, 1);
	expect_frame(&master, FRAME_RETIRE);
	channel = login_pop3(&master, 2); /* which cancels */
	channel_close(&channel);
	expect_closed(&master, 2);
	expect_frame(&master, FRAME_RETIRE);
	tell(&master, &(struct frame){ .kind = FRAME_RETIRE_OK }, NULL);
	exited_with(reap(&master), 0);
	remove_home();
}

static void test_stop(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = login_pop3(&master, 1);

	tell(&master, &(struct frame){ .kind = FRAME_STOP }, NULL);
	expect_data(&channel, "-ERR [SYS/TEMP] The server is stopping; try again soon\r\n");
	expect_kind(&channel, CHANNEL_CLOSE);
	channel_close(&channel);
	exited_with(reap(&master), 0);

	master = start(60 * USEC_PER_SEC); /* a spare */
	stop(&master);
	remove_home();
}

static void test_master_gone(void)
{
	int status;

	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = login_pop3(&master, 1);

	line_close(&master.line);
	expect_data(&channel, "-ERR [SYS/TEMP] The server is stopping; try again soon\r\n");
	drain(&channel);
	CU_ASSERT(waitpid(master.pid, &status, 0) == master.pid);
	exited_with(status, 0);
	buf_done(&master.logs);
	remove_home();
}

/* The same uid and mail path for life. */
static void test_another_account(void)
{
	make_home();

	for (int i = 0; i < 2; i++) {
		struct master master = start(60 * USEC_PER_SEC);
		struct channel channel = login_pop3(&master, 1);
		struct frame frame = adopt_frame(2, SERVICE_IMAP);

		if (i == 0)
			frame.adopt.user_uid++;
		else
			frame.adopt.mail_path = slice_str(home);

		struct channel other = adopt_with(&master, &frame, NULL);

		exited_with(reap(&master), 70);
		drain(&channel);
		drain(&other);
	}
	remove_home();
}

static void test_no_mail(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct frame frame = adopt_frame(1, SERVICE_POP3);

	frame.adopt.mail_path = SLICE("/nonexistent/above/Maildir");

	struct channel channel = adopt_with(&master, &frame, NULL);

	expect_verdict(&channel, VERDICT_UNAVAILABLE, SLICE("[SYS/TEMP] "));
	channel_close(&channel);
	expect_closed(&master, 1);
	expect_frame(&master, FRAME_RETIRE); /* at once */
	CU_ASSERT(slice_find_slice(buf_slice(&master.logs), SLICE("/nonexistent/above/Maildir")) >=
		  0);
	tell(&master, &(struct frame){ .kind = FRAME_RETIRE_OK }, NULL);
	exited_with(reap(&master), 0);
	remove_home();
}

/* The mail directory of a new user is made, by the user. */
static void test_new_user(void)
{
	struct stat st;

	make_home();
	run_command("rm -r %s", mail_path);

	struct master master = start(60 * USEC_PER_SEC);
	struct channel channel = adopt(&master, 1, SERVICE_POP3);

	expect_verdict(&channel, VERDICT_OK, SLICE("0 messages, 0 octets"));
	CU_ASSERT(
		stat(mail_path, &st) == 0 && st.st_uid == mail_uid && (st.st_mode & 07777) == 0700);
	channel_close(&channel);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

static const struct unit_test tests[] = {
	{ "pop3", test_pop3 },
	{ "maildrop lock", test_maildrop_lock },
	{ "a broken connection deletes nothing", test_broken_connection_deletes_nothing },
	{ "imap", test_imap },
	{ "imap in the sandbox", test_imap_in_the_sandbox },
	{ "changes are told", test_changes_are_told },
	{ "who and kick", test_who_and_kick },
	{ "who of very many connections", test_who_of_very_many },
	{ "retire", test_retire },
	{ "stop", test_stop },
	{ "master gone", test_master_gone },
	{ "another account", test_another_account },
	{ "no mail", test_no_mail },
	{ "new user", test_new_user },
};

UNIT_MAIN("session", tests)
