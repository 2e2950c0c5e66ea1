#include "maildir/keywords.h"
#include "tests/unit/unit.h"

static void test_dovecot(void)
{
	struct keyword_table table = { 0 };
	_cleanup_buf_ struct buf out = BUF(10000);

	keywords_parse_dovecot(SLICE("0 $Forwarded\n2 foo\nnonsense\n26 beyond\n-1 x\n3 \n4 with "
				     "space\n5 NonJunk\n2 bar"),
		&table);
	CU_ASSERT_EQUAL(keyword_table_find(&table, SLICE("$forwarded")), 0);
	CU_ASSERT_EQUAL(keyword_table_find(&table, SLICE("foo")), -1); /* a later line counts */
	CU_ASSERT_EQUAL(keyword_table_find(&table, SLICE("BAR")), 2);
	CU_ASSERT_EQUAL(keyword_table_find(&table, SLICE("beyond")), -1);
	CU_ASSERT_EQUAL(keyword_table_end(&table), 6);
	CU_ASSERT_EQUAL(keyword_table_free_number(&table, 0), 1);
	CU_ASSERT_EQUAL(keyword_table_free_number(&table, 1 << 1 | 1 << 3), 4);
	CU_ASSERT_EQUAL(keywords_format_dovecot(&table, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("0 $Forwarded\n2 bar\n5 NonJunk\n")));
	keywords_parse_dovecot(SLICE("7 only\n"), &table);
	CU_ASSERT_EQUAL(keyword_table_find(&table, SLICE("bar")), -1);
	CU_ASSERT_EQUAL(keyword_table_end(&table), 8);
	keyword_table_done(&table);
}

static void test_full_table(void)
{
	struct keyword_table table = { 0 };

	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++) {
		char name[8];

		snprintf(name, sizeof name, "k%u", n);
		CU_ASSERT_EQUAL(keyword_table_free_number(&table, 0), (int)n);
		keyword_table_set(&table, n, slice_str(name));
	}
	CU_ASSERT_EQUAL(keyword_table_free_number(&table, 0), -1);
	keyword_table_done(&table);
}

static const struct {
	const char *line;
	enum keyword_line kind;
	unsigned number;
	const char *name;
	uint64_t keywords;
} LINES[] = {
	{ "1 restante-keywords", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "K 26 name", KEYWORD_LINE_NAME, 26, "name", 0 },
	{ "K 63 $Name", KEYWORD_LINE_NAME, 63, "$Name", 0 },
	{ "K 64 name", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "K 25 name", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "K 26 two words", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "K 26 ", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "M 26 1.a b", KEYWORD_LINE_MESSAGE, 0, "1.a b", 1ULL << 26 },
	{ "M 26,63 1.a", KEYWORD_LINE_MESSAGE, 0, "1.a", 1ULL << 26 | 1ULL << 63 },
	{ "M - 1.a", KEYWORD_LINE_MESSAGE, 0, "1.a", 0 },
	{ "M 5 1.a", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "M 26,, 1.a", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "M  1.a", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "M 26", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "", KEYWORD_LINE_NONE, 0, "", 0 },
	{ "X 26 name", KEYWORD_LINE_NONE, 0, "", 0 },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
		struct keyword_line_values values = { 0 };

		CHECK(keywords_parse_line(slice_str(LINES[i].line), &values) == LINES[i].kind,
			"row %zu", i);
		CHECK(values.number == LINES[i].number && values.keywords == LINES[i].keywords &&
				slice_equal(values.name, slice_str(LINES[i].name)),
			"row %zu", i);
	}
}

static void test_format(void)
{
	_cleanup_buf_ struct buf out = BUF(10000);

	CU_ASSERT_EQUAL(keywords_format_first_line(&out), 0);
	CU_ASSERT_EQUAL(keywords_format_name(26, SLICE("name"), &out), 0);
	CU_ASSERT_EQUAL(
		keywords_format_message(SLICE("1.a b"), 1ULL << 26 | 1ULL << 40 | 7, &out), 0);
	CU_ASSERT_EQUAL(keywords_format_message(SLICE("1.c"), 7, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out),
		SLICE("1 restante-keywords\nK 26 name\nM 26,40 1.a b\nM - 1.c\n")));

	buf_clear(&out);
	CU_ASSERT_EQUAL(keywords_format_message(SLICE("x"), UINT64_MAX, &out), 0);

	struct keyword_line_values values;
	struct slice line = buf_slice(&out);

	line.n--;
	CU_ASSERT_EQUAL(keywords_parse_line(line, &values), KEYWORD_LINE_MESSAGE);
	CU_ASSERT_EQUAL(values.keywords, UINT64_MAX << 26);
}

static void test_valid(void)
{
	CU_ASSERT(keyword_is_valid(SLICE("$Forwarded")));
	CU_ASSERT(keyword_is_valid(SLICE("a.b-c_d[e")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("a b")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("\\Seen")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("a]")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("\xc3\xa4")));
	CU_ASSERT_FALSE(keyword_is_valid(SLICE("a\0b")));
}

static const struct unit_test TESTS[] = {
	{ "dovecot-keywords", test_dovecot },
	{ "a full table", test_full_table },
	{ "lines of restante-keywords", test_lines },
	{ "writing", test_format },
	{ "names", test_valid },
};

UNIT_MAIN("test_keywords", TESTS)
