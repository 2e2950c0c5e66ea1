#include "server/ctl/mail_child.h"

#include "base/become.h"
#include "base/must.h"
#include "server/ctl/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { READ_BYTES = 64 * 1024 };

/* Root's terminal is not for a process of another user, who could type into it. */
static int leave_terminal(int out_fd)
{
	_cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || setsid() < 0)
		return -errno;
	if (dup2(null_fd, STDIN_FILENO) < 0 ||
		dup2(out_fd >= 0 ? out_fd : null_fd, STDOUT_FILENO) < 0 ||
		dup2(null_fd, STDERR_FILENO) < 0)
		return -errno;
	if (out_fd > STDERR_FILENO)
		close(out_fd);
	return 0;
}

static int become(const struct account *account, pid_t parent)
{
	struct identity identity = {
		.user_uid = account->user_uid,
		.user_gid = account->user_gid,
		.n_groups = account->n_groups,
	};
	int r;

	memcpy(identity.groups, account->groups, account->n_groups * sizeof *account->groups);
	r = become_user(&identity);
	if (r < 0)
		return r;
	/* A change of uid forgets this, so it comes after. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == parent ? 0 : -ECANCELED;
}

static enum mail_status run_child(const struct mail_work *work, int fd, pid_t parent)
{
	struct report report;
	enum mail_status status = MAIL_FAILED;
	int r = leave_terminal(work->out_fd);

	report_init(&report, fd, work->progress);
	if (r < 0)
		report_error(&report, "cannot start: %s", strerror(-r));
	else
		r = become(work->account, parent);
	if (r == 0)
		status = work->run(work->arg, &report);
	else if (r == -EPERM && geteuid() != 0)
		report_error(&report,
			"the mail of %s belongs to uid %u, and you are uid %u: try again as root",
			work->account->user, (unsigned)work->account->user_uid, (unsigned)getuid());
	else if (report.n_errors == 0)
		report_error(&report, "cannot become uid %u: %s", (unsigned)work->account->user_uid,
			strerror(-r));
	report_done(&report);
	return status;
}

static void show_progress(struct slice line)
{
	_cleanup_buf_ struct buf out = BUF(READ_BYTES);

	if (text_add_line(&out, slice_tail(line, 2)) == 0)
		fprintf(stderr, "\r\033[K%.*s", (int)out.n - 1, out.p);
}

/* Take whole lines off what came: progress is shown, the rest is the reply. */
static int sort_lines(struct buf *in, struct buf *reply, bool *shown)
{
	ssize_t end;
	int r = 0;

	while (r == 0 && (end = slice_find(buf_slice(in), '\n')) >= 0) {
		struct slice line = slice_head(buf_slice(in), (size_t)end);

		if (slice_starts_with(line, SLICE("P\t"))) {
			show_progress(line);
			*shown = true;
		} else {
			r = buf_add(reply, slice_head(buf_slice(in), (size_t)end + 1));
		}
		buf_consume(in, (size_t)end + 1);
	}
	return r;
}

static int read_report(int fd, struct buf *reply)
{
	_cleanup_buf_ struct buf in = BUF(4 * REPORT_LINE_BYTES + READ_BYTES);
	bool shown = false;
	int r = 0;

	while (r == 0) {
		char *at = buf_reserve(&in, READ_BYTES);
		ssize_t n = at ? read(fd, at, READ_BYTES) : -1;

		if (!at || (n < 0 && errno != EINTR))
			r = at ? -errno : -ENOBUFS;
		if (n == 0)
			break;
		if (n > 0) {
			buf_grown(&in, (size_t)n);
			r = sort_lines(&in, reply, &shown);
		}
	}
	if (shown)
		fprintf(stderr, "\r\033[K");
	return r;
}

/* What is wrong with the child itself, as the last line of what it said. */
static void tell_death(struct buf *reply, const char *text, int number)
{
	char line[300];
	struct slice s;

	snprintf(line, sizeof line,
		"the process that looked at the mail ended before it was done (%s %d)", text,
		number);
	s = slice_str(line);
	must(control_add_line(reply, 'E', &s, 1) == 0);
	must(control_add_line(reply, '.', NULL, 0) == 0);
}

static enum mail_status status_of(int wait_status, int read_error, struct buf *reply)
{
	if (read_error < 0) {
		buf_clear(reply);
		tell_death(reply, "its report cannot be read: errno", -read_error);
	} else if (WIFSIGNALED(wait_status)) {
		ssize_t last = slice_find_last(buf_slice(reply), '\n');

		buf_truncate(reply, last < 0 ? 0 : (size_t)last + 1);
		if (!slice_ends_with(buf_slice(reply), SLICE("\n.\n")))
			tell_death(reply, "signal", WTERMSIG(wait_status));
	} else if (WEXITSTATUS(wait_status) <= MAIL_FAILED) {
		return (enum mail_status)WEXITSTATUS(wait_status);
	} else {
		tell_death(reply, "exit status", WEXITSTATUS(wait_status));
	}
	return MAIL_FAILED;
}

enum mail_status mail_child_run(const struct mail_work *work, struct buf *ret_reply)
{
	pid_t parent = getpid(), pid;
	int ends[2], status, r;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		tell_death(ret_reply, "pipe: errno", errno);
		return MAIL_FAILED;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		_exit((int)run_child(work, ends[1], parent));
	}
	close(ends[1]);
	if (pid < 0) {
		tell_death(ret_reply, "fork: errno", errno);
		close(ends[0]);
		return MAIL_FAILED;
	}
	r = read_report(ends[0], ret_reply);
	close(ends[0]);
	while (waitpid(pid, &status, 0) < 0)
		must(errno == EINTR);
	return status_of(status, r, ret_reply);
}
