#include "server/pool/seccomp.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* In a compiled program: the pid of whoever loads it, known only then. Larger than a pid can be. */
enum { OWN_PID = 0x7fa5a5a5 };

/*
 * Calls that also reach other processes, or files that Landlock does not guard (it knows nothing of modes and times), and
 * the arguments with which they do not. Sessions of virtual users share a uid, and so do fronts, which share the
 * listening sockets, too: no permission keeps them apart.
 */
static const struct restriction {
	const char *name;
	unsigned argument;
	enum scmp_compare compare;
	uint64_t value;
} restrictions[] = {
	{ "tgkill", 0, SCMP_CMP_EQ, OWN_PID },   /* abort() */
	{ "kill", 1, SCMP_CMP_EQ, 0 },           /* whether the holder of a lock is there */
	{ "prlimit64", 0, SCMP_CMP_EQ, 0 },      /* getrlimit() and setrlimit() */
	{ "utimensat", 1, SCMP_CMP_EQ, 0 },      /* futimens(): without a path */
	{ "fcntl", 1, SCMP_CMP_LE, F_GETFL },    /* neither F_SETOWN and what else sends signals, nor F_SETFL: fronts share sockets */
	{ "fcntl", 1, SCMP_CMP_EQ, F_GETLK },
	{ "fcntl", 1, SCMP_CMP_EQ, F_SETLK },
	{ "fcntl", 1, SCMP_CMP_EQ, F_SETLKW },
	{ "fcntl", 1, SCMP_CMP_EQ, F_OFD_GETLK },
	{ "fcntl", 1, SCMP_CMP_EQ, F_OFD_SETLK },
	{ "fcntl", 1, SCMP_CMP_EQ, F_OFD_SETLKW },
	{ "fcntl", 1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC },
	{ "shutdown", 1, SCMP_CMP_EQ, SHUT_WR }, /* SHUT_RD would end a listening socket for every front */
};

static const size_t n_restrictions = sizeof restrictions / sizeof *restrictions;

/* Returns 0 if the call is none of those (ret_restricted is false), or allowed as far as they say. */
static int add_restricted(scmp_filter_ctx filter, const char *name, int number, bool *ret_restricted)
{
	int r = 0;

	*ret_restricted = false;
	for (size_t i = 0; i < n_restrictions && r == 0; i++) {
		const struct restriction *at = &restrictions[i];

		if (strcmp(at->name, name) != 0)
			continue;
		*ret_restricted = true;
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
			(struct scmp_arg_cmp){ at->argument, at->compare, at->value, 0 });
	}
	return r;
}

static int add_rule(scmp_filter_ctx filter, const char *name, uint32_t action)
{
	int number = seccomp_syscall_resolve_name(name);
	bool restricted = false;
	int r = 0;

	if (number == __NR_SCMP_ERROR)
		return 0;
	if (action == SCMP_ACT_ALLOW)
		r = add_restricted(filter, name, number, &restricted);
	if (!restricted)
		r = seccomp_rule_add(filter, action, number, 0);
	return r == -EDOM || r == -EEXIST ? 0 : r;
}

static int add_rules(scmp_filter_ctx filter, const char *const *names, uint32_t action)
{
	int r = 0;

	for (; *names && r == 0; names++)
		r = add_rule(filter, *names, action);
	return r;
}

/* libseccomp writes the program to a descriptor only. */
static int export_program(scmp_filter_ctx filter, struct seccomp_program *ret_program)
{
	_cleanup_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;

	int r = seccomp_export_bpf(filter, fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;

	size_t bytes = (size_t)st.st_size;
	_cleanup_free_ struct sock_filter *instructions = malloc(bytes);

	must(instructions != NULL);
	if (bytes / sizeof *instructions > BPF_MAXINSNS || pread(fd, instructions, bytes, 0) != (ssize_t)bytes)
		return -EIO;
	ret_program->n = (unsigned short)(bytes / sizeof *instructions);
	ret_program->instructions = take_ptr(instructions);
	return 0;
}

int seccomp_compile(const char *const *names, enum seccomp_otherwise otherwise, bool no_sockets,
	struct seccomp_program *ret_program)
{
	static const char *const sockets[] = { "socket", "socketpair", NULL };
	bool allow_list = otherwise == SECCOMP_KILL;
	_cleanup_(release) scmp_filter_ctx filter = seccomp_init(allow_list ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ALLOW);

	if (!filter)
		return -ENOMEM;

	/* The cheapest program for many rules: a binary search over the call numbers. */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

	if (r == 0)
		r = add_rules(filter, names, allow_list ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	if (r == 0 && no_sockets)
		r = add_rules(filter, sockets, SCMP_ACT_ERRNO(EAFNOSUPPORT));
	return r < 0 ? r : export_program(filter, ret_program);
}

void seccomp_program_done(struct seccomp_program *program)
{
	free(program->instructions);
	*program = (struct seccomp_program){ 0 };
}

static void set_own_pid(struct sock_filter *instructions, unsigned short n)
{
	const uint32_t pid = (uint32_t)getpid();

	for (unsigned short i = 0; i < n; i++)
		if (BPF_CLASS(instructions[i].code) == BPF_JMP && instructions[i].k == OWN_PID)
			instructions[i].k = pid;
}

int seccomp_program_load(const struct seccomp_program *program, bool set_no_new_privs)
{
	struct sock_filter own[BPF_MAXINSNS]; /* a copy: the program's pages are shared with the pool */
	struct sock_fprog fprog = { .len = program->n, .filter = own };

	must(program->n <= BPF_MAXINSNS);
	memcpy(own, program->instructions, program->n * sizeof *own);
	set_own_pid(own, program->n);
	if (set_no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return -errno;
	return 0;
}
