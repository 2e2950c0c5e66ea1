/* user_sandbox.h - what a session takes from itself once it is the user: files but the user's mail, sockets, new programs. */
#pragma once

#include "server/pool/seccomp.h"

struct user_sandbox_settings {
	const char *mail_path, *index_path;
	unsigned max_connections; /* what there must be descriptors for */
	const struct seccomp_program *filter; /* of user_sandbox_compile() */
};

/* Compile the filter, in the pool, once for all sessions. Returns 0 or -errno. */
_must_check_ int user_sandbox_compile(struct seccomp_program *ret_program);

/*
 * Enter: resource limits, Landlock, seccomp. For good.
 * Returns 0, also without Landlock in the kernel (the pool has said so); -errno: not confined, the caller exits.
 */
_must_check_ int user_sandbox_enter(const struct user_sandbox_settings *settings);
