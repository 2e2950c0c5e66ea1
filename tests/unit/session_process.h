/*
 * session_process.h - a whole session process: the test is its master (with a line) and its fronts (with channels). The child
 * becomes the user where the test runs as root, and enters the sandbox everywhere.
 */
#pragma once

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

static inline void run_command(const char *format, ...) _printf_(1, 2);
static inline void run_command(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	CU_ASSERT_FATAL(system(command) == 0);
}

static inline int count_messages(void)
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

static inline void make_home(void)
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

static inline void remove_home(void)
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
static inline enum frame_kind next_frame(struct master *master, struct line_frame *f)
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

static inline void expect_frame(struct master *master, enum frame_kind kind)
{
	struct line_frame f;
	enum frame_kind got = next_frame(master, &f);

	CHECK(got == kind, "wanted %s, came %s", frame_name(kind), frame_name(got));
}

static inline void expect_closed(struct master *master, uint64_t login_id)
{
	struct line_frame f;

	CU_ASSERT(next_frame(master, &f) == FRAME_CLOSED);
	CU_ASSERT(f.frame.login_id.login_id == login_id);
}

static inline struct master start(uint64_t linger_usec)
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

static inline void tell(struct master *master, const struct frame *frame, const int *fds)
{
	CU_ASSERT(line_send(&master->line, frame, fds) == 0);
}

/* Wait for the exit. Returns the wait status. */
static inline int reap(struct master *master)
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

static inline bool exited_with(int status, int want)
{
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == want, "wait status %x", status);
	return WIFEXITED(status) && WEXITSTATUS(status) == want;
}

static inline void stop(struct master *master)
{
	tell(master, &(struct frame){ .kind = FRAME_STOP }, NULL);
	exited_with(reap(master), 0);
}

static inline struct frame adopt_frame(uint64_t login_id, enum service service)
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

static inline struct channel adopt_with(struct master *master, const struct frame *frame, int *ret_far_fd)
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

static inline struct channel adopt(struct master *master, uint64_t login_id, enum service service)
{
	struct frame frame = adopt_frame(login_id, service);

	return adopt_with(master, &frame, NULL);
}

/* Wait for the next frame. CHANNEL_NONE: end-of-file, or the channel broke. */
static inline struct channel_frame receive(struct channel *channel)
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

static inline void expect_verdict(struct channel *channel, enum verdict want, struct slice text_begins)
{
	struct channel_frame frame = receive(channel);
	struct channel_verdict verdict;

	CU_ASSERT(frame.kind == CHANNEL_VERDICT);
	CU_ASSERT(channel_verdict_parse(frame.payload, &verdict) == 0);
	CHECK(verdict.verdict == want, "verdict %d", verdict.verdict);
	CHECK(slice_starts_with(verdict.text, text_begins), "text %.*s", SLICE_FMT(verdict.text));
}

static inline void say(struct channel *channel, const char *text)
{
	CU_ASSERT(channel_send(channel, CHANNEL_DATA, slice_str(text)) == 0);
}

/* Read DATA frames until as much as want came, and compare. What came behind it in the last frame is dropped. */
static inline void expect_data(struct channel *channel, const char *want)
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

static inline void expect_kind(struct channel *channel, enum channel_kind kind)
{
	struct channel_frame frame = receive(channel);

	CHECK(frame.kind == kind, "wanted kind %d, came %d", kind, frame.kind);
}

/* Read whatever comes until the session closes the channel, or asks us to. */
static inline void drain(struct channel *channel)
{
	enum channel_kind kind;

	do {
		kind = receive(channel).kind;
	} while (kind != CHANNEL_NONE && kind != CHANNEL_CLOSE);
	channel_close(channel);
}

static inline struct channel login_pop3(struct master *master, uint64_t login_id)
{
	struct channel channel = adopt(master, login_id, SERVICE_POP3S);

	expect_verdict(&channel, VERDICT_OK, SLICE("5 messages, 348 octets"));
	return channel;
}

/* Read data until want came somewhere in it. */
static inline void await_data(struct channel *channel, const char *want)
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
