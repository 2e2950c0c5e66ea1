/* Texts of IMAP in other languages. */
#include "base/utf8.h"
#include "server/imap/texts.h"
#include "server/wire/language.h"
#include "tests/unit/unit.h"

static void test_translations(void)
{
	const char *english;

	for (size_t i = 0; (english = imap_text_row(i)); i++) {
		const char *japanese = imap_text(LANGUAGE_JAPANESE, english);
		const char *text = strchr(japanese, ']') ? strchr(japanese, ']') + 1 : japanese;
		size_t code = (size_t)(text - japanese);

		CHECK(strcmp(japanese, english) != 0, "%s: translated, and once", english);
		CHECK(imap_text(LANGUAGE_ENGLISH, english) == english, "%s: as it is", english);
		CHECK(strncmp(japanese, english, code) == 0, "%s: the same response code", english);
		CHECK(!strpbrk(text, "[\r\n%"), "%s: RFC 5255 section 3.5", japanese);
		CHECK(utf8_is_valid(slice_str(japanese)), "%s: UTF-8", english);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(imap_text_row(k), english) != 0, "%s: twice", english);
	}
	CU_ASSERT_STRING_EQUAL(imap_text(LANGUAGE_JAPANESE, "of no table"), "of no table");
}

static void test_find(void)
{
	static const struct {
		const char *range;
		int want; /* -1: none */
	} rows[] = {
		{ "en", LANGUAGE_ENGLISH },
		{ "EN-ca", LANGUAGE_ENGLISH },
		{ "ja", LANGUAGE_JAPANESE },
		{ "ja-JP-Kana", LANGUAGE_JAPANESE },
		{ "*", LANGUAGE_ENGLISH },
		{ "default", LANGUAGE_ENGLISH },
		{ "i-default", LANGUAGE_ENGLISH },
		{ "jav", -1 },
		{ "j", -1 },
		{ "", -1 },
		{ "fr-ja", -1 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		enum language language = LANGUAGE_COUNT;
		bool found = language_find(slice_str(rows[i].range), &language);

		CHECK((found ? (int)language : -1) == rows[i].want, "%s", rows[i].range);
	}
}

static const struct unit_test tests[] = {
	{ "translations", test_translations },
	{ "find", test_find },
};

UNIT_MAIN("imap_texts", tests)
