#include "server/ctl/text.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/ctl/utf8.h"

#include <errno.h>
#include <time.h>

enum { CELL_BYTES = 4096, COLUMN_GAP = 2, LINE_WIDTH = 100 };

static const struct {
	const char *unit;
	uint64_t seconds;
} units[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };

int text_add_duration(struct buf *out, uint64_t usec)
{
	uint64_t seconds = usec / USEC_PER_SEC;
	size_t i = 0, last = sizeof units / sizeof *units - 1;
	int r;

	if (seconds == 0)
		return usec == 0 ? buf_add_str(out, "0 s")
				 : buf_addf(out, "%llu ms",
					   (unsigned long long)(usec / USEC_PER_MSEC));
	while (seconds < units[i].seconds)
		i++;
	r = buf_addf(
		out, "%llu %s", (unsigned long long)(seconds / units[i].seconds), units[i].unit);
	seconds %= units[i].seconds;
	/* Seconds beside minutes would only make a table restless. */
	if (r == 0 && i + 1 < last && seconds >= units[i + 1].seconds)
		r = buf_addf(out, " %llu %s", (unsigned long long)(seconds / units[i + 1].seconds),
			units[i + 1].unit);
	return r;
}

int text_add_time(struct buf *out, uint64_t usec, uint64_t now_usec)
{
	time_t t = (time_t)(usec / USEC_PER_SEC);
	uint64_t days = usec > now_usec ? (usec - now_usec) / (86400 * USEC_PER_SEC) : 0;
	char date[64];
	struct tm tm;
	int r;

	if (!localtime_r(&t, &tm) || strftime(date, sizeof date, "%Y-%m-%d", &tm) == 0)
		return buf_add_str(out, "?");
	r = buf_addf(out, "%s (", date);
	if (r == 0 && usec > now_usec)
		r = buf_addf(
			out, "%llu day%s left", (unsigned long long)days, days == 1 ? "" : "s");
	else if (r == 0)
		r = text_add_duration(out, now_usec - usec);
	if (r == 0 && usec <= now_usec)
		r = buf_add_str(out, " ago");
	return r < 0 ? r : buf_add_char(out, ')');
}

static bool is_control(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static int add_clean(struct buf *out, struct slice s)
{
	int r = 0;

	while (r == 0 && s.n > 0) {
		struct slice before = s;
		uint32_t point = utf8_take(&s);

		if (is_control(point) || point == 0xfffd)
			r = buf_add_char(out, '?');
		else
			r = buf_add(out, slice_head(before, before.n - s.n));
	}
	return r;
}

int text_add_line(struct buf *out, struct slice line)
{
	int r = add_clean(out, line);

	return r < 0 ? r : buf_add_char(out, '\n');
}

static int add_cell(struct buf *out, char type, struct slice cell, uint64_t now_usec)
{
	uint64_t usec;

	if (cell.n == 0 || (type == 't' && slice_equal(cell, SLICE("0"))))
		return buf_add_char(out, '-');
	if (type == 'u' && slice_number(cell, UINT64_MAX, &usec))
		return text_add_duration(out, usec);
	if (type == 't' && slice_number(cell, UINT64_MAX, &usec))
		return text_add_time(out, usec, now_usec);
	if (type == 'b' && (slice_equal(cell, SLICE("0")) || slice_equal(cell, SLICE("1"))))
		return buf_add_str(out, cell.p[0] == '1' ? "yes" : "no");
	return add_clean(out, cell);
}

static int add_heading(struct buf *out, struct slice name)
{
	int r = 0;

	for (size_t i = 0; i < name.n && r == 0; i++) {
		char c = ascii_upper(name.p[i]);

		r = buf_add_char(out, c == '_' ? ' ' : c > 0x20 && c < 0x7f ? c : '?');
	}
	return r;
}

/* The text of one cell, or of a heading where row is SIZE_MAX; valid until the next call. What does
 * not fit is cut. */
static struct slice cell_text(struct buf *scratch, const struct reply_table *table, size_t row,
	size_t column, uint64_t now_usec)
{
	const struct reply_column *c = &table->columns[column];
	int r;

	buf_clear(scratch);
	r = row == SIZE_MAX ? add_heading(scratch, c->name)
			    : add_cell(scratch, c->type,
				      table->cells[row * table->n_columns + column], now_usec);
	must(r == 0 || r == -ENOBUFS);
	return buf_slice(scratch);
}

static size_t width_of(struct slice text)
{
	size_t n = 0;

	for (; text.n > 0; n++)
		utf8_take(&text);
	return n;
}

static size_t column_width(
	struct buf *scratch, const struct reply_table *table, size_t column, uint64_t now_usec)
{
	size_t width = width_of(cell_text(scratch, table, SIZE_MAX, column, now_usec));

	for (size_t row = 0; row < table->n_rows; row++) {
		size_t n = width_of(cell_text(scratch, table, row, column, now_usec));

		width = n > width ? n : width;
	}
	return width;
}

static int add_spaces(struct buf *out, size_t n)
{
	int r = 0;

	while (n-- > 0 && r == 0)
		r = buf_add_char(out, ' ');
	return r;
}

static int add_padded(struct buf *out, struct slice text, size_t width, bool right, bool last)
{
	size_t n = width_of(text), blanks = width > n ? width - n : 0;
	int r = right ? add_spaces(out, blanks) : 0;

	if (r == 0)
		r = buf_add(out, text);
	if (r == 0 && last)
		return buf_add_char(out, '\n');
	return r < 0 ? r : add_spaces(out, (right ? 0 : blanks) + COLUMN_GAP);
}

static int add_rows(struct buf *out, struct buf *scratch, const struct reply_table *table,
	const size_t *widths, uint64_t now_usec)
{
	int r = 0;

	for (size_t line = 0; line <= table->n_rows && r == 0; line++)
		for (size_t i = 0; i < table->n_columns && r == 0; i++) {
			char type = table->columns[i].type;
			struct slice text = cell_text(
				scratch, table, line == 0 ? SIZE_MAX : line - 1, i, now_usec);

			r = add_padded(out, text, widths[i], type == 'n' || type == 'u',
				i + 1 == table->n_columns);
		}
	return r;
}

/* A single row, a line for each of its fields. */
static int add_list(
	struct buf *out, struct buf *scratch, const struct reply_table *table, uint64_t now_usec)
{
	size_t width = 0;
	int r = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		size_t n = width_of(cell_text(scratch, table, SIZE_MAX, i, now_usec));

		width = n > width ? n : width;
	}
	for (size_t i = 0; i < table->n_columns && r == 0; i++) {
		struct slice heading = cell_text(scratch, table, SIZE_MAX, i, now_usec);

		r = add_padded(out, heading, width, false, false);
		if (r == 0)
			r = add_padded(
				out, cell_text(scratch, table, 0, i, now_usec), 0, false, true);
	}
	return r;
}

static int add_table(
	struct buf *out, const struct reply_table *table, bool titled, uint64_t now_usec)
{
	_cleanup_buf_ struct buf scratch = BUF(CELL_BYTES);
	_cleanup_free_ size_t *widths = NULL;
	size_t total = 0;
	int r = titled || table->n_rows == 0 ? add_clean(out, table->name) : 0;

	if (r == 0 && table->n_rows == 0)
		return buf_add_str(out, ": none\n");
	if (r == 0 && titled)
		r = buf_add_str(out, ":\n");
	if (r < 0)
		return r;
	widths = calloc(table->n_columns, sizeof *widths);
	must(widths != NULL);
	for (size_t i = 0; i < table->n_columns; i++) {
		widths[i] = column_width(&scratch, table, i, now_usec);
		total += widths[i] + COLUMN_GAP;
	}
	if (titled && table->n_rows == 1 && total > LINE_WIDTH)
		return add_list(out, &scratch, table, now_usec);
	return add_rows(out, &scratch, table, widths, now_usec);
}

int text_add_reply(struct buf *out, const struct reply *reply, uint64_t now_usec)
{
	int r = 0;

	for (size_t i = 0; i < reply->n_tables && r == 0; i++) {
		r = i > 0 ? buf_add_char(out, '\n') : 0;
		if (r == 0)
			r = add_table(out, &reply->tables[i], reply->n_tables > 1, now_usec);
	}
	for (size_t i = 0; i < reply->n_messages && r == 0; i++)
		r = text_add_line(out, reply->messages[i]);
	return r;
}
