/* reply.h - building the reply to a control request, line by line. */
#pragma once

#include "server/master/control.h"

enum { REPLY_FIELDS_MAX = 24 };

/* One row; strings are borrowed until reply_row(). */
struct reply_row {
	struct slice fields[REPLY_FIELDS_MAX];
	char numbers[REPLY_FIELDS_MAX][24];
	size_t n;
};

/* Add a field to a row. */
void reply_add(struct reply_row *row, const char *text);
void reply_add_number(struct reply_row *row, uint64_t number);

/* Append the row, and empty it. */
void reply_row(struct control_client *client, struct reply_row *row);

/* Begin a table: its name and columns, separated by spaces, as in server/ipc/control.h: "who user:s id:n". */
void reply_table(struct control_client *client, const char *columns);

/* A message ('M') or an error ('E'). */
void reply_text(struct control_client *client, char letter, const char *format, ...) _printf_(3, 4);

/* Complete the reply: it is sent, then the connection closed. */
void reply_end(struct control_client *client);
