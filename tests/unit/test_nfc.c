/* Normalization Form C, by examples of Unicode Standard Annex 15 and of what file systems send. */
#include "base/nfc.h"
#include "tests/unit/unit.h"

#define S(text) { text, sizeof text - 1 }

static const struct {
	struct slice in, want;
} rows[] = {
	{ S(""), S("") },
	{ S("plain"), S("plain") },
	{ S("Caf\xc3\xa9"), S("Caf\xc3\xa9") },
	{ S("Cafe\xcc\x81"), S("Caf\xc3\xa9") },
	{ S("\xe3\x81\x8b\xe3\x82\x99"), S("\xe3\x81\x8c") },             /* ka, voiced */
	{ S("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), S("\xed\x95\x9c") }, /* Hangul, three */
	{ S("\xed\x95\x9c"), S("\xed\x95\x9c") },
	{ S("\xed\x95\x98\xe1\x86\xab"), S("\xed\x95\x9c") }, /* a syllable and its last */
	{ S("\xe2\x84\xab"), S("\xc3\x85") },                 /* angstrom sign: a singleton */
	{ S("s\xcc\xa3\xcc\x87"), S("\xe1\xb9\xa9") },
	{ S("s\xcc\x87\xcc\xa3"), S("\xe1\xb9\xa9") },           /* put in order first */
	{ S("e\xcc\x80\xcc\x81"), S("\xc3\xa8\xcc\x81") },       /* same class: the second stays */
	{ S("\xcc\x81"), S("\xcc\x81") },                         /* nothing before it */
	{ S("\xe0\xa4\x95\xe0\xa4\xbc"), S("\xe0\xa4\x95\xe0\xa4\xbc") }, /* not composed again */
	{ S("\xf0\x9d\x85\x9e"), S("\xf0\x9d\x85\x97\xf0\x9d\x85\xa5") }, /* four bytes */
};

static void test_normalize(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf out = BUF(1000), again = BUF(1000);

		CHECK(nfc_normalize(rows[i].in, &out) == 0, "row %zu", i);
		CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&out)));
		CHECK(nfc_normalize(buf_slice(&out), &again) == 0 &&
				slice_equal(buf_slice(&again), rows[i].want),
			"row %zu: once more", i);
	}
}

static void test_too_long(void)
{
	_cleanup_buf_ struct buf small = BUF(3), long_text = BUF(3 * NFC_MAX_CHARACTERS),
				 out = BUF(3 * NFC_MAX_CHARACTERS);
	const struct slice mark = S("\xcc\x81");

	CHECK(buf_add(&small, slice_from("a", 1)) == 0, "room for one");
	CHECK(nfc_normalize(slice_from("abc", 3), &small) < 0 && small.n == 1, "nothing is added");
	for (int i = 0; i < NFC_MAX_CHARACTERS; i++)
		CHECK(buf_add(&long_text, mark) == 0, "room");
	CHECK(nfc_normalize(buf_slice(&long_text), &out) == 0, "as many as there may be");
	CHECK(buf_add(&long_text, mark) == 0, "room");
	buf_clear(&out);
	CHECK(nfc_normalize(buf_slice(&long_text), &out) < 0 && out.n == 0, "one more");
}

static void test_forbidden(void)
{
	static const struct slice bad[] = { S("a\x1f"), S("\x7f"), S("\xc2\x80"), S("\xc2\x9f"),
		S("x\xe2\x80\xa8"), S("\xe2\x80\xa9y") };
	static const struct slice good[] = { S(""), S(" "), S("\xc2\xa0"), S("\xe2\x80\xa7"),
		S("\xe2\x80\xaa") };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK(nfc_has_forbidden(bad[i]), "bad %zu", i);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CHECK(!nfc_has_forbidden(good[i]), "good %zu", i);
}

static const struct unit_test tests[] = { { "rows", test_normalize }, { "too long", test_too_long },
	{ "forbidden", test_forbidden } };

UNIT_MAIN("nfc", tests)
