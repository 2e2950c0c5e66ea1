/* reply.h - what the master answered, taken apart. Pure. */
#pragma once

#include "base/arena.h"
#include "server/ipc/control.h"

struct reply_column {
	struct slice name;
	char type; /* s n b u t, as in server/ipc/control.h */
};

struct reply_table {
	struct slice name;
	struct reply_column *columns;
	size_t n_columns;
	struct slice *cells; /* row after row */
	size_t n_rows;
};

struct reply {
	struct reply_table *tables;
	size_t n_tables;
	struct slice *messages; /* M lines */
	size_t n_messages;
	struct slice *errors; /* E lines */
	size_t n_errors;
	bool complete; /* ended by "." */
};

/*
 * Take a reply apart.
 * text      lines of server/ipc/control.h; unescaped in place, so it must be writable, and the reply borrows from it.
 * arena     holds the arrays.
 * Returns   0; -EBADMSG: not such a reply (a row without a table or with too few or too many fields, an unknown
 *           letter or type, anything behind the end). A reply that was cut off is 0 without complete.
 */
_must_check_ int reply_parse(struct slice text, struct arena *arena, struct reply *ret_reply);
