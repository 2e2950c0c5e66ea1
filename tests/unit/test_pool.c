/* test_pool.c - a pool of made-up children, run by a made-up master over a real line. */
#include "base/must.h"
#include "server/ipc/frames.h"
#include "server/pool/children.h"
#include "server/pool/pool.h"
#include "server/pool/seccomp.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int configure(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	(void)state;
	if (conf->auth.workers_max == 13) {
		pool_problem(pool, 7, "thirteen; take another number");
		return -EINVAL;
	}
	log_line(pool_log(pool), LOG_PRIORITY_INFO, "generation %llu", (unsigned long long)generation);
	return 0;
}

/* Counts itself, says READY, and exits with 3 when its line closes. */
static int child(void *state, const struct pool_child *c)
{
	struct line line = line_open(c->line_fd, ROLE_MASTER);
	struct status status = c->status;
	char byte;

	(void)state;
	status_add(&status, STATUS_COMMANDS, (int64_t)c->generation);
	if (line_send(&line, &(struct frame){ .kind = FRAME_READY }, NULL) < 0)
		return 1;

	struct pollfd fd = { .fd = line.fd, .events = POLLIN };

	poll(&fd, 1, -1);
	return read(line.fd, &byte, 1) == 0 ? 3 : 4;
}

static const struct pool_type type = { ROLE_SESSION_POOL, ROLE_SESSION, "test-pool", configure, child };

struct running {
	struct line line;
	pid_t pid;
	int status_fd;
	struct status status;
};

static struct running start(void)
{
	struct running r = { 0 };
	int ends[2];

	must(line_pair(ends) == 0 && status_create(&r.status_fd) == 0 && status_map(r.status_fd, 0, &r.status) == 0);
	fflush(stdout);
	r.pid = fork();
	if (r.pid == 0) {
		char fd[16];
		char *argv[] = { "test-pool", "--pool", fd, NULL };

		close(ends[0]);
		snprintf(fd, sizeof fd, "%d", ends[1]);
		_exit(pool_main(&type, NULL, 3, argv));
	}
	close(ends[1]);
	r.line = line_open(ends[0], ROLE_SESSION_POOL);
	return r;
}

static void stop(struct running *r)
{
	int status;

	line_close(&r->line);
	CHECK(waitpid(r->pid, &status, 0) == r->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "pool ends with its line: %x", status);
	close(r->status_fd);
	free(r->status.own);
}

/* The next frame that is no LOG. */
static enum frame_kind next(struct line *line, struct line_frame *f)
{
	for (;;) {
		struct pollfd fd = { .fd = line->fd, .events = POLLIN };

		if (poll(&fd, 1, 20000) <= 0 || line_receive(line, f) < 0)
			return FRAME_NONE;
		if (f->frame.kind != FRAME_LOG)
			return f->frame.kind;
		line_frame_done(f);
	}
}

static void send_config(struct running *r, const char *text)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct frame f = { .kind = FRAME_CONFIG, .config = { 5, SLICE("/etc/x.conf") } };

	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(line_send(&r->line, &f, &fd) == 0, "CONFIG");
	close(fd);
}

static int spawn(struct running *r, uint32_t slot)
{
	int ends[2];

	must(line_pair(ends) == 0);
	CHECK(line_send(&r->line, &(struct frame){ .kind = FRAME_SPAWN, .process = { slot, 0 } }, (int[]){ ends[1], r->status_fd }) == 0, "SPAWN");
	close(ends[1]);
	return ends[0];
}

static const char good[] = "[tls]\ncertificate = /c.pem\nprivate-key = /k.pem\n";

static void test_life(void)
{
	static struct line_frame f;
	struct running r = start();

	send_config(&r, good);
	CHECK(next(&r.line, &f) == FRAME_READY, "ready");

	int end = spawn(&r, 200);

	CHECK(next(&r.line, &f) == FRAME_SPAWNED && f.frame.process.slot == 200 && f.frame.process.pid > 0, "spawned");

	struct line child_line = line_open(end, ROLE_SESSION);

	CHECK(next(&child_line, &f) == FRAME_READY, "the child speaks for itself");
	CHECK(status_read(&r.status, 200, STATUS_COMMANDS) == 5, "on its own page, with the generation");
	CHECK(line_send(&r.line, &(struct frame){ .kind = FRAME_PING, .serial = { 42 } }, NULL) == 0, "PING");
	CHECK(next(&r.line, &f) == FRAME_PONG && f.frame.serial.serial == 42, "PONG");
	line_close(&child_line);
	CHECK(next(&r.line, &f) == FRAME_EXITED && f.frame.exited.slot == 200, "exited");
	CHECK(WIFEXITED(f.frame.exited.status) && WEXITSTATUS(f.frame.exited.status) == 3,
		"only the master's end kept its line open: %x", f.frame.exited.status);
	stop(&r);
}

static void test_kill(void)
{
	static struct line_frame f;
	struct running r = start();

	send_config(&r, good);
	CHECK(next(&r.line, &f) == FRAME_READY, "ready");

	int end = spawn(&r, 201);

	CHECK(next(&r.line, &f) == FRAME_SPAWNED, "spawned");

	uint32_t pid = f.frame.process.pid;
	struct frame stranger = { .kind = FRAME_KILL, .kill = { (uint32_t)getpid(), SIGKILL } };
	struct frame own = { .kind = FRAME_KILL, .kill = { pid, SIGKILL } };

	CHECK(line_send(&r.line, &stranger, NULL) == 0, "a pid that is not its child is not signalled: we live");
	CHECK(line_send(&r.line, &own, NULL) == 0, "KILL");
	CHECK(next(&r.line, &f) == FRAME_EXITED && f.frame.exited.pid == pid, "exited");
	CHECK(WIFSIGNALED(f.frame.exited.status) && WTERMSIG(f.frame.exited.status) == SIGKILL, "by the signal");
	close(end);
	stop(&r);
}

static void test_bad_configuration(void)
{
	static struct line_frame f;
	struct running r = start();
	int end = spawn(&r, 202);

	CHECK(next(&r.line, &f) == FRAME_EXITED && f.frame.exited.pid == 0, "no child before a configuration");
	close(end);
	send_config(&r, "[auth]\nworkers-maks = 3\n");

	bool found = false;

	while (next(&r.line, &f) == FRAME_PROBLEM)
		found |= slice_starts_with(f.frame.text.text, SLICE("/etc/x.conf:2: "));
	CHECK(found, "FILE:LINE");
	CHECK(f.frame.kind == FRAME_CONFIG_BAD, "not taken");
	send_config(&r, "[tls]\ncertificate = /c.pem\nprivate-key = /k.pem\n[auth]\nworkers-max = 13\n");
	CHECK(next(&r.line, &f) == FRAME_PROBLEM && slice_equal(f.frame.text.text, SLICE("/etc/x.conf:7: thirteen; take another number")), "the role's own problem");
	CHECK(next(&r.line, &f) == FRAME_CONFIG_BAD, "not taken");
	send_config(&r, good);
	CHECK(next(&r.line, &f) == FRAME_READY, "the next one is");
	stop(&r);
}

static void test_versions(void)
{
	char *other[] = { "test-pool", "--pool", "3", "0.0.0-other", NULL };
	char *usage[] = { "test-pool", "--pool", "x", NULL };

	CHECK(pool_main(&type, NULL, 4, other) > 0, "a master of another version is refused");
	CHECK(pool_main(&type, NULL, 3, usage) == -1 && pool_main(&type, NULL, 1, usage) == -1, "not ours");
}

static void test_children(void)
{
	struct children children = { 0 };
	struct child out;

	for (uint32_t i = 1; i <= 1000; i++)
		children_add(&children, (struct child){ i, i + 5 });
	CHECK(children_remove(&children, 500, &out) && out.slot == 505 && !children_has(&children, 500), "removed");
	CHECK(!children_remove(&children, 500, &out) && children_has(&children, 1000) && children.n == 999, "once");
	children_done(&children);
}

/* Run f in a child under a filter; the exit status tells. */
static int in_child(const struct seccomp_program *program, int (*f)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		syscall(SYS_exit_group, seccomp_program_load(program, true) == 0 ? f() : 99); /* nothing of a sanitizer's between */
	waitpid(pid, &status, 0);
	return status;
}

static int try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int try_getppid(void)
{
	return getppid() > 0 ? 0 : errno;
}

static int try_blocking(void)
{
	return fcntl(0, F_SETFL, 0);
}

static int try_end_of_listening(void)
{
	return shutdown(0, SHUT_RDWR);
}

static int try_end_of_sending(void)
{
	return shutdown(-1, SHUT_WR) < 0 && errno == EBADF && fcntl(0, F_GETFL) >= 0 ? 0 : 1;
}

/* What fronts share, one of them cannot spoil for the others. */
static void test_seccomp_shared_sockets(void)
{
	static const char *const names[] = { "exit_group", "exit", "rt_sigreturn", "fcntl", "shutdown", NULL };
	struct seccomp_program allow = { 0 };

	CHECK(seccomp_compile(names, SECCOMP_KILL, false, &allow) == 0, "compile");

	int blocking = in_child(&allow, try_blocking), listening = in_child(&allow, try_end_of_listening);
	int sending = in_child(&allow, try_end_of_sending);

	CHECK(WIFSIGNALED(blocking) && WTERMSIG(blocking) == SIGSYS, "F_SETFL: %x", blocking);
	CHECK(WIFSIGNALED(listening) && WTERMSIG(listening) == SIGSYS, "SHUT_RDWR: %x", listening);
	CHECK(WIFEXITED(sending) && WEXITSTATUS(sending) == 0, "SHUT_WR and F_GETFL: %x", sending);
	seccomp_program_done(&allow);
}

static void test_seccomp(void)
{
	static const char *const few[] = { "exit_group", "exit", "write", "rt_sigreturn", "no_such_call_at_all", NULL };
	static const char *const denied[] = { "getppid", "socket", NULL };
	struct seccomp_program allow = { 0 }, deny = { 0 };

	CHECK(seccomp_compile(few, SECCOMP_KILL, true, &allow) == 0 && seccomp_compile(denied, SECCOMP_ALLOW, false, &deny) == 0, "compile");

	int status = in_child(&allow, try_socket);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EAFNOSUPPORT, "no sockets: %x", status);
	status = in_child(&allow, try_getppid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "not on the list: %x", status);
	status = in_child(&deny, try_socket);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == EPERM, "denied: %x", status);
	seccomp_program_done(&allow);
	seccomp_program_done(&deny);
}

/* Receive all there is. Returns the number of frames; the last two texts are in ret_last. */
static unsigned read_logs(struct line *line, char ret_last[2][128])
{
	static struct line_frame f;
	unsigned n = 0;

	while (line_receive(line, &f) == 0) {
		memcpy(ret_last[0], ret_last[1], sizeof ret_last[0]);
		snprintf(ret_last[1], sizeof ret_last[1], "%.*s", SLICE_FMT(f.frame.log.text));
		line_frame_done(&f);
		n++;
	}
	return n;
}

static void test_dropped_logs_are_told(void)
{
	char last[2][128] = { "", "" }, want[128];
	int ends[2];

	CHECK(line_pair(ends) == 0, "pair");

	struct line ours = line_open(ends[0], ROLE_MASTER), masters = line_open(ends[1], ROLE_SESSION);
	struct log log = pool_line_log(&ours);
	unsigned logged = 0;

	for (; ours.dropped_logs < 5 && logged < 100000; logged++)
		log_line(&log, LOG_PRIORITY_INFO, "a line");
	CHECK(read_logs(&masters, last) + 5 == logged, "five of %u were dropped", logged);
	log_line(&log, LOG_PRIORITY_INFO, "there is room again");
	snprintf(want, sizeof want, "5 log lines were dropped: the master did not take them");
	CHECK(read_logs(&masters, last) == 2 && strcmp(last[0], want) == 0, "told: %s", last[0]);
	CHECK(strcmp(last[1], "there is room again") == 0, "and went on: %s", last[1]);
	log_line(&log, LOG_PRIORITY_INFO, "and again");
	CHECK(read_logs(&masters, last) == 1 && ours.dropped_logs == 0, "told once");
	line_close(&ours);
	line_close(&masters);
}

static const struct unit_test tests[] = {
	{ "life", test_life },
	{ "kill", test_kill },
	{ "bad configuration", test_bad_configuration },
	{ "versions", test_versions },
	{ "children", test_children },
	{ "seccomp", test_seccomp },
	{ "seccomp, shared sockets", test_seccomp_shared_sockets },
	{ "dropped logs are told", test_dropped_logs_are_told },
};

UNIT_MAIN("pool", tests)
