#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#define NIHONGO "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"
#define BAD "\xef\xbf\xbd"

static const struct {
	const char *charset;
	struct slice in, want;
} rows[] = {
	{ "utf-8", SLICE("plain " NIHONGO), SLICE("plain " NIHONGO) },
	{ "UTF8", SLICE("\xf0\x9f\x98\x80"), SLICE("\xf0\x9f\x98\x80") },
	{ "utf-8", SLICE("a\xff\xc0\x80z"), SLICE("a" BAD BAD BAD "z") },
	{ "utf-8", SLICE("\xed\xa0\x80"), SLICE(BAD BAD BAD) },
	{ "utf-8", SLICE("\xe6\x97"), SLICE(BAD) },
	{ "utf-8", SLICE("\xe6\x97z"), SLICE(BAD "z") },
	{ "iso-2022-jp", SLICE("\x1b$BF|K\\8l\x1b(B ok"), SLICE(NIHONGO " ok") },
	{ "ISO-2022-JP", SLICE("\x1b$@F|\x1b(Jx\x1b(I1\x1b(B"), SLICE("\xe6\x97\xa5x\xef\xbd\xb1") },
	{ "iso-2022-jp", SLICE("\x1b$B-!\x1b(B"), SLICE("\xe2\x91\xa0") }, /* NEC row 13: a circled 1 */
	{ "iso-2022-jp", SLICE("\x1b$B|bya\x1b(B"), SLICE("\xe9\xab\x99\xe5\xa2\x9e") }, /* IBM's in NEC's rows 92 and 89 */
	{ "iso-2022-jp-2004", SLICE("\x1b$B|b\x1b(B"), SLICE("\xe9\x83\x84") }, /* another one there */
	{ "iso-2022-jp", SLICE("\x1b$BF"), SLICE(BAD) },
	{ "iso-2022-jp", SLICE("\x1b$BF|\nx"), SLICE("\xe6\x97\xa5\nx") }, /* ends with its line */
	{ "iso-2022-jp", SLICE("\x0e\x31\x0f\x31\xb1"), SLICE("\xef\xbd\xb1" "1\xef\xbd\xb1") },
	{ "cp50221", SLICE("\x1b$(D0!\x1b(B"), SLICE("\xe4\xb8\x82") }, /* JIS X 0212 */
	{ "shift_jis", SLICE("\x93\xfa\x96{\x8c\xea\x87\x40\xb1"), SLICE(NIHONGO "\xe2\x91\xa0\xef\xbd\xb1") },
	{ "x-sjis", SLICE("\x93\xfa"), SLICE("\xe6\x97\xa5") },
	{ "Windows-31J", SLICE("\x93\xfa"), SLICE("\xe6\x97\xa5") },
	{ "euc-jp", SLICE("\xc6\xfc\xcb\xdc\xb8\xec\xad\xa1"), SLICE(NIHONGO "\xe2\x91\xa0") },
	{ "gb2312", SLICE("\xc4\xe3\xba\xc3"), SLICE("\xe4\xbd\xa0\xe5\xa5\xbd") },
	{ "gbk", SLICE("\x81\x40"), SLICE("\xe4\xb8\x82") },
	{ "big5", SLICE("\xa7\x41"), SLICE("\xe4\xbd\xa0") },
	{ "ks_c_5601-1987", SLICE("\xbe\xc8\x81\x41"), SLICE("\xec\x95\x88\xea\xb0\x82") },
	{ "koi8-r", SLICE("\xf0\xd2"), SLICE("\xd0\x9f\xd1\x80") },
	{ "windows-1251", SLICE("\xcf\xf0"), SLICE("\xd0\x9f\xd1\x80") },
	{ "cp1251", SLICE("\xcf"), SLICE("\xd0\x9f") },
	{ "iso-8859-1", SLICE("\xe9\x80"), SLICE("\xc3\xa9\xe2\x82\xac") }, /* windows-1252 in truth */
	{ "latin1", SLICE("\xe9"), SLICE("\xc3\xa9") },
	{ "ISO_8859-15", SLICE("\xa4"), SLICE("\xe2\x82\xac") },
	{ "utf-7", SLICE("+ZeVnLIqe-"), SLICE(NIHONGO) },
	{ "utf-16", SLICE("\xfe\xff\x65\xe5"), SLICE("\xe6\x97\xa5") },
	{ "us-ascii", SLICE("plain"), SLICE("plain") },
	{ "us-ascii", SLICE(NIHONGO), SLICE(NIHONGO) },
	{ "us-ascii", SLICE("caf\xe9 cr\xe8me"), SLICE("caf\xc3\xa9 cr\xc3\xa8me") },
	{ "", SLICE("\x1b$BF|\x1b(B"), SLICE("\xe6\x97\xa5") },
	{ "x-unknown", SLICE("\x93\xfa\x96\x7b\x82\xcc\x83\x65"), SLICE("\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xae\xe3\x83\x86") },
	{ "unknown-8bit", SLICE("\xc6\xfc\xcb\xdc\xa4\xce\xa5\xc6"), SLICE("\xe6\x97\xa5\xe6\x9c\xac\xe3\x81\xae\xe3\x83\x86") },
};

static void test_splits(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			_cleanup_charset_decoder_ struct charset_decoder *decoder =
				charset_decoder_new(slice_str(rows[i].charset));
			_cleanup_buf_ struct buf out = BUF(10000);

			CHECK(charset_decoder_feed(decoder, slice_head(rows[i].in, cut), &out) == 0, "row %zu", i);
			CHECK(charset_decoder_feed(decoder, slice_tail(rows[i].in, cut), &out) == 0, "row %zu", i);
			CHECK(charset_decoder_finish(decoder, &out) == 0, "row %zu", i);
			CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu (%s) cut %zu: %.*s", i,
				rows[i].charset, cut, SLICE_FMT(buf_slice(&out)));

			/* It is as new: the same again. */
			buf_clear(&out);
			CHECK(charset_decoder_feed(decoder, rows[i].in, &out) == 0, "row %zu", i);
			CHECK(charset_decoder_finish(decoder, &out) == 0, "row %zu", i);
			CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu again", i);
		}
}

static void test_names(void)
{
	CU_ASSERT(charset_known(SLICE("utf-8")) && charset_known(SLICE("csShiftJIS")));
	CU_ASSERT(charset_known(SLICE("x-euc-jp")) && charset_known(SLICE("\"iso-8859-2\"")));
	CU_ASSERT(!charset_known(SLICE("")) && !charset_known(SLICE("x-unknown")) && !charset_known(SLICE("cp0")));
	CU_ASSERT(!charset_known(SLICE("a-name-that-is-far-too-long-to-be-the-name-of-a-charset")));
	for (size_t i = 0; charset_name(i); i++)
		CHECK(charset_known(slice_str(charset_name(i))), "%s", charset_name(i));
}

/* Once preloaded, no file is opened any more: a sandbox would not let it be. */
static void test_preload(void)
{
	unsigned missing = 99;
	struct charset_preload *preload = charset_preload(&missing);
	struct rlimit before, none;

	CHECK(missing == 0, "%u charsets are missing in this libc", missing);
	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	CU_ASSERT(open("/", O_RDONLY) < 0);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(10000);

		CHECK(charset_to_utf8(slice_str(rows[i].charset), rows[i].in, &out) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu (%s)", i, rows[i].charset);
	}
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	charset_preload_free(preload);
}

static void test_no_room(void)
{
	_cleanup_buf_ struct buf out = BUF(4);

	CU_ASSERT_EQUAL(charset_to_utf8(SLICE("shift_jis"), SLICE("\x93\xfa\x96{"), &out), -ENOBUFS);
	CU_ASSERT_EQUAL(out.n, 0);
	CU_ASSERT_EQUAL(charset_to_utf8(SLICE("shift_jis"), SLICE("\x93\xfa"), &out), 0);
}

static const struct {
	struct slice a, b;
	bool same;
} folded[] = {
	{ SLICE("Hello"), SLICE("hELLO"), true },
	{ SLICE("hello"), SLICE("hallo"), false },
	{ SLICE("\xc3\x89t\xc3\xa9"), SLICE("\xc3\xa9T\xc3\x89"), true },
	{ SLICE("\xc3\xa9"), SLICE("e\xcc\x81"), true },
	{ SLICE("\xef\xbc\xa1\xef\xbd\x82\xef\xbc\x91"), SLICE("ab1"), true },          /* full-width */
	{ SLICE("\xef\xbd\xb6\xef\xbe\x9e"), SLICE("\xe3\x82\xac"), true },              /* half-width GA */
	{ SLICE("\xd0\xbf\xd1\x80"), SLICE("\xd0\x9f\xd0\xa0"), true },                  /* Cyrillic */
	{ SLICE("\xcf\x83\xcf\x82"), SLICE("\xce\xa3\xce\xa3"), true },                  /* Greek, final sigma too */
	{ SLICE("\xe3\x80\x9c"), SLICE("\xef\xbd\x9e"), true },                          /* wave dash */
	{ SLICE("\xea\xb0\x80"), SLICE("\xe1\x84\x80\xe1\x85\xa1"), true },              /* Hangul */
	{ SLICE("\xe3\x81\x82"), SLICE("\xe3\x82\xa2"), false },                         /* hiragana, katakana */
	{ SLICE("\xef\xac\x81"), SLICE("fi"), false },                                   /* RFC 5051 folds no further */
	{ SLICE("\xff\xfe"), SLICE("\xff\xfe"), true },
};

static void test_casemap(void)
{
	for (size_t i = 0; i < sizeof folded / sizeof *folded; i++) {
		_cleanup_buf_ struct buf a = BUF(1000), b = BUF(1000);

		CHECK(casemap_append(folded[i].a, &a) == 0 && casemap_append(folded[i].b, &b) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&a), buf_slice(&b)) == folded[i].same, "row %zu", i);
	}
}

/* Across the pieces in which it works, and with the greatest growth. */
static void test_casemap_large(void)
{
	_cleanup_buf_ struct buf in = BUF(100000), out = BUF(2000000), one = BUF(1000);
	size_t n = 0;

	CU_ASSERT_EQUAL(casemap_append(SLICE("x\xef\xb7\xba"), &one), 0);
	while (buf_add_str(&in, "x\xef\xb7\xba") == 0)
		n++;
	CU_ASSERT_EQUAL(casemap_append(buf_slice(&in), &out), 0);
	CU_ASSERT_EQUAL(out.n, n * one.n);
	CU_ASSERT(slice_ends_with(buf_slice(&out), buf_slice(&one)));

	_cleanup_buf_ struct buf small = BUF(10);

	CU_ASSERT_EQUAL(casemap_append(buf_slice(&in), &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);
}

static const struct unit_test tests[] = {
	{ "preload", test_preload }, /* first: what it loads must not be there yet */
	{ "splits", test_splits },
	{ "names", test_names },
	{ "no room", test_no_room },
	{ "casemap", test_casemap },
	{ "casemap large", test_casemap_large },
};

UNIT_MAIN("charset", tests)
