#include "server/pool/seccomp.h"

#include "base/must.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void release(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int add_rules(scmp_filter_ctx filter, const char *const *names, uint32_t action)
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);
		int r = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, number, 0);

		if (r < 0 && r != -EDOM && r != -EEXIST)
			return r;
	}
	return 0;
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

int seccomp_program_load(const struct seccomp_program *program, bool set_no_new_privs)
{
	struct sock_fprog fprog = { .len = program->n, .filter = program->instructions };

	if (set_no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return -errno;
	return 0;
}
