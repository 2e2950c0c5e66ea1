/* programs.h - the programs of the roles: where they are, and starting them with nothing inherited but what they need. */
#pragma once

#include "base/buf.h"
#include "server/ipc/frames.h"

#include <limits.h>

struct programs {
	char directory[PATH_MAX];
};

/*
 * Find the directory of the role programs: that of this executable if restante-front is there, else RESTANTE_LIBEXECDIR.
 * Returns  0, or -ENOENT: a program is missing or may not be executed; ret_missing (PATH_MAX bytes) names it.
 */
_must_check_ int programs_find(struct programs *ret_programs, char *ret_missing);

/* The file name of a pool's program: "restante-front", "restante-auth", "restante-session". */
const char *programs_name(enum role pool_role);

/*
 * Start a pool: PROGRAM --pool 3, with line_fd as its descriptor 3, standard output and error as ours, in a session
 * of its own (Ctrl-C at a terminal is for the master alone), with a clean environment.
 * Returns the pid, or -errno. line_fd stays the caller's.
 */
_must_check_ pid_t programs_start_pool(const struct programs *programs, enum role pool_role, int line_fd);

/*
 * Run a role program to its end with arguments (after its name, NULL at the end), for -t and --try.
 * input    its standard input.
 * output   what it prints is appended; NULL: it goes to our own standard output.
 * Returns  its exit status (0 to 255); 128 + signal if one ended it; or -errno, also -ENOBUFS when it prints too much.
 * Blocks   until it has ended.
 */
_must_check_ int programs_run(const struct programs *programs, enum role pool_role, const char *const *arguments,
	struct slice input, struct buf *output);
