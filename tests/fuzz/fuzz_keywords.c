/* Both files of keywords; what is understood must be written so that it is understood the same. */
#include "base/must.h"
#include "maildir/keywords.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_dovecot(struct slice text)
{
	struct keyword_table table = { 0 }, again = { 0 };
	_cleanup_buf_ struct buf out = BUF(1 << 20);

	keywords_parse_dovecot(text, &table);
	must(keywords_format_dovecot(&table, &out) == 0);
	keywords_parse_dovecot(buf_slice(&out), &again);
	must(keyword_table_end(&table) == keyword_table_end(&again));
	for (unsigned i = 0; i < LIMIT_KEYWORDS; i++)
		must(slice_equal(slice_str(table.names[i]), slice_str(again.names[i])));
	keyword_table_done(&table);
	keyword_table_done(&again);
}

static void check_line(struct slice line)
{
	struct keyword_line_values values, again;
	_cleanup_buf_ struct buf out = BUF(1 << 20);
	enum keyword_line kind = keywords_parse_line(line, &values);

	if (kind == KEYWORD_LINE_NONE)
		return;
	must((kind == KEYWORD_LINE_NAME
			     ? keywords_format_name(values.number, values.name, &out)
			     : keywords_format_message(values.name, values.keywords, &out)) == 0);
	must(keywords_parse_line(slice_head(buf_slice(&out), out.n - 1), &again) == kind);
	must(slice_equal(values.name, again.name));
	must(kind == KEYWORD_LINE_NAME ? values.number == again.number
				       : values.keywords == again.keywords);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice text = slice_from(bytes, n), line;

	check_dovecot(text);
	while (slice_split(&text, '\n', &line))
		check_line(line);
	return 0;
}
