#include "base/quote.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static void test_rows(void)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ SLICE(""), "" },
		{ SLICE("alice@example.org"), "alice@example.org" },
		{ SLICE("a b"), "a\\x20b" },
		{ SLICE("x addr=192.0.2.1"), "x\\x20addr\\x3d192.0.2.1" },
		{ SLICE("\"q'\\<>"), "\\x22q\\x27\\x5c\\x3c\\x3e" },
		{ SLICE("\0\x1f\x7f\xff\n"), "\\x00\\x1f\\x7f\\xff\\x0a" },
		{ SLICE("j\xc3\xbcrgen"), "j\\xc3\\xbcrgen" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[QUOTE_BYTES(32)];

		CHECK(strcmp(quote_format(rows[i].in, text, sizeof text), rows[i].want) == 0, "row %zu: %s", i, text);
	}
}

static void test_cut(void)
{
	char text[8];

	CU_ASSERT_STRING_EQUAL(quote_format(SLICE("abcdefghij"), text, sizeof text), "abcdefg");
	CU_ASSERT_STRING_EQUAL(quote_format(SLICE("abcd efg"), text, sizeof text), "abcd");
	CU_ASSERT_STRING_EQUAL(quote_format(SLICE("abc efg"), text, sizeof text), "abc\\x20");
	CU_ASSERT_STRING_EQUAL(quote_format(SLICE("abc"), text, 1), "");
}

static void test_dup(void)
{
	char *text = quote_dup(SLICE("bob addr=192.0.2.1\n\xe8"));

	CU_ASSERT_STRING_EQUAL(text, "bob\\x20addr\\x3d192.0.2.1\\x0a\\xe8");
	free(text);
}

static const struct unit_test tests[] = { { "rows", test_rows }, { "cut", test_cut }, { "dup", test_dup } };

UNIT_MAIN("quote", tests)
