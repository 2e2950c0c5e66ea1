/*
 * A whole session process: this test is its master (with a line) and its fronts (with channels), well-behaved and hostile. The child
 * becomes the user where the test runs as root, and enters the sandbox everywhere.
 */
#include "base/clock.h"
#include "maildir/message/charset.h"
#include "server/ipc/channel.h"
#include "server/ipc/line.h"
#include "server/session/user_sandbox.h"
#include "server/session/session.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEST_UID = 54321, TEST_GID = 54322, PATIENCE_MS = 10000 };

static char home[64], mail_path[100], index_path[130];
static uid_t mail_uid;
static gid_t mail_gid;

/* ---- the master's side ---- */

struct master {
	pid_t pid;
	struct line line;
	struct buf logs;
};

static void run_command(const char *format, ...) _printf_(1, 2);
static void run_command(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	CU_ASSERT_FATAL(system(command) == 0);
}

static int count_messages(void)
{
	char command[200];
	int n = -1;

	snprintf(command, sizeof command, "find %s -path '*/[cn][ue][rw]/*' -type f | wc -l",
		mail_path);

	FILE *f = popen(command, "r");

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

static void make_home(void)
{
	strcpy(home, "/tmp/restante-session-XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(home) != NULL);
	snprintf(mail_path, sizeof mail_path, "%s/Maildir", home);
	snprintf(index_path, sizeof index_path, "%s/restante.index", mail_path);
	mail_uid = geteuid() == 0 ? TEST_UID : geteuid();
	mail_gid = geteuid() == 0 ? TEST_GID : getegid();
	run_command("mkdir %s && cp -r tests/wire/pop3_mail/* %s && mkdir %s/tmp", mail_path,
		mail_path, mail_path);
	run_command("chown -R %u:%u %s && chmod -R u+rwX %s", (unsigned)mail_uid,
		(unsigned)mail_gid, home, home);
}

static void remove_home(void)
{
	run_command("rm -rf %s", home);
}

__attribute__((noreturn)) static void be_session(int line_fd, uint64_t linger_usec)
{
	struct seccomp_program filter;
	static struct conf conf;
	static struct status_slot slot;
	struct status status = { .own = &slot };
	unsigned missing;

	conf.mail.hierarchy_separator = '/';
	conf.pop3.uidl_format = "%08Xu%08Xv";
	conf.session.linger_usec = linger_usec;
	if (user_sandbox_compile(&filter) < 0)
		_exit(99);
	charset_preload(&missing); /* as main.c does */
	_exit(session_run(line_fd,
		&(struct session_settings){
			.conf = &conf, .filter = &filter, .hostname = "host", .status = &status }));
}

/* Wait for the next frame that is no LOG frame. Returns its kind; FRAME_NONE: end-of-file. */
static enum frame_kind next_frame(struct master *master, struct line_frame *f)
{
	for (;;) {
		struct pollfd pollfd = { .fd = master->line.fd, .events = POLLIN };

		CU_ASSERT_FATAL(poll(&pollfd, 1, PATIENCE_MS) == 1);

		int r = line_receive(&master->line, f);

		if (r == -EPIPE)
			return FRAME_NONE;
		CU_ASSERT_FATAL(r == 0);
		if (f->frame.kind != FRAME_LOG)
			return f->frame.kind;
		CU_ASSERT(buf_addf(&master->logs, "%.*s\n", SLICE_FMT(f->frame.log.text)) == 0);
		line_frame_done(f);
	}
}

static void expect_frame(struct master *master, enum frame_kind kind)
{
	struct line_frame f;
	enum frame_kind got = next_frame(master, &f);

	CHECK(got == kind, "wanted %s, came %s", frame_name(kind), frame_name(got));
}

static void expect_closed(struct master *master, uint64_t login_id)
{
	struct line_frame f;

	CU_ASSERT(next_frame(master, &f) == FRAME_CLOSED);
	CU_ASSERT(f.frame.login_id.login_id == login_id);
}

static struct master start(uint64_t linger_usec)
{
	int fds[2];
	struct master master = { .logs = BUF(1024 * 1024) };

	CU_ASSERT_FATAL(line_pair(fds) == 0);
	master.pid = fork();
	if (master.pid == 0) {
		close(fds[0]);
		be_session(fds[1], linger_usec);
	}
	close(fds[1]);
	master.line = line_open(fds[0], ROLE_SESSION);
	expect_frame(&master, FRAME_READY);
	return master;
}

static void tell(struct master *master, const struct frame *frame, const int *fds)
{
	CU_ASSERT(line_send(&master->line, frame, fds) == 0);
}

/* Wait for the exit. Returns the wait status. */
static int reap(struct master *master)
{
	struct line_frame f;
	int status = -1;

	while (next_frame(master, &f) != FRAME_NONE)
		;
	CU_ASSERT(waitpid(master->pid, &status, 0) == master->pid);
	line_close(&master->line);
	buf_done(&master->logs);
	return status;
}

static bool exited_with(int status, int want)
{
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == want, "wait status %x", status);
	return WIFEXITED(status) && WEXITSTATUS(status) == want;
}

static void stop(struct master *master)
{
	tell(master, &(struct frame){ .kind = FRAME_STOP }, NULL);
	exited_with(reap(master), 0);
}

static struct frame adopt_frame(uint64_t login_id, enum service service)
{
	return (struct frame){
		.kind = FRAME_ADOPT,
		.adopt = {
			.login_id = login_id,
			.service = (uint8_t)service,
			.user = SLICE("bob \"x"),
			.user_uid = mail_uid,
			.user_gid = mail_gid,
			.home = slice_str(home),
			.mail_path = slice_str(mail_path),
			.index_path = slice_str(index_path),
			.address = SLICE("192.0.2.7"),
		},
	};
}

/* ---- a front's side ---- */

static struct channel adopt_with(struct master *master, const struct frame *frame, int *ret_far_fd)
{
	int fds[2];

	CU_ASSERT_FATAL(channel_pair(fds) == 0);
	tell(master, frame, &fds[1]);
	if (ret_far_fd)
		*ret_far_fd = fds[1];
	else
		close(fds[1]);
	return channel_open(fds[0], CHANNEL_PEER_SERVER);
}

static struct channel adopt(struct master *master, uint64_t login_id, enum service service)
{
	struct frame frame = adopt_frame(login_id, service);

	return adopt_with(master, &frame, NULL);
}

/* Wait for the next frame. CHANNEL_NONE: end-of-file, or the channel broke. */
static struct channel_frame receive(struct channel *channel)
{
	for (;;) {
		struct channel_frame frame;
		struct pollfd pollfd = { .fd = channel->fd, .events = POLLIN };
		int r = channel_next(channel, &frame);

		if (r == 0)
			return frame;
		CU_ASSERT_FATAL(r == -EAGAIN);
		if (channel->in_eof)
			return (struct channel_frame){ .kind = CHANNEL_NONE };
		CU_ASSERT_FATAL(poll(&pollfd, 1, PATIENCE_MS) == 1);
		r = channel_read(channel);
		if (r == -EPIPE)
			return (struct channel_frame){ .kind = CHANNEL_NONE };
		CU_ASSERT_FATAL(r == 0 || r == -EAGAIN);
	}
}

static void expect_verdict(struct channel *channel, enum verdict want, struct slice text_begins)
{
	struct channel_frame frame = receive(channel);
	struct channel_verdict verdict;

	CU_ASSERT(frame.kind == CHANNEL_VERDICT);
	CU_ASSERT(channel_verdict_parse(frame.payload, &verdict) == 0);
	CHECK(verdict.verdict == want, "verdict %d", verdict.verdict);
	CHECK(slice_starts_with(verdict.text, text_begins), "text %.*s", SLICE_FMT(verdict.text));
}

static void say(struct channel *channel, const char *text)
{
	CU_ASSERT(channel_send(channel, CHANNEL_DATA, slice_str(text)) == 0);
}

/* Read DATA frames until as much as want came, and compare. What came behind it in the last frame is dropped. */
static void expect_data(struct channel *channel, const char *want)
{
	_cleanup_buf_ struct buf got = BUF(1024 * 1024);

	while (got.n < strlen(want)) {
		struct channel_frame frame = receive(channel);

		if (frame.kind != CHANNEL_DATA)
			break;
		CU_ASSERT(buf_add(&got, frame.payload) == 0);
	}
	CHECK(slice_starts_with(buf_slice(&got), slice_str(want)), "wanted %s, came %.*s", want,
		SLICE_FMT(buf_slice(&got)));
}

static void expect_kind(struct channel *channel, enum channel_kind kind)
{
	struct channel_frame frame = receive(channel);

	CHECK(frame.kind == kind, "wanted kind %d, came %d", kind, frame.kind);
}

/* Read whatever comes until the session closes the channel, or asks us to. */
static void drain(struct channel *channel)
{
	enum channel_kind kind;

	do {
		kind = receive(channel).kind;
	} while (kind != CHANNEL_NONE && kind != CHANNEL_CLOSE);
	channel_close(channel);
}

static struct channel login_pop3(struct master *master, uint64_t login_id)
{
	struct channel channel = adopt(master, login_id, SERVICE_POP3S);

	expect_verdict(&channel, VERDICT_OK, SLICE("5 messages, 348 octets"));
	return channel;
}

/* ---- tests ---- */

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

/* Read data until want came somewhere in it. */
static void await_data(struct channel *channel, const char *want)
{
	_cleanup_buf_ struct buf got = BUF(1024 * 1024);

	while (slice_find_slice(buf_slice(&got), slice_str(want)) < 0) {
		struct channel_frame frame = receive(channel);

		CHECK(frame.kind == CHANNEL_DATA, "waiting for %s, came kind %d", want, frame.kind);
		if (frame.kind != CHANNEL_DATA)
			return;
		CU_ASSERT(buf_add(&got, frame.payload) == 0);
	}
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

/* ---- hostile fronts: each harms nobody but its own connection ---- */

/* A well-behaved connection beside the hostile one still gets its answers. */
static void expect_served(struct channel *good)
{
	uint64_t before_usec = clock_monotonic_usec();

	say(good, "LIST 1\r\n");
	expect_data(good, "+OK 1 74\r\n");
	CU_ASSERT(clock_monotonic_usec() - before_usec < USEC_PER_SEC);
}

static void test_malformed_frames(void)
{
	static const struct slice rows[] = {
		SLICE("\0\0\0\1x"),   /* no kind */
		SLICE("\x63\0\0\1x"), /* an unknown one */
		SLICE("\2\0\0\0"),    /* DATA without any */
		SLICE("\2\xff\xff\xff"
		      "x"),         /* DATA beyond its limit */
		SLICE("\3\0\0\1x"), /* TIMEOUT with a payload */
		SLICE("\4\0\0\x0a"
		      "\0\0\0\0\0\0\0\0\0x"), /* VERDICT: not a front's to send */
		SLICE("\1\0\0\1x"),           /* CREDENTIALS: too late */
		SLICE("\5\0\0\0"),            /* CLOSE: not a front's to send */
	};

	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct channel bad = adopt(&master, 100 + i, SERVICE_IMAP);

		expect_verdict(&bad, VERDICT_OK, SLICE(""));
		CHECK(send(bad.fd, rows[i].p, rows[i].n, MSG_NOSIGNAL) == (ssize_t)rows[i].n,
			"row %zu", i);
		expect_kind(&bad, CHANNEL_NONE);
		channel_close(&bad);
		expect_closed(&master, 100 + i);
		expect_served(&good);
	}
	CU_ASSERT(slice_find_slice(buf_slice(&master.logs),
			  SLICE("reason=\"broken frame from the front\"")) >= 0);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

static void send_descriptor(int to)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char space[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { .iov_base = (char[]){ 2, 0, 0, 1, 'x' }, .iov_len = 5 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof space };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	CU_ASSERT(sendmsg(to, &msg, MSG_NOSIGNAL) == 5);
	close(fd);
}

static int count_descriptors(pid_t pid)
{
	char command[100];
	int n = -1;

	snprintf(command, sizeof command, "ls /proc/%d/fd 2>/dev/null | wc -l", (int)pid);

	FILE *f = popen(command, "r");

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		pclose(f);
	return n;
}

static void test_passed_descriptors(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);
	int before = count_descriptors(master.pid);

	for (uint64_t i = 0; i < 20; i++) {
		struct channel bad = adopt(&master, 100 + i, SERVICE_IMAP);

		expect_verdict(&bad, VERDICT_OK, SLICE(""));
		send_descriptor(bad.fd);
		drain(&bad);
		expect_closed(&master, 100 + i);
	}
	CU_ASSERT(count_descriptors(master.pid) == before);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* Kilobytes of private memory, by /proc; 0 where that is not to be had. */
static long memory_kib(pid_t pid)
{
	char path[64], line[200];
	long kib = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);

	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* Send as much as the channel takes for a while. Returns the bytes taken. */
static size_t flood(int fd, struct slice bytes, int rounds)
{
	size_t sent = 0, at = 0;

	for (int i = 0; i < rounds; i++) {
		ssize_t n = send(fd, bytes.p + at, bytes.n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			sent += (size_t)n;
			at = (at + (size_t)n) % bytes.n;
		} else {
			usleep(1000);
		}
	}
	return sent;
}

/* One that sends commands with large answers, and never reads. The session waits for it, with bounded memory. */
static void test_front_that_stops_reading(void)
{
	static char bytes[4 + 60000];

	make_home();
	run_command("yes 'a line of text' | head -c 5000000 > %s/cur/1800000001.M1P1.host:2,; "
		    "chown %u %s/cur/18*",
		mail_path, (unsigned)mail_uid, mail_path);

	struct master master = start(60 * USEC_PER_SEC);
	struct channel bad = adopt(&master, 1, SERVICE_POP3);
	struct channel good = adopt(&master, 2, SERVICE_IMAP);

	expect_verdict(&bad, VERDICT_OK, SLICE("6 messages"));
	expect_verdict(&good, VERDICT_OK, SLICE(""));
	bytes[0] = 2;
	bytes[2] = (char)(60000 >> 8);
	bytes[3] = (char)(60000 & 0xff);
	for (size_t i = 0; i < 60000 / 8; i++)
		memcpy(bytes + 4 + i * 8, "RETR 6\r\n", 8);

	long before = memory_kib(master.pid);
	size_t sent = flood(bad.fd, slice_from(bytes, sizeof bytes), 1000);

	CHECK(sent < 4 * 1024 * 1024, "%zu bytes were taken", sent);
	CHECK(memory_kib(master.pid) - before < 16 * 1024, "grew by %ld KiB",
		memory_kib(master.pid) - before);
	for (int i = 0; i < 3; i++) {
		say(&good, "1 NOOP\r\n");
		expect_data(&good, "1 OK NOOP completed\r\n");
	}
	channel_close(&bad);
	expect_closed(&master, 1);
	channel_close(&good);
	expect_closed(&master, 2);
	stop(&master);
	remove_home();
}

/* One that sends without end what is no command. */
static void test_flood(void)
{
	static char bytes[4 + 65535];

	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1), bad = adopt(&master, 2, SERVICE_IMAP);

	expect_verdict(&bad, VERDICT_OK, SLICE(""));
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "\2\0\xff\xff", 4);
	flood(bad.fd, slice_from(bytes, sizeof bytes), 300);
	expect_served(&good);
	CHECK(memory_kib(master.pid) < 64 * 1024, "%ld KiB", memory_kib(master.pid));
	channel_close(&bad);
	expect_closed(&master, 2);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* File status flags are shared by all copies of a descriptor: whoever holds one may make the session's end block. */
static void test_cleared_nonblock(void)
{
	int far_fd;

	make_home();
	run_command("yes 'a line of text' | head -c 5000000 > %s/cur/1800000001.M1P1.host:2,; "
		    "chown %u %s/cur/18*",
		mail_path, (unsigned)mail_uid, mail_path);

	struct master master = start(60 * USEC_PER_SEC);
	struct frame frame = adopt_frame(1, SERVICE_POP3);
	struct channel bad = adopt_with(&master, &frame, &far_fd),
		       good = adopt(&master, 2, SERVICE_IMAP);

	CU_ASSERT(fcntl(far_fd, F_SETFL, fcntl(far_fd, F_GETFL) & ~O_NONBLOCK) == 0);
	expect_verdict(&bad, VERDICT_OK, SLICE("6 messages"));
	expect_verdict(&good, VERDICT_OK, SLICE(""));
	say(&bad, "RETR 6\r\nRETR 6\r\n"); /* more than the socket holds, and nobody reads */
	for (int i = 0; i < 3; i++) {
		say(&good, "1 NOOP\r\n");
		expect_data(&good, "1 OK NOOP completed\r\n");
	}
	/* Half a frame, and then nothing: a read that blocked would hang here. */
	CU_ASSERT(send(bad.fd, "\2\0\0\x10x", 5, MSG_NOSIGNAL) == 5);
	say(&good, "1 NOOP\r\n");
	expect_data(&good, "1 OK NOOP completed\r\n");
	close(far_fd);
	channel_close(&bad);
	expect_closed(&master, 1);
	channel_close(&good);
	expect_closed(&master, 2);
	stop(&master);
	remove_home();
}

/* The channel is a descriptor of any kind: the master checks that, and the session does not depend on it. */
static void test_channel_that_is_none(void)
{
	make_home();

	struct master master = start(60 * USEC_PER_SEC);
	struct channel good = login_pop3(&master, 1);
	struct frame frame = adopt_frame(2, SERVICE_IMAP);
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	tell(&master, &frame, &fd);
	close(fd);
	expect_closed(&master, 2);
	expect_served(&good);
	channel_close(&good);
	expect_closed(&master, 1);
	stop(&master);
	remove_home();
}

/* Many at once, all of them working: everybody has a turn. */
static void test_fairness(void)
{
	enum { MANY = 30, COMMANDS = 200 };
	struct channel channels[MANY];
	_cleanup_buf_ struct buf want = BUF(64 * 1024);

	make_home();

	struct master master = start(60 * USEC_PER_SEC);

	for (int i = 0; i < MANY; i++) {
		channels[i] = adopt(&master, (uint64_t)i + 1, SERVICE_IMAP);
		expect_verdict(&channels[i], VERDICT_OK, SLICE(""));
	}
	for (int k = 0; k < COMMANDS; k++) {
		CU_ASSERT(buf_add_str(&want, "1 OK NOOP completed\r\n") == 0);
		for (int i = 0; i < MANY; i++)
			say(&channels[i], "1 NOOP\r\n");
	}
	CU_ASSERT(buf_add_char(&want, '\0') == 0);
	for (int i = MANY; i-- > 0;) {
		expect_data(&channels[i], want.p);
		channel_close(&channels[i]);
	}
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
	{ "malformed frames", test_malformed_frames },
	{ "passed descriptors", test_passed_descriptors },
	{ "a front that stops reading", test_front_that_stops_reading },
	{ "a flood", test_flood },
	{ "cleared O_NONBLOCK", test_cleared_nonblock },
	{ "a channel that is none", test_channel_that_is_none },
	{ "fairness", test_fairness },
};

UNIT_MAIN("session", tests)
