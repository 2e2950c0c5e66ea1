/* The pure parts of POP3: command lines, arguments, the end of TOP, languages. */
#include "base/limits.h"
#include "server/pop3/grammar.h"
#include "server/pop3/line.h"
#include "server/pop3/texts.h"
#include "server/pop3/top.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static void test_keyword(void)
{
	static const struct {
		struct slice in;
		enum parse want;
		struct slice keyword, rest;
	} rows[] = {
		{ SLICE("STAT"), PARSE_OK, SLICE("STAT"), SLICE("") },
		{ SLICE("retr 1"), PARSE_OK, SLICE("retr"), SLICE(" 1") },
		{ SLICE("UTF8"), PARSE_OK, SLICE("UTF8"), SLICE("") },
		{ SLICE(""), PARSE_BAD, SLICE(""), SLICE("") },
		{ SLICE(" STAT"), PARSE_BAD, SLICE(""), SLICE("") },
		{ SLICE("STAT\t"), PARSE_BAD, SLICE(""), SLICE("") },
		{ SLICE("STAT\0"), PARSE_BAD, SLICE(""), SLICE("") },
		{ SLICE("ABCDEFGHI"), PARSE_BAD, SLICE(""), SLICE("") },
		{ SLICE("\xe3\x81\x82"), PARSE_BAD, SLICE(""), SLICE("") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice line = rows[i].in, keyword = SLICE("");

		CHECK(pop3_parse_keyword(&line, &keyword) == rows[i].want, "row %zu", i);
		CHECK(slice_equal(keyword, rows[i].keyword), "row %zu", i);
		if (rows[i].want == PARSE_OK)
			CHECK(slice_equal(line, rows[i].rest), "row %zu", i);
	}
}

static void test_arguments(void)
{
	static const struct {
		pop3_parse_arguments *parse;
		struct slice in;
		enum parse want;
		uint32_t msgno, lines;
		struct slice language;
	} rows[] = {
		{ pop3_parse_none, SLICE(""), PARSE_OK, 0, 0, SLICE("") },
		{ pop3_parse_none, SLICE("  "), PARSE_OK, 0, 0, SLICE("") },
		{ pop3_parse_none, SLICE(" 1"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 1"), PARSE_OK, 1, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 007 "), PARSE_OK, 7, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 4294967295"), PARSE_OK, UINT32_MAX, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 4294967296"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 99999999999999999999999"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 0"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" -1"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 1x"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(" 1 2"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno, SLICE(""), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_optional_msgno, SLICE(""), PARSE_OK, 0, 0, SLICE("") },
		{ pop3_parse_optional_msgno, SLICE(" 3"), PARSE_OK, 3, 0, SLICE("") },
		{ pop3_parse_optional_msgno, SLICE(" a"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno_lines, SLICE(" 3 0"), PARSE_OK, 3, 0, SLICE("") },
		{ pop3_parse_msgno_lines, SLICE(" 3 10"), PARSE_OK, 3, 10, SLICE("") },
		{ pop3_parse_msgno_lines, SLICE(" 3"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_msgno_lines, SLICE(" 3 -1"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_language, SLICE(""), PARSE_OK, 0, 0, SLICE("") },
		{ pop3_parse_language, SLICE(" *"), PARSE_OK, 0, 0, SLICE("*") },
		{ pop3_parse_language, SLICE(" de-DE"), PARSE_OK, 0, 0, SLICE("de-DE") },
		{ pop3_parse_language, SLICE(" de DE"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_language, SLICE(" \xc3\xa4"), PARSE_BAD, 0, 0, SLICE("") },
		{ pop3_parse_any, SLICE(" p\0w"), PARSE_OK, 0, 0, SLICE("") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pop3_arguments got = { 0 };

		CHECK(rows[i].parse(rows[i].in, &got) == rows[i].want, "row %zu", i);
		CHECK(got.msgno == rows[i].msgno && got.lines == rows[i].lines, "row %zu", i);
		CHECK(got.has_msgno == (rows[i].msgno > 0), "row %zu", i);
		CHECK(slice_equal(got.language, rows[i].language), "row %zu", i);
	}
}

/* Feed in two pieces; write down what came, a letter or line each. */
static void frame_pieces(struct slice in, size_t cut, struct buf *log)
{
	static const char letters[] = { [POP3_LINE_OK] = 'l',
		[POP3_LINE_TOO_LONG] = 'T',
		[POP3_LINE_FLOOD] = 'F',
		[POP3_LINE_MORE] = 'm' };
	_cleanup_buf_ struct buf input = BUF(1024 * 1024);
	struct pop3_line state = { 0 };
	struct slice pieces[] = { slice_head(in, cut), slice_tail(in, cut) };

	for (int i = 0; i < 2; i++) {
		enum pop3_line_result r;
		struct slice line = { 0 };

		CU_ASSERT(buf_add(&input, pieces[i]) == 0);
		while ((r = pop3_line_next(&state, &input, &line)) != POP3_LINE_MORE &&
			r != POP3_LINE_FLOOD) {
			CU_ASSERT(buf_add_char(log, letters[r]) == 0);
			if (r == POP3_LINE_OK)
				CU_ASSERT(buf_addf(log, "<%.*s>", SLICE_FMT(line)) == 0);
		}
		if (r == POP3_LINE_FLOOD) {
			CU_ASSERT(buf_add_char(log, 'F') == 0);
			break;
		}
	}
}

static void test_lines(void)
{
	static const struct {
		struct slice in, want;
	} rows[] = {
		{ SLICE("STAT\r\nQUIT\r\n"), SLICE("l<STAT>l<QUIT>") },
		{ SLICE("STAT\nQUIT"), SLICE("l<STAT>") },
		{ SLICE("\r\n\n"), SLICE("l<>l<>") },
		{ SLICE("a\rb\r\r\n"), SLICE("l<a\rb\r>") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			_cleanup_buf_ struct buf log = BUF(1000);

			frame_pieces(rows[i].in, cut, &log);
			CHECK(slice_equal(buf_slice(&log), rows[i].want),
				"row %zu cut at %zu: %.*s", i, cut, SLICE_FMT(buf_slice(&log)));
		}
}

static void test_long_lines(void)
{
	enum { LONGEST = LIMIT_POP3_LINE_BYTES - 2 };
	static const struct {
		size_t bytes;
		const char *want;
	} rows[] = {
		{ LIMIT_POP3_LINE_BYTES - 1, "T" },
		{ LIMIT_POP3_LINE_BYTES, "T" },
		{ 5000, "T" },
		{ POP3_LINE_FLOOD_BYTES - 2, "T" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *bytes = malloc(rows[i].bytes + 6);

		memset(bytes, 'x', rows[i].bytes);
		memcpy(bytes + rows[i].bytes, "\r\nA\r\n", 6);
		for (size_t cut = 0; cut <= rows[i].bytes; cut += cut < 600 ? 1 : 500) {
			_cleanup_buf_ struct buf log = BUF(2000);

			frame_pieces(slice_from(bytes, rows[i].bytes + 5), cut, &log);
			CHECK(slice_equal(buf_slice(&log), SLICE("Tl<A>")),
				"row %zu cut at %zu: %.*s", i, cut, SLICE_FMT(buf_slice(&log)));
		}
		free(bytes);
	}

	_cleanup_buf_ struct buf log = BUF(2000);
	_cleanup_free_ char *flood = malloc(POP3_LINE_FLOOD_BYTES + 1);

	memset(flood, 'x', POP3_LINE_FLOOD_BYTES + 1);
	frame_pieces(slice_from(flood, POP3_LINE_FLOOD_BYTES + 1), 40000, &log);
	CU_ASSERT(slice_equal(buf_slice(&log), SLICE("F")));
	buf_clear(&log);
	memcpy(flood + LONGEST, "\r\n", 2);
	frame_pieces(slice_from(flood, LIMIT_POP3_LINE_BYTES), 3, &log);
	CU_ASSERT(log.n == LONGEST + 3);
}

static void test_top(void)
{
	static const struct {
		struct slice in;
		uint64_t lines;
		size_t want;
	} rows[] = {
		{ SLICE("A: b\r\n\r\nx\r\ny\r\n"), 0, 8 },
		{ SLICE("A: b\r\n\r\nx\r\ny\r\n"), 1, 11 },
		{ SLICE("A: b\r\n\r\nx\r\ny\r\n"), 2, 14 },
		{ SLICE("A: b\r\n\r\nx\r\ny\r\n"), UINT32_MAX, 14 },
		{ SLICE("A: b\r\n\r\n\r\n\r\nx\r\n"), 2, 12 },
		{ SLICE("A: b\r\n"), 5, 6 },
		{ SLICE("A: b"), 0, 4 },
		{ SLICE("\r\nbody\r\n"), 0, 2 },
		{ SLICE("A: b\r\n\r\r\nC: d\r\n\r\nx"), 0, 17 },
		{ SLICE(""), 3, 0 },
		{ SLICE("A: b\r\n\r\nx"), 3, 9 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			struct top top = top_start(rows[i].lines);
			size_t taken = top_take(&top, slice_head(rows[i].in, cut));

			if (taken == cut && !top.is_done)
				taken += top_take(&top, slice_tail(rows[i].in, cut));
			CHECK(taken == rows[i].want, "row %zu cut at %zu: %zu", i, cut, taken);
		}
}

static void test_languages(void)
{
	static const struct {
		struct slice range;
		bool want;
		enum pop3_language language;
	} rows[] = {
		{ SLICE("en"), true, POP3_ENGLISH },
		{ SLICE("EN-gb"), true, POP3_ENGLISH },
		{ SLICE("ja"), true, POP3_JAPANESE },
		{ SLICE("ja-JP"), true, POP3_JAPANESE },
		{ SLICE("*"), true, POP3_ENGLISH },
		{ SLICE("jav"), false, 0 },
		{ SLICE("MUL"), false, 0 },
		{ SLICE(""), false, 0 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum pop3_language language = POP3_ENGLISH;

		CHECK(pop3_language_find(rows[i].range, &language) == rows[i].want, "row %zu", i);
		CHECK(!rows[i].want || language == rows[i].language, "row %zu", i);
	}
}

/* Every text exists, is not taken for a response code, and leaves room in a line of 512 octets. */
static void test_texts(void)
{
	for (enum pop3_language language = 0; language < POP3_LANGUAGE_COUNT; language++)
		for (enum pop3_text text = 0; text < TEXT_COUNT; text++) {
			const char *s = pop3_text(language, text);

			CHECK(s && s[0] != '\0' && s[0] != '[' && strlen(s) < 400,
				"language %d text %d", language, text);
			for (; s && *s && language == POP3_ENGLISH; s++)
				CHECK(*s >= ' ' && *s < 0x7f, "text %d", text);
		}
}

static const struct unit_test tests[] = {
	{ "keyword", test_keyword },
	{ "arguments", test_arguments },
	{ "lines, at every split point", test_lines },
	{ "long lines", test_long_lines },
	{ "top, at every split point", test_top },
	{ "languages", test_languages },
	{ "texts", test_texts },
};

UNIT_MAIN("pop3_grammar", tests)
