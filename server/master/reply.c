#include "server/master/reply.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/master.h"

#include <stdarg.h>
#include <stdio.h>

static void add_line(struct control_client *client, char letter, const struct slice *fields, size_t n)
{
	/* Beyond the maximum, the end is missing, and restantectl says that the reply was cut off. */
	if (client->overflow || control_add_line(&client->out, letter, fields, n) < 0)
		client->overflow = true;
}

void reply_add(struct reply_row *row, const char *text)
{
	must(row->n < REPLY_FIELDS_MAX);
	row->fields[row->n++] = slice_str(text);
}

void reply_add_number(struct reply_row *row, uint64_t number)
{
	must(row->n < REPLY_FIELDS_MAX);
	snprintf(row->numbers[row->n], sizeof row->numbers[0], "%llu", (unsigned long long)number);
	row->fields[row->n] = slice_str(row->numbers[row->n]);
	row->n++;
}

void reply_row(struct control_client *client, struct reply_row *row)
{
	add_line(client, 'R', row->fields, row->n);
	row->n = 0;
}

void reply_table(struct control_client *client, const char *columns)
{
	struct slice in = slice_str(columns), fields[REPLY_FIELDS_MAX];
	size_t n = 0;

	while (n < REPLY_FIELDS_MAX && slice_split(&in, ' ', &fields[n]))
		n++;
	add_line(client, 'T', fields, n);
}

void reply_text(struct control_client *client, char letter, const char *format, ...)
{
	char text[1500];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);

	struct slice field = slice_str(text);

	add_line(client, letter, &field, 1);
}

void reply_end(struct control_client *client)
{
	if (!client->overflow)
		add_line(client, '.', NULL, 0);
	client->state = CONTROL_WRITING;
	client->deadline_usec = clock_monotonic_usec() + CONTROL_REPLY_SEC * USEC_PER_SEC;
	ev_io_stop(client->master->loop, &client->watcher);
	ev_io_set(&client->watcher, client->fd, EV_WRITE);
	ev_io_start(client->master->loop, &client->watcher);
}
