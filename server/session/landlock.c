#include "server/session/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

/* What newer kernels know and the headers of Debian 12 do not. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

/* struct landlock_ruleset_attr as of ABI 6; an older kernel is given a shorter one. */
struct ruleset {
	uint64_t handled_access_fs, handled_access_net, scoped;
};

enum {
	NET_BIND_TCP = 1 << 0,
	NET_CONNECT_TCP = 1 << 1,
	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
	SCOPE_SIGNAL = 1 << 1
};

static const uint64_t reading_and_writing =
	LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
	LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
	LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REFER |
	LANDLOCK_ACCESS_FS_TRUNCATE;

static const uint64_t all_of_abi_2 = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* Everything that a kernel of this version can deny. */
static struct ruleset ruleset_of(int abi)
{
	return (struct ruleset){
		.handled_access_fs = all_of_abi_2 | (abi >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0) |
				     (abi >= 5 ? LANDLOCK_ACCESS_FS_IOCTL_DEV : 0),
		.handled_access_net = abi >= 4 ? NET_BIND_TCP | NET_CONNECT_TCP : 0,
		.scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
	};
}

static size_t ruleset_bytes(int abi)
{
	return sizeof(uint64_t) * (abi >= 6 ? 3 : abi >= 4 ? 2 : 1);
}

static int allow_beneath(int ruleset_fd, const char *directory, uint64_t access)
{
	_cleanup_close_ int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return 0; /* no rule, so no access: whoever opens it will meet the same fault, and tell */

	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = fd };

	if (syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return -errno;
	return 0;
}

int landlock_confine(const char *const *directories, size_t n)
{
	int abi = landlock_abi();

	if (abi < LANDLOCK_ABI_MIN)
		return -EOPNOTSUPP;

	struct ruleset ruleset = ruleset_of(abi);
	_cleanup_close_ int fd =
		(int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_bytes(abi), 0);

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		int r = allow_beneath(
			fd, directories[i], reading_and_writing & ruleset.handled_access_fs);

		if (r < 0)
			return r;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	return 0;
}
