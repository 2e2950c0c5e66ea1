/* sandbox.h - a front gives up what it does not need: files, privileges, system calls. */
#pragma once

#include "base/log.h"
#include "conf/conf.h"
#include "server/pool/seccomp.h"

struct pool;

/* What the pool prepares for its children. */
struct sandbox {
	bool as_root;        /* change root and user; else the ordinary user stays who it is */
	uid_t uid;
	gid_t gid;
	const char *chroot_path; /* of the configuration, borrowed */
	struct seccomp_program filter;
};

/*
 * Look up the user, check the empty directory, compile the filter. Problems go to pool_problem().
 * Returns 0 or -EINVAL. Blocks on NSS. Freed with sandbox_done().
 */
_must_check_ int sandbox_prepare(struct pool *pool, const struct conf *conf, struct sandbox *ret_sandbox);
void sandbox_done(struct sandbox *sandbox);

/*
 * Enter it, for good: as root chroot to the empty directory and become the user, verified; always Landlock without
 * any rule (as far as this kernel has it), no core dumps, no new files, no new processes, no_new_privs, the
 * system call filter.
 * Returns 0, or -errno: the process must end.
 */
_must_check_ int sandbox_enter(const struct sandbox *sandbox, const struct log *log);
