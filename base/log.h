/* log.h - log lines: a priority and a text, given to the sink of the process. Never blocks, never a secret. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

enum log_priority { LOG_PRIORITY_ERROR = 3, LOG_PRIORITY_WARNING, LOG_PRIORITY_NOTICE, LOG_PRIORITY_INFO, LOG_PRIORITY_DEBUG };

enum { LOG_LINE_MAX_BYTES = 1000 };

/* Where the lines of a process go. The owner of the process makes one and hands it down. */
struct log {
	void (*sink)(void *arg, enum log_priority priority, struct slice line);
	void *arg;
};

/*
 * Log one line. Control characters become "?", what is longer than LOG_LINE_MAX_BYTES is cut.
 * log may be NULL: then nothing happens.
 */
void log_line(const struct log *log, enum log_priority priority, const char *format, ...) _printf_(3, 4);

/* A log that writes lines to standard error, for tests and for the time before a line to the master exists. */
extern const struct log log_to_stderr;
