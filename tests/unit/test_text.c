/* transfer.h and text.h: bodies to text, and words in them. */
#include "maildir/message/charset.h"
#include "maildir/message/text.h"
#include "maildir/message/transfer.h"

#include "tests/unit/unit.h"

#include <errno.h>

#define NIHONGO "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"

static const struct {
	enum transfer_encoding encoding;
	struct slice in, want;
	bool broken;
} rows[] = {
	{ TRANSFER_BASE64, SLICE("SGVsbG8="), SLICE("Hello"), false },
	{ TRANSFER_BASE64, SLICE("SGVs\r\nbG8=\r\n"), SLICE("Hello"), false },
	{ TRANSFER_BASE64, SLICE("SGVsbG8=SGVsbG8="), SLICE("HelloHello"), false },
	{ TRANSFER_BASE64, SLICE("SG!Vs\xff" "bG8"), SLICE("Hello"), true },
	{ TRANSFER_BASE64, SLICE("SGVsbG8hA"), SLICE("Hello!"), true },
	{ TRANSFER_BASE64, SLICE("===="), SLICE(""), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("a=20b=E3=81=82"), SLICE("a b\xe3\x81\x82"), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("soft=\nline=\r\nends= \t\nx"), SLICE("softlineendsx"), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("trailing \t \nx  \r\ny "), SLICE("trailing\nx\r\ny"), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("in  the middle"), SLICE("in  the middle"), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("=3d=3D"), SLICE("=="), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("=zz =4z =4"), SLICE("=zz =4z =4"), true },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("=  x"), SLICE("=  x"), true },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("end="), SLICE("end"), false },
	{ TRANSFER_QUOTED_PRINTABLE, SLICE("==41"), SLICE("=A"), true },
	{ TRANSFER_IDENTITY, SLICE("a=20 \n"), SLICE("a=20 \n"), false },
	{ TRANSFER_UNKNOWN, SLICE("begin 644"), SLICE("begin 644"), false },
};

static void test_transfer(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			struct transfer_decoder decoder = { .encoding = rows[i].encoding };
			_cleanup_buf_ struct buf out = BUF(1000);

			CHECK(transfer_feed(&decoder, slice_head(rows[i].in, cut), &out) == 0, "row %zu", i);
			CHECK(transfer_feed(&decoder, slice_tail(rows[i].in, cut), &out) == 0, "row %zu", i);
			CHECK(transfer_finish(&decoder, &out) == 0, "row %zu", i);
			CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu cut %zu: %.*s", i, cut,
				SLICE_FMT(buf_slice(&out)));
			CHECK(decoder.broken == rows[i].broken, "row %zu cut %zu", i, cut);
		}

	struct transfer_decoder decoder = { .encoding = TRANSFER_QUOTED_PRINTABLE };
	_cleanup_buf_ struct buf small = BUF(10);

	CU_ASSERT_EQUAL(transfer_feed(&decoder, SLICE("abc"), &small), -ENOBUFS);
	CU_ASSERT_EQUAL(transfer_encoding_from(SLICE(" (c) BASE64 (d)")), TRANSFER_BASE64);
	CU_ASSERT_EQUAL(transfer_encoding_from(SLICE("x-uuencode")), TRANSFER_UNKNOWN);
	CU_ASSERT_EQUAL(transfer_encoding_from(slice_from(NULL, 0)), TRANSFER_IDENTITY);
}

/* A body of one part, and words that are in it or not. */
static const struct {
	struct slice message;
	const char *needle;
	bool found;
} searches[] = {
	{ SLICE("\nHello World\n"), "hello w", true },
	{ SLICE("\nHello World\n"), "worlds", false },
	{ SLICE("\nx"), "", true },
	{ SLICE("\n"), "", true },
	{ SLICE("\n"), "x", false },
	{ SLICE("Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$BF|K\\8l\x1b(B\n"), NIHONGO, true },
	{ SLICE("Content-Type: text/plain; charset=shift_jis\n\n\x93\xfa\x96{\x8c\xea"), NIHONGO, true },
	{ SLICE("Content-Type: text/plain; charset=euc-jp\nContent-Transfer-Encoding: base64\n\nxvzL3Ljs\n"), NIHONGO, true },
	{ SLICE("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=E6=97=\n=A5=E6=9C=AC=E8=AA=9E"),
		NIHONGO, true },
	{ SLICE("\n\x1b$BF|K\\8l\x1b(B\n"), "\xe6\x9c\xac", true },
	{ SLICE("\n\x1b$BF|K\\8l\x1b(B\n"), "K\\8", false },
	{ SLICE("Content-Type: text/plain; charset=iso-8859-1\n\ncaf\xe9"), "CAF\xc3\x89", true },
	{ SLICE("\naaab"), "aab", true },
};

static void test_search(void)
{
	for (size_t i = 0; i < sizeof searches / sizeof *searches; i++) {
		struct mime_parser *parser;
		const struct mime_part *part = mime_parse(searches[i].message, &parser);
		struct slice body = slice_tail(searches[i].message, part->body_offset);
		struct text_needle needle;

		CHECK(text_needle_init(&needle, slice_str(searches[i].needle)) == 0, "row %zu", i);
		for (size_t cut = 0; cut <= body.n; cut++) {
			struct text_decoder *decoder = text_decoder_new(part);
			struct text_search *search = text_search_new(decoder, &needle);

			text_search_feed(search, slice_head(body, cut));
			text_search_feed(search, slice_tail(body, cut));
			CHECK(text_search_finish(search) == searches[i].found, "row %zu cut %zu", i, cut);
			text_search_free(search);
			text_decoder_free(decoder);
		}
		text_needle_done(&needle);
		mime_parser_free(parser);
	}
}

/* Across the chunks in which it works. */
static void test_large(void)
{
	_cleanup_buf_ struct buf body = BUF(1 << 20);
	struct mime_part part = { .kind = MIME_TEXT };
	struct text_needle needle;

	CU_ASSERT_EQUAL(text_needle_init(&needle, SLICE("needle in it")), 0);
	for (size_t before = 8180; before < 8200; before++) {
		struct text_decoder *decoder = text_decoder_new(&part);
		struct text_search *search = text_search_new(decoder, &needle);

		buf_clear(&body);
		memset(buf_reserve(&body, before), 'n', before);
		buf_grown(&body, before);
		CU_ASSERT_EQUAL(buf_add_str(&body, "NEEDLE in it and more"), 0);
		CHECK(text_search_feed(search, buf_slice(&body)), "before %zu", before);
		text_search_free(search);
		text_decoder_free(decoder);
	}
	text_needle_done(&needle);
}

static void test_header(void)
{
	struct text_needle needle;

	CU_ASSERT_EQUAL(text_needle_init(&needle, SLICE(NIHONGO)), 0);
	CU_ASSERT(text_header_contains(SLICE("x =?iso-2022-jp?B?GyRCRnxLXDhsGyhC?="), &needle));
	CU_ASSERT(text_header_contains(SLICE("\x1b$BF|K\\8l\x1b(B"), &needle));
	CU_ASSERT(!text_header_contains(SLICE("x"), &needle));
	CU_ASSERT(text_contains(SLICE("a" NIHONGO), &needle));
	text_needle_done(&needle);
}

static const struct unit_test tests[] = {
	{ "transfer", test_transfer },
	{ "search", test_search },
	{ "large", test_large },
	{ "header", test_header },
};

UNIT_MAIN("text", tests)
