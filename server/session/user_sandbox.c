/*
 * Three fences, each of which stands if another falls: resource limits (a runaway costs one user's process), Landlock (files),
 * seccomp (everything else the kernel offers). What is not needed to read and write a Maildir and to talk on descriptors that
 * are open already, or are handed over the line, ends the process.
 */
#include "server/session/user_sandbox.h"

#include "server/session/landlock.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#else
#define UNDER_SANITIZER 0
#endif

enum {
	DATA_BYTES = 1024 * 1024 * 1024, /* memory that is not a mapped file */
	OPEN_FILES = 1024,
	OPEN_FILES_A_CONNECTION = 8, /* the channel, a message, a mailbox of its own */
};

/* clang-format off */
static const char *const system_calls[] = {
	/* memory, time, itself */
	"brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "futex", "clock_gettime", "gettimeofday", "time",
	"clock_getres", "clock_nanosleep", "nanosleep", "getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid",
	"getresgid", "getrandom", "getrusage", "uname", "sysinfo", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"restart_syscall", "sched_yield", "prlimit64", "tgkill", "kill", "exit", "exit_group", "rseq", "membarrier",
	/* descriptors */
	"read", "readv", "write", "writev", "pread64", "preadv", "pwrite64", "pwritev", "lseek", "close", "close_range", "dup",
	"fcntl", "flock", "ftruncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "fadvise64", "fstat", "fchmod",
	"copy_file_range", "sendfile",
	/* waiting, and talking on what was handed to us */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "eventfd2", "timerfd_create", "timerfd_settime",
	"recvmsg", "sendmsg", "shutdown", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	/*
	 * files, where Landlock allows them; old calls without "at" are what libc or LMDB may still use. Not chmod(): Landlock does not
	 * look at it, and virtual users have one uid.
	 */
	"openat", "open", "stat", "lstat", "newfstatat", "statx", "fstatfs", "statfs", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getcwd", "getdents64", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat",
	"renameat2", "link", "linkat", "utimensat", "umask",
#if UNDER_SANITIZER
	"sigaltstack", "clone", "clone3", "wait4", "pipe2", "prctl", "sched_getaffinity", "set_robust_list", "arch_prctl",
	"ioctl", "getppid", "ptrace",
#endif
	NULL,
};
/* clang-format on */

int user_sandbox_compile(struct seccomp_program *ret_program)
{
	return seccomp_compile(system_calls, SECCOMP_KILL, true, ret_program);
}

/* Lower a limit; never raise it. */
static int limit(__rlimit_resource_t resource, rlim_t value)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return -errno;
	if (now.rlim_max < value)
		value = now.rlim_max;
	return setrlimit(resource, &(struct rlimit){ value, value }) < 0 ? -errno : 0;
}

static int limit_resources(unsigned max_connections)
{
	int r = limit(RLIMIT_CORE, 0); /* a core would hold mail */

	if (r == 0 &&
		!UNDER_SANITIZER) /* which maps its shadow first, and may fork to explain itself */
		r = limit(RLIMIT_NPROC, 0);
	if (r == 0 && !UNDER_SANITIZER)
		r = limit(RLIMIT_DATA, DATA_BYTES);
	if (r == 0)
		r = limit(RLIMIT_NOFILE,
			OPEN_FILES + (rlim_t)max_connections * OPEN_FILES_A_CONNECTION);
	return r;
}

static int confine_files(const struct user_sandbox_settings *settings)
{
	const char *const directories[] = { settings->mail_path, settings->index_path };
	int r = landlock_confine(directories, sizeof directories / sizeof *directories);

	return r == -EOPNOTSUPP ? 0 : r;
}

int user_sandbox_enter(const struct user_sandbox_settings *settings)
{
	int r = limit_resources(settings->max_connections);

	if (r == 0)
		r = confine_files(settings);
	if (r == 0)
		r = seccomp_program_load(settings->filter, true);
	return r;
}
