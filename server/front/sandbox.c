#include "server/front/sandbox.h"

#include "base/must.h"
#include "server/pool/pool.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What libc, libev, OpenSSL and this program call. No open, no socket, no exec, no fork. */
static const char *const allowed_calls[] = {
	/* connections, channels, the line */
	"accept4", "read", "write", "readv", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "close", "shutdown",
	"socketpair", "getsockopt", "setsockopt", "fcntl",
	/* the event loop and its clocks */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "clock_gettime", "gettimeofday", "time", "restart_syscall",
	/* memory */
	"brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "futex", "getrandom", "getpid", "gettid",
	/* the end, expected or not */
	"exit", "exit_group", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "tgkill",
#ifdef __SANITIZE_ADDRESS__
	/* reports of AddressSanitizer */
	"sigaltstack", "sched_yield", "getrlimit", "prlimit64", "readlink", "openat", "lseek", "pread64", "ioctl", "fstat",
	"newfstatat", "clone", "wait4", "prctl", "nanosleep", "clock_nanosleep",
#endif
	NULL,
};

/* ---- Landlock: as in <linux/landlock.h>, of which older systems have an older one ---- */

struct landlock_rules {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

/* What each ABI version adds; every kernel that knows it refuses bits it does not know. */
static const struct {
	size_t bytes; /* of struct landlock_rules */
	struct landlock_rules rules;
} landlock_abis[] = {
	{ 8, { (1 << 13) - 1, 0, 0 } },       /* 1: files */
	{ 8, { (1 << 14) - 1, 0, 0 } },       /* 2: refer */
	{ 8, { (1 << 15) - 1, 0, 0 } },       /* 3: truncate */
	{ 16, { (1 << 15) - 1, 3, 0 } },      /* 4: TCP bind and connect */
	{ 16, { (1 << 16) - 1, 3, 0 } },      /* 5: ioctl of devices */
	{ 24, { (1 << 16) - 1, 3, 3 } },      /* 6: abstract sockets and signals outside */
};

enum { LANDLOCK_GET_VERSION = 1, LANDLOCK_ABIS = sizeof landlock_abis / sizeof *landlock_abis };

/* Returns 0, or -errno; -ENOSYS or -EOPNOTSUPP where the kernel has no Landlock. */
static int restrict_files(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_GET_VERSION);

	if (version < 1)
		return version < 0 ? -errno : -EOPNOTSUPP;
	if (version > LANDLOCK_ABIS)
		version = LANDLOCK_ABIS;

	_cleanup_close_ int rules = (int)syscall(SYS_landlock_create_ruleset, &landlock_abis[version - 1].rules,
		landlock_abis[version - 1].bytes, 0);

	if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return -errno;
	return 0;
}

/* ---- prepare ---- */

/* /run is empty after a start of the host: without tmpfiles.d nobody but us makes the directory and the one above. */
static void make_chroot(const char *path)
{
	char above[LIMIT_PATH_BYTES];
	ssize_t slash = slice_find_last(slice_str(path), '/');

	if (slash > 0 && slice_to_str(slice_head(slice_str(path), (size_t)slash), above, sizeof above))
		mkdir(above, 0755);
	mkdir(path, 0555);
}

static void check_chroot(struct pool *pool, const char *path)
{
	struct stat st;

	if (!pool_is_check(pool))
		make_chroot(path);

	DIR *directory = opendir(path);

	if (!directory && errno == ENOENT && pool_is_check(pool))
		return; /* made at the start */
	if (!directory || fstat(dirfd(directory), &st) < 0) {
		pool_problem(pool, 0, "[front] chroot: %s: %s; make it: an empty directory of root, mode 755", path, strerror(errno));
		if (directory)
			closedir(directory);
		return;
	}
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		pool_problem(pool, 0, "[front] chroot: %s can be changed by others than root; chown root and chmod 755 it", path);
	for (struct dirent *e; (e = readdir(directory));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
			pool_problem(pool, 0, "[front] chroot: %s is not empty (%s); name an empty directory", path, e->d_name);
			break;
		}
	closedir(directory);
}

static void find_user(struct pool *pool, const char *name, struct sandbox *sandbox)
{
	const struct passwd *user = getpwnam(name);

	if (!user) {
		pool_problem(pool, 0, "[front] user: there is no user %s; make one (a system user without a shell)", name);
		return;
	}
	if (user->pw_uid == 0 || user->pw_gid == 0)
		pool_problem(pool, 0, "[front] user: %s is root, or in root's group; name one without any rights", name);
	sandbox->uid = user->pw_uid;
	sandbox->gid = user->pw_gid;
}

int sandbox_prepare(struct pool *pool, const struct conf *conf, struct sandbox *ret_sandbox)
{
	struct sandbox sandbox = { .as_root = geteuid() == 0, .chroot_path = conf->front.chroot };

	if (sandbox.as_root) {
		find_user(pool, conf->front.user, &sandbox);
		check_chroot(pool, conf->front.chroot);
	}

	int r = seccomp_compile(allowed_calls, SECCOMP_KILL, false, &sandbox.filter);

	if (r < 0) {
		pool_problem(pool, 0, "cannot make the front's system call filter: %s", strerror(-r));
		return -EINVAL;
	}
	*ret_sandbox = sandbox;
	return 0;
}

void sandbox_done(struct sandbox *sandbox)
{
	seccomp_program_done(&sandbox->filter);
}

/* ---- enter ---- */

static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit both = { value, value };

	return setrlimit(resource, &both) < 0 ? -errno : 0;
}

static int set_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		return -errno;

	int r = limit(RLIMIT_CORE, 0);

	if (r == 0)
		r = limit(RLIMIT_FSIZE, 0);
	return r == 0 ? limit(RLIMIT_NPROC, 0) : r;
}

/* Gone for good: none of the ways back may work. */
static bool is_unprivileged(const struct sandbox *sandbox)
{
	uid_t real, effective, saved;
	gid_t real_gid, effective_gid, saved_gid;

	if (getresuid(&real, &effective, &saved) < 0 || getresgid(&real_gid, &effective_gid, &saved_gid) < 0)
		return false;
	return real == sandbox->uid && effective == sandbox->uid && saved == sandbox->uid && real_gid == sandbox->gid &&
		effective_gid == sandbox->gid && saved_gid == sandbox->gid && getgroups(0, NULL) == 0 && setuid(0) < 0 &&
		setgid(0) < 0 && seteuid(0) < 0;
}

static int drop_root(const struct sandbox *sandbox)
{
	must(sandbox->uid != 0 && sandbox->gid != 0);
	if (chroot(sandbox->chroot_path) < 0 || chdir("/") < 0)
		return -errno;
	if (setgroups(0, NULL) < 0 || setresgid(sandbox->gid, sandbox->gid, sandbox->gid) < 0 ||
		setresuid(sandbox->uid, sandbox->uid, sandbox->uid) < 0)
		return -errno;
	return is_unprivileged(sandbox) ? 0 : -EPERM;
}

int sandbox_enter(const struct sandbox *sandbox, const struct log *log)
{
	int r = sandbox->as_root ? drop_root(sandbox) : 0;

	if (r < 0)
		return r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	r = restrict_files();
	if (r < 0 && !sandbox->as_root)
		log_line(log, LOG_PRIORITY_WARNING, "no Landlock on this kernel (%s): a front could open this user's files", strerror(-r));
	r = set_limits();
	return r < 0 ? r : seccomp_program_load(&sandbox->filter, true);
}
