/* Tokens of IMAP commands, and sequence sets. */
#include "base/buf.h"
#include "server/wire/seqset.h"
#include "server/wire/writer.h"
#include "server/wire/token.h"
#include "tests/unit/unit.h"

#include <errno.h>

enum kind { ATOM, TAG, ASTRING, STRING, NSTRING, LIST, FLAG, SET };

static enum parse take(enum kind kind, struct slice *in, struct arena *arena, struct slice *ret)
{
	switch (kind) {
	case ATOM:
		return token_atom(in, ret);
	case TAG:
		return token_tag(in, ret);
	case ASTRING:
		return token_astring(in, arena, ret);
	case STRING:
		return token_string(in, arena, ret);
	case NSTRING:
		return token_nstring(in, arena, ret);
	case LIST:
		return token_list_mailbox(in, arena, ret);
	case FLAG:
		return token_flag(in, ret);
	case SET:
		return token_sequence_set(in, ret);
	}
	return PARSE_BAD;
}

/* want NULL: PARSE_BAD. left: what stays in the input. */
static const struct {
	enum kind kind;
	struct slice in;
	const char *want, *left;
} rows[] = {
#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof text - 1                                                              \
	}
	{ ATOM, S("abc def"), "abc", " def" },
	{ ATOM, S("a]"), "a", "]" },
	{ ATOM, S("*"), NULL, "" },
	{ ATOM, S(""), NULL, "" },
	{ ATOM, S("\x80"), NULL, "" },
	{ ATOM, S("\x7f"), NULL, "" },
	{ ATOM, S("a\0b"), "a", NULL },
	{ TAG, S("A1 x"), "A1", " x" },
	{ TAG, S("a]b x"), "a]b", " x" },
	{ TAG, S("a+ x"), NULL, "" },
	{ TAG, S("+ x"), NULL, "" },
	{ TAG, S("* x"), NULL, "" },
	{ ASTRING, S("a]b"), "a]b", "" },
	{ ASTRING, S("\"\" x"), "", " x" },
	{ ASTRING, S("\"a\\\"b\\\\c\""), "a\"b\\c", "" },
	{ ASTRING, S("\"a\\bc\""), NULL, "" },
	{ ASTRING, S("\"abc"), NULL, "" },
	{ ASTRING, S("\"abc\\"), NULL, "" },
	{ ASTRING, S("\"abc\\\""), NULL, "" },
	{ ASTRING, S("\"a\r\nb\""), NULL, "" },
	{ ASTRING, S("\"a\0b\""), NULL, "" },
	{ ASTRING, S("\"\xe5\xb1\xb1\""), "\xe5\xb1\xb1", "" },
	{ ASTRING, S("\"\xe5\xb1\""), NULL, "" },
	{ ASTRING, S("\"\xed\xa0\x80\""), NULL, "" },
	{ ASTRING, S("\"\xc0\x80\""), NULL, "" },
	{ ASTRING, S("\"\xf4\x90\x80\x80\""), NULL, "" },
	{ ASTRING, S("{3}\r\na\"b x"), "a\"b", " x" },
	{ ASTRING, S("{3+}\r\na\nb"), "a\nb", "" },
	{ ASTRING, S("{0}\r\n x"), "", " x" },
	{ ASTRING, S("{3}\nabc"), "abc", "" },
	{ ASTRING, S("{4}\r\nabc"), NULL, "" },
	{ ASTRING, S("{3}\r\na\0b"), NULL, "" },
	{ ASTRING, S("{3}abc\r\nabc"), NULL, "" },
	{ ASTRING, S("{1{3}\r\nabc"), NULL, "" },
	{ ASTRING, S("{3}"), NULL, "" },
	{ ASTRING, S("{}\r\n"), NULL, "" },
	{ ASTRING, S("~{3}\r\nabc"), "~", NULL },
	{ ASTRING, S("(a)"), NULL, "" },
	{ STRING, S("abc"), NULL, "" },
	{ NSTRING, S("nil x"), "", " x" },
	{ NSTRING, S("NILS"), NULL, "" },
	{ NSTRING, S("\"NIL\""), "NIL", "" },
	{ LIST, S("a%b*]c d"), "a%b*]c", " d" },
	{ LIST, S("\"a b\""), "a b", "" },
	{ FLAG, S("\\Seen)"), "\\Seen", ")" },
	{ FLAG, S("$Work x"), "$Work", " x" },
	{ FLAG, S("\\*"), NULL, "" },
	{ FLAG, S("\\"), NULL, "" },
	{ SET, S("1,2:4,*:5 x"), "1,2:4,*:5", " x" },
	{ SET, S("1,"), NULL, "" },
	{ SET, S("0"), NULL, "" },
	{ SET, S("01"), NULL, "" },
	{ SET, S("1a"), NULL, "" },
	{ SET, S("1:2:3"), NULL, "" },
	{ SET, S("4294967295"), "4294967295", "" },
	{ SET, S("4294967296"), NULL, "" },
	{ SET, S("1,,2"), NULL, "" },
	{ SET, S(":1"), NULL, "" },
	{ SET, S("$ x"), "$", " x" },
	{ SET, S("1,$"), "1,$", "" },
	{ SET, S("$,1"), NULL, "" },
	{ SET, S("$1"), NULL, "" },
};

static void test_strings(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct slice in = rows[i].in, got = { NULL, 0 };
		enum parse r = take(rows[i].kind, &in, &arena, &got);

		CHECK((r == PARSE_OK) == (rows[i].want != NULL), "row %zu", i);
		if (r == PARSE_OK && rows[i].want) {
			CHECK(slice_equal(got, slice_str(rows[i].want)), "row %zu: %.*s", i,
				SLICE_FMT(got));
			CHECK(!rows[i].left || slice_equal(in, slice_str(rows[i].left)),
				"row %zu left %.*s", i, SLICE_FMT(in));
		} else {
			CHECK(in.p == rows[i].in.p && in.n == rows[i].in.n,
				"row %zu moved its input", i);
		}
	}
}

static void test_numbers(void)
{
	struct slice in = SLICE("4294967295 4294967296 0");
	uint32_t n;
	uint64_t n64;

	CHECK(token_number(&in, &n) == PARSE_OK && n == UINT32_MAX, "%u", n);
	CHECK(token_space(&in) == PARSE_OK && token_number(&in, &n) == PARSE_BAD, "beyond 32 bits");
	CHECK(token_number64(&in, &n64) == PARSE_OK && n64 == UINT64_C(4294967296), "64 bits");
	CHECK(token_space(&in) == PARSE_OK && token_nz_number(&in, &n) == PARSE_BAD,
		"0 is no nz-number");
	CHECK(token_number(&in, &n) == PARSE_OK && n == 0 && token_end(&in) == PARSE_OK, "0");
	in = SLICE("9223372036854775808");
	CHECK(token_number64(&in, &n64) == PARSE_BAD, "64 bits are 63");
}

static void test_words(void)
{
	struct slice in = SLICE("uid FETCH");

	CHECK(token_word(&in, SLICE("UI")) == PARSE_BAD, "only a beginning");
	CHECK(token_word(&in, SLICE("UID")) == PARSE_OK, "in any case");
	CHECK(slice_equal(in, SLICE(" FETCH")), "%.*s", SLICE_FMT(in));
}

static const struct {
	const char *set;
	uint32_t star;
	const char *want; /* NULL: bad */
} sets[] = {
	{ "1", 0, "1:1" },
	{ "5:2", 9, "2:5" },
	{ "*", 9, "9:9" },
	{ "*:4,5:7", 10, "4:10" },
	{ "2,4:7,9,12:*", 15, "2:2 4:7 9:9 12:15" },
	{ "3291:*", 10, "10:3291" },
	{ "1,1,1,2", 3, "1:2" },
	{ "9,1,5,2:3", 10, "1:3 5:5 9:9" },
	{ "1:4294967295", 10, "1:4294967295" },
	{ "4294967295,1", 10, "1:1 4294967295:4294967295" },
	{ "*", 0, NULL },
	{ "", 5, NULL },
	{ "1,", 5, NULL },
};

static void test_sets(void)
{
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		_cleanup_buf_ struct buf got = BUF(1000);
		struct seq_ranges ranges = { 0 };
		enum parse r = seqset_parse(slice_str(sets[i].set), sets[i].star, &arena, &ranges);

		CHECK((r == PARSE_OK) == (sets[i].want != NULL), "row %zu", i);
		for (size_t n = 0; n < ranges.n; n++)
			CHECK(buf_addf(&got, "%s%u:%u", n ? " " : "", ranges.ranges[n].first,
				      ranges.ranges[n].last) == 0,
				"room");
		CHECK(!sets[i].want || slice_equal(buf_slice(&got), slice_str(sets[i].want)),
			"row %zu: %.*s", i, SLICE_FMT(buf_slice(&got)));
	}
}

static void test_ranges(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct seq_ranges ranges = { 0 };

	for (uint32_t n = 1; n < 100; n++)
		if (n % 3 != 0)
			seq_ranges_add(&ranges, &arena, n);
	CHECK(ranges.n == 33 && seq_ranges_count(&ranges) == 66, "%zu", ranges.n);
	for (uint32_t n = 1; n < 100; n++)
		CHECK(seq_ranges_have(&ranges, n) == (n % 3 != 0), "%u", n);
	CHECK(!seq_ranges_have(&ranges, 0) && !seq_ranges_have(&ranges, 100), "outside");
}

static void check_ranges(const struct seq_ranges *ranges, const char *want)
{
	_cleanup_buf_ struct buf text = BUF(200);
	struct writer w = { .out = &text };

	write_ranges(&w, ranges);
	CHECK(slice_equal(buf_slice(&text), slice_str(want)), "%.*s", SLICE_FMT(buf_slice(&text)));
}

static void test_ranges_together(void)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct seq_ranges a, b, none = { 0 }, both;

	CU_ASSERT(seqset_parse(SLICE("2:4,8,10:12"), 1, &arena, &a) == PARSE_OK);
	CU_ASSERT(seqset_parse(SLICE("1,5:6,11:20"), 1, &arena, &b) == PARSE_OK);
	both = seq_ranges_union(&a, &b, &arena);
	check_ranges(&both, "1:6,8,10:20");
	both = seq_ranges_union(&a, &none, &arena);
	check_ranges(&both, "2:4,8,10:12");
	for (uint64_t first = 1; first <= 7; first++)
		for (uint64_t last = first; last <= 7; last++) {
			static const uint32_t numbers[] = { 2, 3, 4, 8, 10, 11, 12 };
			struct seq_ranges part = seq_ranges_part(&a, first, last, &arena);

			CHECK(seq_ranges_count(&part) == last - first + 1, "%d", (int)first);
			for (uint64_t i = 1; i <= 7; i++)
				CHECK(seq_ranges_have(&part, numbers[i - 1]) ==
						(i >= first && i <= last),
					"%d %d", (int)first, (int)last);
		}
}

static void test_saved(void)
{
	static const struct {
		const char *set, *left;
		bool has;
	} cuts[] = { { "$", "", true }, { "1:3,$", "1:3", true }, { "1", "1", false }, { "", "", false },
		{ "$,1", "$,1", false }, { "$$", "$$", false }, { "1$", "1$", false },
		{ ",$", ",$", false } };

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct slice set = slice_str(cuts[i].set);

		CHECK(seqset_cut_saved(&set) == cuts[i].has, "%s", cuts[i].set);
		CHECK(slice_equal(set, slice_str(cuts[i].left)), "%s", cuts[i].set);
	}
}

static const struct unit_test tests[] = {
	{ "ranges_together", test_ranges_together },
	{ "saved", test_saved },
	{ "strings", test_strings },
	{ "numbers", test_numbers },
	{ "words", test_words },
	{ "sets", test_sets },
	{ "ranges", test_ranges },
};
UNIT_MAIN("wire_token", tests)
