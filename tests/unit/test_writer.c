/* The response writer. */
#include "server/wire/writer.h"
#include "tests/unit/unit.h"

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof text - 1                                                              \
	}

static const struct {
	struct slice in;
	bool utf8;
	const char *string, *astring;
} rows[] = {
	{ S("abc"), false, "\"abc\"", "abc" },
	{ S(""), false, "\"\"", "\"\"" },
	{ S("nil"), false, "\"nil\"", "\"nil\"" },
	{ S("a b"), false, "\"a b\"", "\"a b\"" },
	{ S("a\"b\\c"), false, "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"" },
	{ S("a]"), false, "\"a]\"", "a]" },
	{ S("a\r\nb"), false, "{4}\r\na\r\nb", "{4}\r\na\r\nb" },
	{ S("a\0b"), false,
		"{3}\r\na\x80"
		"b",
		"{3}\r\na\x80"
		"b" },
	{ S("\xc3\xbc"), false, "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc" },
	{ S("\xc3\xbc"), true, "\"\xc3\xbc\"", "\"\xc3\xbc\"" },
	{ S("\xc3"), true, "{1}\r\n\xc3", "{1}\r\n\xc3" },
	{ S("\x1b$B"), false, "{3}\r\n\x1b$B", "{3}\r\n\x1b$B" },
};

static void test_strings(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(1000);
		struct writer w = { .out = &out, .utf8 = rows[i].utf8 };

		write_string(&w, rows[i].in);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].string)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
		buf_clear(&out);
		write_astring(&w, rows[i].in);
		CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].astring)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
	}
}

static void test_long_is_literal(void)
{
	char text[1001];
	_cleanup_buf_ struct buf out = BUF(2000);
	struct writer w = { .out = &out };

	memset(text, 'x', sizeof text);
	write_string(&w, slice_from(text, sizeof text));
	CHECK(slice_starts_with(buf_slice(&out), SLICE("{1001}\r\n")), "%.*s", 10, out.p);
}

static void test_others(void)
{
	_cleanup_buf_ struct buf out = BUF(1000);
	struct writer w = { .out = &out };
	struct seq_ranges ranges = {
		.ranges = (struct seq_range[]){ { 1, 1 }, { 3, 7 }, { 9, 10 } }, .n = 3
	};

	write_nstring(&w, (struct slice){ NULL, 0 });
	write_text(&w, " ");
	write_number(&w, 0);
	write_text(&w, " ");
	write_number(&w, UINT64_MAX);
	write_text(&w, " ");
	write_ranges(&w, &ranges);
	write_text(&w, " ");
	write_human(&w, SLICE("a\r\n\xc3\xbc"
			      "b"));
	write_crlf(&w);
	CHECK(slice_equal(
		      buf_slice(&out), SLICE("NIL 0 18446744073709551615 1,3:7,9:10 a????b\r\n")),
		"%.*s", SLICE_FMT(buf_slice(&out)));
}

static void test_failure_sticks(void)
{
	_cleanup_buf_ struct buf out = BUF(4);
	struct writer w = { .out = &out };

	write_text(&w, "abc");
	write_text(&w, "de");
	CHECK(w.failed, "beyond the maximum");
	write_text(&w, "f");
	CHECK(slice_equal(buf_slice(&out), SLICE("abc")), "nothing more after a failure");
}

static const struct unit_test tests[] = {
	{ "strings", test_strings },
	{ "a long string is a literal", test_long_is_literal },
	{ "others", test_others },
	{ "failure sticks", test_failure_sticks },
};
UNIT_MAIN("writer", tests)
