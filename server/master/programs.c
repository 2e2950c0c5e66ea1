#include "server/master/programs.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { LINE_FD = 3, ARGUMENTS_MAX = 16 };

static const char *const names[ROLE_COUNT] = {
	[ROLE_FRONT_POOL] = "restante-front",
	[ROLE_AUTH_POOL] = "restante-auth",
	[ROLE_SESSION_POOL] = "restante-session",
};

const char *programs_name(enum role pool_role)
{
	must(pool_role < ROLE_COUNT && names[pool_role]);
	return names[pool_role];
}

static bool program_path(const struct programs *programs, enum role role, char *ret_path)
{
	int n = snprintf(ret_path, PATH_MAX, "%s/%s", programs->directory, programs_name(role));

	return n > 0 && n < PATH_MAX;
}

static int check_all(const struct programs *programs, char *ret_missing)
{
	for (enum role role = ROLE_FRONT_POOL; role <= ROLE_SESSION_POOL; role++)
		if (!program_path(programs, role, ret_missing) || access(ret_missing, X_OK) < 0)
			return -ENOENT;
	return 0;
}

int programs_find(struct programs *ret_programs, char *ret_missing)
{
	struct programs p = { 0 };
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", p.directory, sizeof p.directory - 1);
	char *slash = n > 0 ? strrchr(p.directory, '/') : NULL;

	if (slash)
		*slash = '\0';
	if (!slash || !program_path(&p, ROLE_FRONT_POOL, path) || access(path, X_OK) < 0)
		snprintf(p.directory, sizeof p.directory, "%s", RESTANTE_LIBEXECDIR);

	int r = check_all(&p, ret_missing);

	if (r == 0)
		*ret_programs = p;
	return r;
}

/* The few variables that a role may need; the rest of ours is none of its business. */
static char *const *clean_environment(char time_zone[128], char *ret_variables[4])
{
	const char *zone = getenv("TZ");
	size_t n = 0;

	ret_variables[n++] = (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	ret_variables[n++] = (char *)"LANG=C.UTF-8";
	if (zone && snprintf(time_zone, 128, "TZ=%s", zone) < 128)
		ret_variables[n++] = time_zone;
	ret_variables[n] = NULL;
	return ret_variables;
}

static void reset_signals(void)
{
	struct sigaction fresh = { .sa_handler = SIG_DFL };
	sigset_t none;

	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		sigaction(s, &fresh, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: standard input, standard output and keep_fd (as LINE_FD, if any) stay, and nothing else. */
__attribute__((noreturn)) static void become(const char *path, char *const *arguments, int in_fd, int out_fd, int keep_fd)
{
	char time_zone[128];
	char *variables[4];
	bool ok = dup2(in_fd, STDIN_FILENO) >= 0 && dup2(out_fd, STDOUT_FILENO) >= 0;

	if (keep_fd == LINE_FD)
		ok = ok && fcntl(LINE_FD, F_SETFD, 0) == 0;
	else if (keep_fd >= 0)
		ok = ok && dup2(keep_fd, LINE_FD) >= 0;
	ok = ok && close_range(keep_fd >= 0 ? LINE_FD + 1 : LINE_FD, ~0U, 0) == 0;
	reset_signals();
	if (ok)
		execve(path, arguments, clean_environment(time_zone, variables));
	dprintf(STDERR_FILENO, "restanted: cannot start %s: %m\n", path);
	_exit(127);
}

pid_t programs_start_pool(const struct programs *programs, enum role pool_role, int line_fd)
{
	char path[PATH_MAX];
	char *arguments[] = { (char *)programs_name(pool_role), (char *)"--pool", (char *)"3", (char *)RESTANTE_VERSION, NULL };
	_cleanup_close_ int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null_fd < 0)
		return -errno;
	if (!program_path(programs, pool_role, path))
		return -ENAMETOOLONG;

	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		setsid();
		become(path, arguments, null_fd, STDERR_FILENO, line_fd);
	}
	return pid;
}

/* Read until end-of-file. Returns 0 or -errno. */
static int read_all(int fd, struct buf *output)
{
	for (;;) {
		char bytes[4096];
		ssize_t n = read(fd, bytes, sizeof bytes);

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && buf_add(output, slice_from(bytes, (size_t)n)) < 0)
			return -ENOBUFS;
	}
}

/* The input of these programs is a few lines: it fits into a fresh socket's buffer, so there is no one to wait for. */
static int give_input(struct slice input, int *ret_fd)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;

	ssize_t n = send(fds[0], input.p ? input.p : "", input.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	close(fds[0]);
	if (n != (ssize_t)input.n) {
		close(fds[1]);
		return -EFBIG;
	}
	*ret_fd = fds[1];
	return 0;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int programs_run(const struct programs *programs, enum role pool_role, const char *const *arguments, struct slice input,
	struct buf *output)
{
	char path[PATH_MAX];
	const char *all[ARGUMENTS_MAX + 2] = { programs_name(pool_role) };
	_cleanup_close_ int in_fd = -1, from_fd = -1, to_fd = -1;
	int pipe_fds[2];

	for (size_t i = 0; arguments[i]; i++) {
		must(i < ARGUMENTS_MAX);
		all[i + 1] = arguments[i];
	}
	if (!program_path(programs, pool_role, path))
		return -ENAMETOOLONG;

	int r = give_input(input, &in_fd);

	if (r < 0)
		return r;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	from_fd = pipe_fds[0];
	to_fd = pipe_fds[1];
	fflush(stdout);

	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(path, (char *const *)all, in_fd, output ? to_fd : STDOUT_FILENO, -1);
	close(take_fd(&to_fd));
	r = output ? read_all(from_fd, output) : 0;
	close(take_fd(&from_fd));

	int status = wait_for(pid);

	return r < 0 ? r : status;
}
