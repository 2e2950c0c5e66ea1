/* seccomp.h - system call filters, compiled once in a pool, loaded in each child by one call. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/* A compiled filter. */
struct seccomp_program {
	struct sock_filter *instructions;
	unsigned short n;
};

/* What is not named gets this answer. */
enum seccomp_otherwise {
	SECCOMP_KILL,  /* end the process: SIGSYS */
	SECCOMP_ALLOW, /* a deny-list: the named calls get EPERM */
};

/*
 * Compile a filter.
 * names       system calls by name, NULL at the end; names unknown to this kernel's or libseccomp's tables are passed over.
 *             With SECCOMP_KILL they are allowed, with SECCOMP_ALLOW they are denied with EPERM.
 *             Allowed are some of them only as far as they touch neither other processes nor files by their paths: tgkill() and
 *             prlimit64() of the process itself, fcntl() without F_SETOWN and its like, utimensat() of a descriptor.
 * no_sockets  socket() and socketpair() answer EAFNOSUPPORT rather than ending the process.
 * Returns 0, or -errno.
 */
_must_check_ int seccomp_compile(const char *const *names, enum seccomp_otherwise otherwise, bool no_sockets,
	struct seccomp_program *ret_program);
void seccomp_program_done(struct seccomp_program *program);

/* Load a filter into this process (not to be forked from), for good; sets no_new_privs if set_no_new_privs. Returns 0, or -errno. */
_must_check_ int seccomp_program_load(const struct seccomp_program *program, bool set_no_new_privs);
