/* sandbox.h - what an auth worker gives up before it sees its first password. */
#pragma once

#include "conf/conf.h"
#include "server/pool/seccomp.h"

/*
 * Compile the filter of auth workers: a list of what is denied, since PAM modules are free to do what nobody here can foresee
 * (ask servers, run helpers). Denied with EPERM is what reaches into other processes, the kernel, or the tree of mounts.
 * Returns 0 or -errno.
 */
_must_check_ int worker_sandbox_compile(struct seccomp_program *ret_program);

/*
 * Enter it: no core files, not dumpable (memory that holds passwords is nobody's to read), and the filter.
 * As an ordinary user: no_new_privs and the filter only where conf says that no setuid helper (unix_chkpwd) is needed.
 * Returns 0 or -errno.
 */
_must_check_ int worker_sandbox_enter(const struct seccomp_program *program, const struct conf *conf);
