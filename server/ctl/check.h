/* check.h - the verb check: restanted -t on a configuration, its answer shown in our ways. */
#pragma once

#include "server/ctl/reply.h"

/*
 * Check a configuration by the restanted beside this program. Blocks until it ends.
 * path      of the configuration; NULL: the standard one.
 * Returns   the exit status: 0 if all is well.
 */
_must_check_ int check_run(const char *path, bool json);

/*
 * Take the output of restanted -t apart into the table "problems": file, line, message. Pure.
 * output    lines of "FILE:LINE: message" or "FILE: message"; what does not begin with path has no file.
 * Returns   a reply that borrows from output and arena.
 */
struct reply check_parse(struct slice output, struct slice path, struct arena *arena);
