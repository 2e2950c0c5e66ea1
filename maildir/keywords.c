#include "maildir/keywords.h"

#include "base/must.h"

#include <errno.h>

void keyword_table_done(struct keyword_table *table)
{
	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++)
		free(table->names[n]);
	*table = (struct keyword_table){ 0 };
}

unsigned keyword_table_end(const struct keyword_table *table)
{
	unsigned end = LIMIT_KEYWORDS;

	while (end > 0 && !table->names[end - 1])
		end--;
	return end;
}

void keyword_table_set(struct keyword_table *table, unsigned number, struct slice name)
{
	must(number < LIMIT_KEYWORDS);

	char *copy = name.n > 0 ? strndup(name.p, name.n) : NULL;

	must(copy || name.n == 0);
	free(table->names[number]);
	table->names[number] = copy;
}

int keyword_table_find(const struct keyword_table *table, struct slice name)
{
	for (int n = 0; n < LIMIT_KEYWORDS; n++)
		if (table->names[n] && slice_equal_nocase(slice_str(table->names[n]), name))
			return n;
	return -1;
}

int keyword_table_free_number(const struct keyword_table *table, uint64_t used)
{
	for (int n = 0; n < LIMIT_KEYWORDS; n++)
		if (!table->names[n] && (used >> n & 1) == 0)
			return n;
	return -1;
}

bool keyword_is_valid(struct slice name)
{
	if (name.n == 0 || name.n > KEYWORD_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= 0x20 || name.p[i] >= 0x7f || strchr("(){%*\"\\]", name.p[i]))
			return false;
	return true;
}

static bool parse_number(struct slice text, unsigned first, unsigned end, unsigned *ret_number)
{
	uint64_t value;

	if (!slice_number(text, end - 1, &value) || value < first)
		return false;
	*ret_number = (unsigned)value;
	return true;
}

void keywords_parse_dovecot(struct slice text, struct keyword_table *table)
{
	struct slice line, number;
	unsigned n;

	for (n = 0; n < KEYWORD_FIRST_BEYOND; n++)
		keyword_table_set(table, n, SLICE(""));
	while (slice_split(&text, '\n', &line)) {
		struct slice name = line;

		if (slice_split(&name, ' ', &number) && keyword_is_valid(name) &&
			parse_number(number, 0, KEYWORD_FIRST_BEYOND, &n))
			keyword_table_set(table, n, name);
	}
}

int keywords_format_dovecot(const struct keyword_table *table, struct buf *out)
{
	int r = 0;

	for (unsigned n = 0; r == 0 && n < KEYWORD_FIRST_BEYOND; n++)
		if (table->names[n])
			r = buf_addf(out, "%u %s\n", n, table->names[n]);
	return r;
}

static bool parse_numbers(struct slice text, uint64_t *ret_keywords)
{
	struct slice number;
	uint64_t keywords = 0;
	unsigned n;

	if (slice_equal(text, SLICE("-"))) {
		*ret_keywords = 0;
		return true;
	}
	while (slice_split(&text, ',', &number)) {
		if (!parse_number(number, KEYWORD_FIRST_BEYOND, LIMIT_KEYWORDS, &n))
			return false;
		keywords |= (uint64_t)1 << n;
	}
	*ret_keywords = keywords;
	return keywords != 0;
}

enum keyword_line keywords_parse_line(struct slice line, struct keyword_line_values *ret_values)
{
	struct keyword_line_values values = { 0 };
	struct slice kind, number;

	if (!slice_split(&line, ' ', &kind) || !slice_split(&line, ' ', &number) || line.n == 0)
		return KEYWORD_LINE_NONE;
	values.name = line;
	if (slice_equal(kind, SLICE("K"))) {
		if (!parse_number(number, KEYWORD_FIRST_BEYOND, LIMIT_KEYWORDS, &values.number) ||
			!keyword_is_valid(line))
			return KEYWORD_LINE_NONE;
		*ret_values = values;
		return KEYWORD_LINE_NAME;
	}
	if (!slice_equal(kind, SLICE("M")) || !parse_numbers(number, &values.keywords))
		return KEYWORD_LINE_NONE;
	*ret_values = values;
	return KEYWORD_LINE_MESSAGE;
}

int keywords_format_first_line(struct buf *out)
{
	return buf_add_str(out, "1 restante-keywords\n");
}

int keywords_format_name(unsigned number, struct slice name, struct buf *out)
{
	return buf_addf(out, "K %u %.*s\n", number, SLICE_FMT(name));
}

int keywords_format_message(struct slice base, uint64_t keywords, struct buf *out)
{
	char numbers[4 * LIMIT_KEYWORDS] = "-";
	size_t n = 0;

	for (unsigned bit = KEYWORD_FIRST_BEYOND; bit < LIMIT_KEYWORDS; bit++)
		if (keywords >> bit & 1)
			n += (size_t)snprintf(
				numbers + n, sizeof numbers - n, "%s%u", n > 0 ? "," : "", bit);

	int r = buf_addf(out, "M %s ", numbers);

	if (r == 0)
		r = buf_add(out, base);
	if (r == 0)
		r = buf_add_char(out, '\n');
	return r;
}
