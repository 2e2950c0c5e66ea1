#include "server/ctl/json.h"

#include "base/clock.h"
#include "server/ctl/utf8.h"

#include <time.h>

static int add_character(struct buf *out, uint32_t point, struct slice bytes)
{
	static const char letters[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
	};

	if (point == '"' || point == '\\')
		return buf_addf(out, "\\%c", (int)point);
	if (point < sizeof letters && letters[point] != '\0')
		return buf_addf(out, "\\%c", letters[point]);
	if (point < 0x20 || (point >= 0x7f && point < 0xa0))
		return buf_addf(
			out, "\\u%04x", (unsigned)point); /* C1 controls too: terminals obey them */
	if (point == 0xfffd)
		return buf_add_str(out, "\xef\xbf\xbd");
	return buf_add(out, bytes);
}

int json_add_string(struct buf *out, struct slice s)
{
	int r = buf_add_char(out, '"');

	while (r == 0 && s.n > 0) {
		struct slice before = s;
		uint32_t point = utf8_take(&s);

		r = add_character(out, point, slice_head(before, before.n - s.n));
	}
	return r < 0 ? r : buf_add_char(out, '"');
}

/* "-12" and "7", not "007": what JSON takes as a number, as it stands. */
static bool is_number(struct slice s)
{
	slice_skip(&s, '-');
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_digit(s.p[i]))
			return false;
	return s.n > 0 && (s.n == 1 || s.p[0] != '0');
}

static int add_duration(struct buf *out, uint64_t usec)
{
	return buf_addf(out, "%llu.%06llu", (unsigned long long)(usec / USEC_PER_SEC),
		(unsigned long long)(usec % USEC_PER_SEC));
}

static int add_time(struct buf *out, uint64_t usec)
{
	time_t t = (time_t)(usec / USEC_PER_SEC);
	struct tm tm;
	char text[64];

	if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "\"%Y-%m-%dT%H:%M:%SZ\"", &tm) == 0)
		return buf_add_str(out, "null");
	return buf_add_str(out, text);
}

static int add_cell(struct buf *out, char type, struct slice cell)
{
	uint64_t usec;

	if (type == 's')
		return json_add_string(out, cell);
	if (cell.n == 0 || (type == 't' && slice_equal(cell, SLICE("0"))))
		return buf_add_str(out, "null");
	if (type == 'n' && is_number(cell))
		return buf_add(out, cell);
	if (type == 'b' && slice_equal(cell, SLICE("1")))
		return buf_add_str(out, "true");
	if (type == 'b' && slice_equal(cell, SLICE("0")))
		return buf_add_str(out, "false");
	if (type == 'u' && slice_number(cell, UINT64_MAX, &usec))
		return add_duration(out, usec);
	if (type == 't' && slice_number(cell, UINT64_MAX, &usec))
		return add_time(out, usec);
	return json_add_string(out, cell);
}

static int add_row(struct buf *out, const struct reply_table *table, size_t row)
{
	int r = buf_add_str(out, row > 0 ? ",\n    {" : "\n    {");

	for (size_t i = 0; i < table->n_columns && r == 0; i++) {
		if (i > 0)
			r = buf_add_str(out, ", ");
		if (r == 0)
			r = json_add_string(out, table->columns[i].name);
		if (r == 0)
			r = buf_add_str(out, ": ");
		if (r == 0)
			r = add_cell(out, table->columns[i].type,
				table->cells[row * table->n_columns + i]);
	}
	return r < 0 ? r : buf_add_char(out, '}');
}

/* The name of a member, behind the members before it. */
static int add_member(struct buf *out, bool *first, struct slice name)
{
	int r = buf_add_str(out, *first ? "\n  " : ",\n  ");

	*first = false;
	if (r == 0)
		r = json_add_string(out, name);
	return r < 0 ? r : buf_add_str(out, ": [");
}

static int add_table(struct buf *out, bool *first, const struct reply_table *table)
{
	int r = add_member(out, first, table->name);

	for (size_t row = 0; row < table->n_rows && r == 0; row++)
		r = add_row(out, table, row);
	return r < 0 ? r : buf_add_str(out, table->n_rows > 0 ? "\n  ]" : "]");
}

static int add_texts(
	struct buf *out, bool *first, struct slice name, const struct slice *texts, size_t n)
{
	int r = n > 0 ? add_member(out, first, name) : 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		r = buf_add_str(out, i > 0 ? ", " : "");
		if (r == 0)
			r = json_add_string(out, texts[i]);
	}
	return r < 0 || n == 0 ? r : buf_add_char(out, ']');
}

int json_add_reply(struct buf *out, const struct reply *reply)
{
	bool first = true;
	int r = buf_add_char(out, '{');

	for (size_t i = 0; i < reply->n_tables && r == 0; i++)
		r = add_table(out, &first, &reply->tables[i]);
	if (r == 0)
		r = add_texts(out, &first, SLICE("messages"), reply->messages, reply->n_messages);
	if (r == 0)
		r = add_texts(out, &first, SLICE("errors"), reply->errors, reply->n_errors);
	return r < 0 ? r : buf_add_str(out, first ? "}\n" : "\n}\n");
}
