#include "server/session/log_word.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

static void test_words(void)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ SLICE("bob"), "bob" },
		{ SLICE(""), "" },
		{ SLICE("bob addr=192.0.2.1"), "bob\\x20addr=192.0.2.1" },
		{ SLICE("a\n\t\x7f\"\\"), "a\\x0a\\x09\\x7f\\x22\\x5c" },
		{ SLICE("\xe8\x8a\xb1\xe5\xad\x90"), "\xe8\x8a\xb1\xe5\xad\x90" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *word = log_word(rows[i].in);

		CHECK(strcmp(word, rows[i].want) == 0, "row %zu: %s", i, word);
		free(word);
	}
}

static const struct unit_test tests[] = {
	{ "words", test_words },
};

UNIT_MAIN("log_word", tests)
