/*
 * The journal's own socket and /dev/log are spoken to directly (the native journal protocol and RFC 3164 lines
 * are both stable interfaces): sd_journal_sendv() and syslog() may block, and the master may not.
 */
#include "server/master/logger.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

enum { RECORD_BYTES = LOG_LINE_MAX_BYTES + 400, FACILITY_MAIL = 2 << 3 };

static const char name_of_master[] = "restanted";

/* Whether standard error is the stream that JOURNAL_STREAM=DEVICE:INODE names. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2 || fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
}

/* Returns whether the whole record was taken. */
static bool send_record(int fd, struct slice record)
{
	ssize_t n = send(fd, record.p, record.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == (ssize_t)record.n;
}

/* Standard error belongs to others too, so O_NONBLOCK is not ours to set: look first. A pipe that polls writable takes PIPE_BUF bytes. */
static bool write_stderr(struct slice record)
{
	struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t n = send(STDERR_FILENO, record.p, record.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == ENOTSOCK && poll(&ready, 1, 0) == 1 && ready.revents & POLLOUT)
		n = write(STDERR_FILENO, record.p, record.n);
	return n == (ssize_t)record.n;
}

struct record {
	enum log_priority priority;
	const char *name;
	pid_t pid;
	struct slice text;
};

static int format_stderr(const struct record *r, bool prefix, char *to)
{
	char level[8] = "";

	if (prefix)
		snprintf(level, sizeof level, "<%d>", r->priority);
	return snprintf(to, RECORD_BYTES, "%s%s[%d]: %.*s\n", level, r->name, (int)r->pid, SLICE_FMT(r->text));
}

static int format_journal(const struct record *r, char *to)
{
	return snprintf(to, RECORD_BYTES,
		"PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=%s\nRESTANTE_ROLE=%s\nOBJECT_PID=%d\nMESSAGE=%s[%d]: %.*s\n",
		r->priority, FACILITY_MAIL >> 3, name_of_master, r->name, (int)r->pid, r->name, (int)r->pid,
		SLICE_FMT(r->text));
}

static int format_syslog(const struct record *r, char *to)
{
	char when[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(when, sizeof when, "%b %e %H:%M:%S", &tm);
	return snprintf(to, RECORD_BYTES, "<%d>%s %s[%d]: %s[%d]: %.*s", FACILITY_MAIL | (int)r->priority, when,
		name_of_master, (int)getpid(), r->name, (int)r->pid, SLICE_FMT(r->text));
}

static bool put_record(const struct logger *logger, const struct record *r)
{
	char bytes[RECORD_BYTES];
	int n = 0;

	switch (logger->target) {
	case LOGGER_STDERR:
	case LOGGER_STDERR_PREFIXED:
		n = format_stderr(r, logger->target == LOGGER_STDERR_PREFIXED, bytes);
		break;
	case LOGGER_JOURNAL:
		n = format_journal(r, bytes);
		break;
	case LOGGER_SYSLOG:
		n = format_syslog(r, bytes);
		break;
	}
	if (n < 0)
		return false;

	struct slice record = slice_head(slice_from(bytes, (size_t)n), sizeof bytes - 1);

	return logger->fd >= 0 ? send_record(logger->fd, record) : write_stderr(record);
}

/* Control characters could forge a second line or a journal field. */
static void make_printable(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

static void tell_dropped(struct logger *logger)
{
	char text[80];
	int n = snprintf(text, sizeof text, "%llu log lines were dropped: the log did not take them",
		(unsigned long long)logger->dropped);
	struct record r = { LOG_PRIORITY_WARNING, name_of_master, getpid(), slice_from(text, (size_t)n) };

	if (put_record(logger, &r))
		logger->dropped = 0;
}

void logger_write(struct logger *logger, const char *name, pid_t pid, enum log_priority priority, struct slice text)
{
	char bytes[LOG_LINE_MAX_BYTES];
	struct slice cut = slice_head(text, sizeof bytes);

	if (priority > logger->level)
		return;
	if (priority < LOG_PRIORITY_ERROR)
		priority = LOG_PRIORITY_ERROR;
	if (cut.n > 0)
		memcpy(bytes, cut.p, cut.n);
	make_printable(bytes, cut.n);
	if (logger->dropped > 0)
		tell_dropped(logger);

	struct record r = { priority, name, pid, slice_from(bytes, cut.n) };

	if (logger->dropped > 0 || !put_record(logger, &r))
		logger->dropped++;
}

static void write_own(void *arg, enum log_priority priority, struct slice line)
{
	logger_write(arg, name_of_master, getpid(), priority, line);
}

void logger_init(struct logger *logger)
{
	*logger = (struct logger){
		.target = stderr_is_journal() ? LOGGER_STDERR_PREFIXED : LOGGER_STDERR,
		.fd = -1,
		.level = LOG_PRIORITY_INFO,
		.log = { .sink = write_own, .arg = logger },
	};
}

static int connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int logger_configure(struct logger *logger, enum conf_log_target target, unsigned level)
{
	int fd = -1, r = 0;
	enum logger_target to = stderr_is_journal() ? LOGGER_STDERR_PREFIXED : LOGGER_STDERR;

	logger->level = level;
	if (target == CONF_LOG_JOURNAL) {
		to = LOGGER_JOURNAL;
		r = connect_to("/run/systemd/journal/socket", &fd);
	} else if (target == CONF_LOG_SYSLOG) {
		to = LOGGER_SYSLOG;
		r = connect_to("/dev/log", &fd);
	}
	if (r < 0)
		return r;
	logger_done(logger);
	logger->target = to;
	logger->fd = fd;
	return 0;
}

void logger_done(struct logger *logger)
{
	cleanup_close(&logger->fd);
	logger->fd = -1;
}
