/* session.h - a session process: a spare at first, then the one process of a user, with all of that user's connections. */
#pragma once

#include "conf/conf.h"
#include "server/ipc/status.h"
#include "server/pool/seccomp.h"

struct session_settings {
	const struct conf *conf;
	const struct seccomp_program *filter; /* of user_sandbox_compile() */
	const char *hostname;
	const char *boot_id; /* of this boot of the machine; NULL: not known */
	struct status *status;
};

/*
 * Be a session until it is over: retired, stopped, or the master gone.
 * line_fd  our end of the line to the master; handed over.
 * Returns  the exit status: 0; 70 (EX_SOFTWARE): the master asked for what it may not, or the kernel refused what we
 *          need; 77 (EX_NOPERM): the user's identity could not be taken on.
 */
int session_run(int line_fd, const struct session_settings *settings);
