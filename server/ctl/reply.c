#include "server/ctl/reply.h"

#include <errno.h>

/* Put one element behind n others of a growing array; arrays double, so sizes are powers of two. */
static void *array_push(struct arena *arena, void *array, size_t n, size_t element_bytes)
{
	if (n > 0 && (n & (n - 1)) != 0)
		return array;

	void *grown = arena_array(arena, n > 0 ? 2 * n : 1, element_bytes);

	if (n > 0)
		memcpy(grown, array, n * element_bytes);
	return grown;
}

static void push_text(struct arena *arena, struct slice **texts, size_t *n, struct slice text)
{
	*texts = array_push(arena, *texts, *n, sizeof **texts);
	(*texts)[(*n)++] = text;
}

static bool parse_column(struct slice field, struct reply_column *ret_column)
{
	ssize_t colon = slice_find_last(field, ':');

	if (colon <= 0 || field.n - (size_t)colon != 2 ||
		slice_find(SLICE("snbut"), field.p[colon + 1]) < 0)
		return false;
	*ret_column = (struct reply_column){ slice_head(field, (size_t)colon), field.p[colon + 1] };
	return true;
}

static int add_table(struct reply *reply, struct arena *arena, struct slice line)
{
	struct reply_table table = { .n_rows = 0 };
	struct slice field;

	if (!control_take_field(&line, &table.name) || table.name.n == 0)
		return -EBADMSG;
	while (control_take_field(&line, &field)) {
		table.columns =
			array_push(arena, table.columns, table.n_columns, sizeof *table.columns);
		if (!parse_column(field, &table.columns[table.n_columns++]))
			return -EBADMSG;
	}
	if (table.n_columns == 0)
		return -EBADMSG;
	reply->tables = array_push(arena, reply->tables, reply->n_tables, sizeof *reply->tables);
	reply->tables[reply->n_tables++] = table;
	return 0;
}

static int add_row(struct reply *reply, struct arena *arena, struct slice line)
{
	struct reply_table *table =
		reply->n_tables > 0 ? &reply->tables[reply->n_tables - 1] : NULL;
	size_t n = 0;
	struct slice field;

	if (!table)
		return -EBADMSG;
	for (; control_take_field(&line, &field); n++) {
		size_t cells = table->n_rows * table->n_columns + n;

		if (n == table->n_columns)
			return -EBADMSG;
		push_text(arena, &table->cells, &cells, field);
	}
	if (n != table->n_columns)
		return -EBADMSG;
	table->n_rows++;
	return 0;
}

static int add_line(struct reply *reply, struct arena *arena, struct slice line)
{
	struct slice letter, text;

	if (reply->complete || !control_take_field(&line, &letter) || letter.n != 1)
		return -EBADMSG;
	switch (letter.p[0]) {
	case 'T':
		return add_table(reply, arena, line);
	case 'R':
		return add_row(reply, arena, line);
	case '.':
		reply->complete = true;
		return line.p ? -EBADMSG : 0;
	case 'M':
	case 'E':
		break;
	default:
		return -EBADMSG;
	}
	if (!control_take_field(&line, &text) || line.p)
		return -EBADMSG;
	if (letter.p[0] == 'M')
		push_text(arena, &reply->messages, &reply->n_messages, text);
	else
		push_text(arena, &reply->errors, &reply->n_errors, text);
	return 0;
}

int reply_parse(struct slice text, struct arena *arena, struct reply *ret_reply)
{
	struct reply reply = { .n_tables = 0 };

	while (text.n > 0) {
		ssize_t end = slice_find(text, '\n');
		int r;

		if (end < 0)
			break; /* cut off in a line: it is not complete */
		r = add_line(&reply, arena, slice_head(text, (size_t)end));
		if (r < 0)
			return r;
		text = slice_tail(text, (size_t)end + 1);
	}
	reply.complete = reply.complete && text.n == 0;
	*ret_reply = reply;
	return 0;
}
