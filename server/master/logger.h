/* logger.h - where the log lines of all roles go: the journal, syslog or standard error. Never blocks: what finds no room is dropped and counted. */
#pragma once

#include "base/log.h"
#include "conf/conf.h"

#include <sys/types.h>

enum logger_target { LOGGER_STDERR, LOGGER_STDERR_PREFIXED, LOGGER_JOURNAL, LOGGER_SYSLOG };

struct logger {
	enum logger_target target;
	int fd; /* of the journal or syslog; -1 with standard error */
	unsigned level;
	uint64_t dropped;
	struct log log; /* of the master itself: "restanted[PID]: text" */
};

/*
 * Begin on standard error, with "<N>" before each line if it is the journal (JOURNAL_STREAM, sd-daemon(3)).
 * Owns logger must stay where it is: logger->log points to it.
 */
void logger_init(struct logger *logger);

/* Switch to what the configuration says. Returns 0, or -errno: that log cannot be reached, the old one stays. */
_must_check_ int logger_configure(struct logger *logger, enum conf_log_target target, unsigned level);

/* Log a line for a process of another role: "NAME[PID]: text". */
void logger_write(struct logger *logger, const char *name, pid_t pid, enum log_priority priority, struct slice text);

void logger_done(struct logger *logger);
