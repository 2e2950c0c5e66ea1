#include "maildir/filename.h"
#include "tests/unit/unit.h"

static const struct {
	const char *name, *base, *info;
	uint32_t letters;
	bool canonical;
} NAMES[] = {
	{ "1.a", "1.a", "", 0, false },
	{ "1.a:2,", "1.a", ":2,", 0, true },
	{ "1.a,S=5,W=6:2,FS", "1.a,S=5,W=6", ":2,FS", LETTER_FLAGGED | LETTER_SEEN, true },
	{ "1.a:2,SF", "1.a", ":2,SF", LETTER_FLAGGED | LETTER_SEEN, false },
	{ "1.a:2,SS", "1.a", ":2,SS", LETTER_SEEN, false },
	{ "1.a:2,DFPRSTaz", "1.a", ":2,DFPRSTaz",
		LETTER_DRAFT | LETTER_FLAGGED | LETTER_FORWARDED | LETTER_ANSWERED | LETTER_SEEN |
			LETTER_DELETED | 1 | 1 << 25,
		true },
	{ "1.a:2,SX", "1.a", ":2,SX", LETTER_SEEN, false },
	{ "1.a:2,S,T", "1.a", ":2,S,T", LETTER_SEEN, false },
	{ "1.a:1,S", "1.a", ":1,S", 0, false },
	{ "1.a:2", "1.a", ":2", 0, false },
	{ "1.a:2,S:2,T", "1.a", ":2,S:2,T", LETTER_SEEN, false },
	{ ":2,S", "", ":2,S", LETTER_SEEN, true },
	{ "", "", "", 0, false },
};

static void test_parse(void)
{
	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
		struct filename name = filename_parse(slice_str(NAMES[i].name));

		CHECK(slice_equal(name.base, slice_str(NAMES[i].base)), "row %zu", i);
		CHECK(slice_equal(name.info, slice_str(NAMES[i].info)), "row %zu", i);
		CHECK(filename_letters(name.info) == NAMES[i].letters, "row %zu", i);
		CHECK(filename_is_canonical(name.info) == NAMES[i].canonical, "row %zu", i);
	}
}

static const struct {
	const char *base, *old_info;
	uint32_t letters;
	const char *want;
} FORMATS[] = {
	{ "1.a", "", 0, "1.a:2," },
	{ "1.a", "", LETTER_SEEN | LETTER_DRAFT | 2, "1.a:2,DSb" },
	{ "1.a", ":2,", LETTER_DELETED, "1.a:2,T" },
	{ "1.a", ":2,SXZ", LETTER_FLAGGED, "1.a:2,FXZ" },
	{ "1.a", ":2,S,foo,T", LETTER_FLAGGED, "1.a:2,F,foo,T" },
	{ "1.a", ":2,5Sa", LETTER_SEEN, "1.a:2,5S" },
	{ "1.a", ":1,x", LETTER_SEEN, "1.a:2,S" },
	{ "1.a,S=1", "", UINT32_MAX, "1.a,S=1:2,DFPRSTabcdefghijklmnopqrstuvwxyz" },
};

static void test_format(void)
{
	for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
		_cleanup_buf_ struct buf out = BUF(255);
		int r = filename_format(slice_str(FORMATS[i].base), slice_str(FORMATS[i].old_info),
			FORMATS[i].letters, &out);

		CHECK(r == 0 && slice_equal(buf_slice(&out), slice_str(FORMATS[i].want)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&out)));
	}

	_cleanup_buf_ struct buf small = BUF(5);

	CU_ASSERT(filename_format(SLICE("1.a"), SLICE(""), 0, &small) < 0);
	CU_ASSERT_EQUAL(small.n, 0);
}

static const struct {
	const char *base;
	char key;
	bool ok;
	uint64_t bytes;
} SIZES[] = {
	{ "1.a,S=12", 'S', true, 12 },
	{ "1.a,S=12,W=13", 'W', true, 13 },
	{ "1.a,W=13,S=12", 'S', true, 12 },
	{ "1.a", 'S', false, 0 },
	{ "1.a,S=", 'S', false, 0 },
	{ "1.a,S=x", 'S', false, 0 },
	{ "1.a,S=-1", 'S', false, 0 },
	{ "1.a,S=99999999999999999999999", 'S', false, 0 },
	{ "S=5,W=6", 'S', false, 0 },
	{ ",S=5", 'S', true, 5 },
	{ "", 'S', false, 0 },
};

static void test_sizes(void)
{
	for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
		uint64_t bytes = 0;

		CHECK(filename_size(slice_str(SIZES[i].base), SIZES[i].key, &bytes) == SIZES[i].ok,
			"row %zu", i);
		CHECK(bytes == SIZES[i].bytes, "row %zu", i);
	}
}

/* As a Dovecot 2.3 orders them. */
static const char *const ARRIVAL[] = {
	"abc",
	"17.V8I2M777.z",
	"1700000000.q",
	"1700000001.M4P9.host",
	"1700000001.M5P10.host",
	"1700000001.M5P9.host",
	"1700000001.M30P1.a",
	"1700000001.a",
	"1700000001.b",
	"1700000002.M1P2.host",
};

static void test_arrival(void)
{
	enum { N = sizeof ARRIVAL / sizeof *ARRIVAL };

	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < N; j++) {
			int order = filename_compare_arrival(
				slice_str(ARRIVAL[i]), slice_str(ARRIVAL[j]));

			CHECK((order < 0) == (i < j) && (order == 0) == (i == j), "%s, %s",
				ARRIVAL[i], ARRIVAL[j]);
		}
	CU_ASSERT_EQUAL(filename_seconds(SLICE("1700000001.M5P10.host")), 1700000001);
	CU_ASSERT_EQUAL(filename_seconds(SLICE("x")), 0);
}

static const struct {
	struct slice name;
	bool ok;
} MESSAGES[] = {
	{ { "1.a", 3 }, true },
	{ { "\xff", 1 }, true },
	{ { "a b", 3 }, true },
	{ { "", 0 }, false },
	{ { ".a", 2 }, false },
	{ { ":2,S", 4 }, false },
	{ { "a\nb", 3 }, false },
	{ { "a\rb", 3 }, false },
	{ { "a\0b", 3 }, false },
	{ { "a/b", 3 }, false },
};

static void test_is_message(void)
{
	for (size_t i = 0; i < sizeof MESSAGES / sizeof *MESSAGES; i++)
		CHECK(filename_is_message(MESSAGES[i].name) == MESSAGES[i].ok, "row %zu", i);
}

static void test_unique(void)
{
	_cleanup_buf_ struct buf out = BUF(255);
	struct filename_unique unique = {
		.now_usec = 1700000000000042, .pid = 7, .count = 3, .hostname = "a/b:c,d e"
	};

	CU_ASSERT_EQUAL(filename_format_unique(&unique, SLICE("1.x,S=5,W=6"), &out), 0);
	CHECK(slice_equal(buf_slice(&out),
		      SLICE("1700000000.M42P7Q3.a\\057b\\072c\\054d\\040e,S=5,W=6")),
		"%.*s", SLICE_FMT(buf_slice(&out)));
}

static const struct unit_test TESTS[] = {
	{ "names are taken apart", test_parse },
	{ "names are written", test_format },
	{ "sizes", test_sizes },
	{ "the order of arrival", test_arrival },
	{ "what may be a message", test_is_message },
	{ "new names", test_unique },
};

UNIT_MAIN("test_filename", TESTS)
