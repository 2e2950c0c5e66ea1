/* mail_report.h - what the process that reads mail tells the one that shows it: lines of server/ipc/control.h over a pipe. */
#pragma once

#include "base/buf.h"
#include "server/ipc/control.h"

/* Beside the letters of control.h: "P TEXT", how far long work has come; shown at once, and no part of the reply. */
enum { REPORT_LINE_BYTES = 64 * 1024, REPORT_CELLS_MAX = 16, REPORT_PROGRESS_USEC = 200 * 1000 };

struct report {
	int fd;
	bool progress; /* somebody wants "P" lines */
	struct buf out;
	size_t bytes; /* sent so far, "P" lines left out */
	bool is_full; /* the reply may not grow: rows are counted, not sent */
	size_t n_left_out;
	size_t n_errors;
	uint64_t progress_usec; /* when the last was sent */
};

/* Begin. fd is the caller's to close, behind report_done(). */
void report_init(struct report *report, int fd, bool progress);

/* Begin a table; columns as in control.h: "messages:n". */
void report_table(struct report *report, const char *name, const char *const *columns, size_t n);

/* Append a row of the last table. What would make the reply larger than CONTROL_REPLY_BYTES is left out, and counted. */
void report_row(struct report *report, const struct slice *cells, size_t n);

/* Append what went wrong, with cause and remedy. */
void report_error(struct report *report, const char *format, ...) _printf_(2, 3);

/* Append a message for a person. */
void report_message(struct report *report, const char *format, ...) _printf_(2, 3);

/* Say how far the work is, if a while has gone by since the last time. total 0: not known. */
void report_progress(struct report *report, struct slice what, uint64_t done, uint64_t total);

/* End the reply, and free all. Blocks until it is read. */
void report_done(struct report *report);
