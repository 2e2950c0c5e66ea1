#include "maildir/pop3_uidl.h"
#include "tests/unit/unit.h"

static const struct {
	const char *format;
	bool valid;
	const char *want;
} FORMATS[] = {
	{ "%08Xu%08Xv", true, "0000000a6b02027b" }, { "%v.%u", true, "1795293819.10" },
	{ "%u", true, "10" }, { "%Xu-%xv", true, "a-6b02027b" }, { "%04u", true, "0010" },
	{ "%f", true, "1.a,S=5" }, { "UID%u%%", true, "UID10%" }, { "%g", true, "guid" },
	{ "%v", false, "" }, /* all messages would be one */
	{ "", false, "" }, { "x", false, "" }, { "%", false, "" }, { "%08X", false, "" },
	{ "%m", false, "" }, { "%u %v", false, "" }, { "%u\n", false, "" },
	{ "%099u", true, NULL }, /* too long: a checksum */
};

static void test_formats(void)
{
	const struct pop3_uidl_values values = { 10, 1795293819, SLICE("1.a,S=5"), SLICE("guid") };

	for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
		_cleanup_buf_ struct buf out = BUF(POP3_UIDL_MAX_BYTES);
		struct slice format = slice_str(FORMATS[i].format);

		CHECK(pop3_uidl_format_is_valid(format) == FORMATS[i].valid, "row %zu", i);
		if (!FORMATS[i].valid)
			continue;
		CHECK(pop3_uidl_format(format, &values, &out) == 0, "row %zu", i);
		if (FORMATS[i].want)
			CHECK(slice_equal(buf_slice(&out), slice_str(FORMATS[i].want)),
				"row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
		else
			CHECK(out.n == 32, "row %zu", i);
	}
}

static void test_add(void)
{
	_cleanup_buf_ struct buf a = BUF(POP3_UIDL_MAX_BYTES), b = BUF(POP3_UIDL_MAX_BYTES),
				 c = BUF(POP3_UIDL_MAX_BYTES);
	char text[72];

	memset(text, 'x', sizeof text);
	CU_ASSERT(pop3_uidl_add(slice_from(text, 70), &a) == 0 && a.n == 70);
	buf_clear(&a);
	CU_ASSERT(pop3_uidl_add(slice_from(text, 71), &a) == 0 && a.n == 32);
	CU_ASSERT(pop3_uidl_add(slice_from(text, 72), &b) == 0 && b.n == 32);
	CU_ASSERT(pop3_uidl_add(slice_from(text, 71), &c) == 0);
	CU_ASSERT_FALSE(slice_equal(buf_slice(&a), buf_slice(&b)));
	CU_ASSERT(slice_equal(buf_slice(&a), buf_slice(&c)));
	buf_clear(&a);
	CU_ASSERT(pop3_uidl_add(SLICE("a b"), &a) == 0 && a.n == 32);
}

static const struct unit_test TESTS[] = {
	{ "formats", test_formats },
	{ "what may not be a unique-id", test_add },
};

UNIT_MAIN("test_pop3_uidl", TESTS)
