/*
 * The loop of a pool: frames from the master, SIGCHLD, nothing else. What must hold:
 *
 * 1. A child starts with nothing of the pool's but the fields of struct pool_child: the pool's line, the
 *    signal descriptor and the status memfd are closed before its function runs.
 * 2. A pid is signalled only while it is in the list of living children, and leaves the list when it is
 *    reaped: it cannot belong to another process.
 * 3. A configuration that is not taken changes nothing.
 */
#include "server/pool/pool.h"

#include "base/must.h"
#include "server/pool/children.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { EXIT_OTHER_VERSION = 78 };

struct pool {
	const struct pool_type *type;
	void *state;
	struct line line; /* fd -1 in check mode */
	int signal_fd;
	struct log log;
	struct conf *conf;
	char *conf_path;
	uint64_t generation;
	size_t n_problems; /* since configure() was called */
	struct children children;
	int listener_fds[FRAME_MAX_FDS];
	enum service listener_services[FRAME_MAX_FDS];
	size_t n_listeners;
	uint8_t ticket_keys[TICKET_KEYS * TICKET_KEY_BYTES];
	size_t n_ticket_keys;
};

bool pool_is_check(const struct pool *pool)
{
	return pool->line.fd < 0;
}

void pool_send(struct pool *pool, const struct frame *frame)
{
	/* A line that broke shows as end-of-file in the loop. */
	if (!pool_is_check(pool) && line_send(&pool->line, frame, NULL) < 0)
		return;
}

const struct log *pool_log(const struct pool *pool)
{
	return &pool->log;
}

/* Returns 0, also for a line that was dropped and counted; -EPIPE. */
static int send_log(struct line *line, enum log_priority priority, struct slice text)
{
	return line_send(line, &(struct frame){
		.kind = FRAME_LOG,
		.log = { .priority = (uint8_t)priority, .text = slice_head(text, FRAME_TEXT_BYTES) },
	}, NULL);
}

/* Before the first line that the master takes again. Returns as send_log(). */
static int tell_dropped(struct line *line)
{
	uint64_t dropped = line->dropped_logs;
	char text[80];
	int n = snprintf(text, sizeof text, "%llu log lines were dropped: the master did not take them", (unsigned long long)dropped);
	int r = send_log(line, LOG_PRIORITY_WARNING, slice_from(text, (size_t)n));

	line->dropped_logs = line->dropped_logs > dropped ? dropped : 0; /* dropped too: it does not count */
	return r;
}

static void log_to_line(void *arg, enum log_priority priority, struct slice text)
{
	struct line *line = arg;
	int r = line->fd >= 0 ? 0 : -EPIPE;

	if (r == 0 && line->dropped_logs > 0)
		r = tell_dropped(line);
	if (r == 0)
		r = send_log(line, priority, text);
	if (r < 0)
		log_to_stderr.sink(NULL, priority, text);
}

struct log pool_line_log(struct line *line)
{
	return (struct log){ .sink = log_to_line, .arg = line };
}

void pool_problem(struct pool *pool, unsigned line, const char *format, ...)
{
	char message[FRAME_TEXT_BYTES / 2], text[FRAME_TEXT_BYTES + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (line > 0)
		snprintf(text, sizeof text, "%.400s:%u: %s", pool->conf_path, line, message);
	else
		snprintf(text, sizeof text, "%.400s: %s", pool->conf_path, message);
	pool->n_problems++;
	if (pool_is_check(pool)) {
		printf("%s\n", text);
		return;
	}
	pool_send(pool, &(struct frame){ .kind = FRAME_PROBLEM, .text = { slice_str(text) } });
}

/* Parse text, and report what is wrong with it. Returns NULL if it cannot be used; a check goes on all the same. */
static struct conf *parse(struct pool *pool, struct slice text)
{
	struct conf *conf = NULL;
	struct conf_problems problems = { 0 };

	if (conf_parse(text, &conf, &problems) == 0)
		return conf;
	for (size_t i = 0; i < problems.n; i++)
		pool_problem(pool, problems.items[i].line, "%s", problems.items[i].text);
	conf_problems_done(&problems);
	return pool_is_check(pool) ? conf_parse_anyway(text) : NULL;
}

/* Parse text and let the role prepare. Returns 0, or -EINVAL with everything reported. */
static int take_configuration(struct pool *pool, struct slice text)
{
	pool->n_problems = 0;

	struct conf *conf = parse(pool, text);

	if (!conf)
		return -EINVAL;

	int r = pool->type->configure(pool->state, pool, conf, pool->generation);

	if (r < 0 || pool->n_problems > 0) {
		conf_free(conf);
		return -EINVAL;
	}
	conf_free(pool->conf);
	pool->conf = conf;
	return 0;
}

static void on_config(struct pool *pool, struct line_frame *f)
{
	_cleanup_close_ int fd = line_frame_take_fd(f, 0);
	_cleanup_free_ char *text = NULL;
	size_t bytes;
	struct frame answer = { .kind = FRAME_READY };

	free(pool->conf_path);
	pool->conf_path = strndup(f->frame.config.path.n > 0 ? f->frame.config.path.p : "", f->frame.config.path.n);
	must(pool->conf_path != NULL);
	pool->generation = f->frame.config.generation;

	int r = conf_read_fd(fd, &text, &bytes);

	if (r < 0)
		pool_problem(pool, 0, "cannot read the configuration: %s", strerror(-r));
	if (r < 0 || take_configuration(pool, slice_from(text, bytes)) < 0)
		answer.kind = FRAME_CONFIG_BAD;
	pool_send(pool, &answer);
}

static void drop_listeners(struct pool *pool)
{
	for (size_t i = 0; i < pool->n_listeners; i++)
		close(pool->listener_fds[i]);
	pool->n_listeners = 0;
}

static void on_listeners(struct pool *pool, struct line_frame *f)
{
	struct slice services = f->frame.listeners.services;

	drop_listeners(pool);
	for (size_t i = 0; i < services.n; i++) {
		pool->listener_fds[i] = line_frame_take_fd(f, i);
		pool->listener_services[i] = (enum service)services.p[i];
	}
	pool->n_listeners = services.n;
}

static void on_ticket_keys(struct pool *pool, struct line_frame *f)
{
	struct slice keys = f->frame.ticket_keys.keys;

	explicit_bzero(pool->ticket_keys, sizeof pool->ticket_keys);
	pool->n_ticket_keys = keys.n / TICKET_KEY_BYTES;
	if (keys.n > 0)
		memcpy(pool->ticket_keys, keys.p, pool->n_ticket_keys * TICKET_KEY_BYTES);
}

/* In the new process: shed the pool, become the role. */
__attribute__((noreturn)) static void run_child(struct pool *pool, struct line_frame *f)
{
	struct pool_child child = {
		.line_fd = line_frame_take_fd(f, 0),
		.conf = pool->conf,
		.generation = pool->generation,
		.listener_fds = pool->listener_fds,
		.listener_services = pool->listener_services,
		.n_listeners = pool->n_listeners,
		.ticket_keys = pool->ticket_keys,
		.n_ticket_keys = pool->n_ticket_keys,
	};
	sigset_t none;

	close(pool->signal_fd);
	line_close(&pool->line);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	int r = status_map(f->fds[1], f->frame.process.slot, &child.status);

	line_frame_done(f);
	if (r < 0) {
		log_line(&log_to_stderr, LOG_PRIORITY_ERROR, "%s: cannot map the status memory: %s", pool->type->program,
			strerror(-r));
		_exit(70);
	}
	children_done(&pool->children);
	_exit(pool->type->child(pool->state, &child));
}

static void on_spawn(struct pool *pool, struct line_frame *f)
{
	uint32_t slot = f->frame.process.slot;
	pid_t pid = pool->conf ? fork() : (errno = EINVAL, -1);

	if (pid == 0)
		run_child(pool, f);
	if (pid < 0) {
		pool_send(pool, &(struct frame){ .kind = FRAME_EXITED, .exited = { slot, 0, (uint32_t)errno } });
		return;
	}
	children_add(&pool->children, (struct child){ (uint32_t)pid, slot });
	pool_send(pool, &(struct frame){ .kind = FRAME_SPAWNED, .process = { slot, (uint32_t)pid } });
}

static void on_kill(struct pool *pool, struct line_frame *f)
{
	if (children_has(&pool->children, f->frame.kill.pid))
		kill((pid_t)f->frame.kill.pid, (int)f->frame.kill.signal);
}

static void on_ping(struct pool *pool, struct line_frame *f)
{
	pool_send(pool, &(struct frame){ .kind = FRAME_PONG, .serial = f->frame.serial });
}

static void (*const on_frame[FRAME_KIND_COUNT])(struct pool *, struct line_frame *) = {
	[FRAME_CONFIG] = on_config,
	[FRAME_LISTENERS] = on_listeners,
	[FRAME_TICKET_KEYS] = on_ticket_keys,
	[FRAME_SPAWN] = on_spawn,
	[FRAME_KILL] = on_kill,
	[FRAME_PING] = on_ping,
};

/* Take every frame that is there. Returns false when the line is over. */
static bool read_line(struct pool *pool)
{
	for (;;) {
		struct line_frame f;
		int r = line_receive(&pool->line, &f);

		if (r == -EAGAIN)
			return true;
		if (r < 0)
			return false;
		if (on_frame[f.frame.kind])
			on_frame[f.frame.kind](pool, &f);
		line_frame_done(&f);
	}
}

static void reap(struct pool *pool)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child child;

		if (children_remove(&pool->children, (uint32_t)pid, &child))
			pool_send(pool, &(struct frame){
				.kind = FRAME_EXITED,
				.exited = { child.slot, child.pid, (uint32_t)status },
			});
	}
}

static int serve(struct pool *pool)
{
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	/* The master alone decides when to stop or reload: a Ctrl-C reaches the whole group. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	pool->signal_fd = signalfd(-1, &block, SFD_CLOEXEC | SFD_NONBLOCK);
	if (pool->signal_fd < 0)
		return 70;
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = pool->line.fd, .events = (short)(POLLIN | (line_wants_write(&pool->line) ? POLLOUT : 0)) },
			{ .fd = pool->signal_fd, .events = POLLIN },
		};
		struct signalfd_siginfo info;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 70;
		while (read(pool->signal_fd, &info, sizeof info) > 0)
			;
		reap(pool);
		if (line_flush(&pool->line) < 0 || !read_line(pool))
			return 0;
	}
}

static int check(struct pool *pool, const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t bytes;
	int r = conf_read_file(path, &text, &bytes);

	pool->conf_path = strdup(path);
	must(pool->conf_path != NULL);
	if (r < 0) {
		pool_problem(pool, 0, "cannot read the configuration: %s", strerror(-r));
		return 1;
	}
	return take_configuration(pool, slice_from(text, bytes)) < 0;
}

/* Frames may mean something else in another version. */
static bool is_our_version(const struct pool_type *type, const char *version)
{
	if (strcmp(version, RESTANTE_VERSION) == 0)
		return true;
	log_line(&log_to_stderr, LOG_PRIORITY_ERROR, "%s is of version " RESTANTE_VERSION ", the running restanted of %s; restart restanted",
		type->program, version);
	return false;
}

int pool_main(const struct pool_type *type, void *state, int argc, char **argv)
{
	/* Static: a pool is the process, and its buffers are large for a stack. */
	static struct pool pool;

	pool = (struct pool){ .type = type, .state = state, .signal_fd = -1, .log = log_to_stderr, .line = { .fd = -1 } };
	if (argc == 3 && strcmp(argv[1], "-t") == 0)
		return check(&pool, argv[2]);

	uint64_t fd;

	if (argc < 3 || argc > 4 || strcmp(argv[1], "--pool") != 0 || !slice_number(slice_str(argv[2]), 1023, &fd))
		return -1;
	if (argc == 4 && !is_our_version(type, argv[3]))
		return EXIT_OTHER_VERSION;
	pool.line = line_open((int)fd, ROLE_MASTER);
	pool.log = pool_line_log(&pool.line);
	return serve(&pool);
}
