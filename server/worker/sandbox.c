#include "server/worker/sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/*
 * The tree of mounts is among it, so pam_namespace and pam_mount cannot work: a session here ends as soon as it was opened,
 * and what they prepare would be for nobody.
 */
static const char *const denied[] = {
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
	"migrate_pages", "move_pages",
	/* the kernel */
	"init_module", "finit_module", "delete_module", "create_module", "get_kernel_syms", "query_module", "kexec_load",
	"kexec_file_load", "reboot", "bpf", "perf_event_open", "userfaultfd", "syslog", "iopl", "ioperm", "modify_ldt", "vm86",
	"vm86old", "lookup_dcookie", "uselib", "_sysctl", "sysfs", "nfsservctl", "fanotify_init", "quotactl_fd",
	/* calls that a filter would not see */
	"io_uring_setup", "io_uring_enter", "io_uring_register",
	/* mounts and namespaces */
	"mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
	"pivot_root", "chroot", "setns", "unshare", "open_by_handle_at", "swapon", "swapoff", "acct", "vhangup",
	/* clock and names of the host */
	"settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime",
	"sethostname", "setdomainname",
	NULL,
};

int worker_sandbox_compile(struct seccomp_program *ret_program)
{
	return seccomp_compile(denied, SECCOMP_ALLOW, false, ret_program);
}

int worker_sandbox_enter(const struct seccomp_program *program, const struct conf *conf)
{
	const struct rlimit none = { 0, 0 };
	bool is_root = geteuid() == 0;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	if (!is_root && conf->auth.pam_helpers)
		return 0;

	int r = seccomp_program_load(program, !is_root);

	/* A root without CAP_SYS_ADMIN, as in a container. Its helpers need no setuid. */
	return r == -EACCES && is_root ? seccomp_program_load(program, true) : r;
}
