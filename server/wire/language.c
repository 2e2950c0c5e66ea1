#include "server/wire/language.h"

#include "base/must.h"

static const char *const tags[LANGUAGE_COUNT] = {
	[LANGUAGE_ENGLISH] = "en", [LANGUAGE_JAPANESE] = "ja"
};

bool language_matches(struct slice range, struct slice tag)
{
	return slice_skip_nocase(&range, tag) && (range.n == 0 || range.p[0] == '-');
}

const char *language_tag(enum language language)
{
	must(language < LANGUAGE_COUNT);
	return tags[language];
}

bool language_find(struct slice range, enum language *ret_language)
{
	if (slice_equal(range, SLICE("*")) || slice_equal_nocase(range, SLICE("default")) ||
		slice_equal_nocase(range, SLICE("i-default"))) {
		*ret_language = LANGUAGE_ENGLISH;
		return true;
	}
	for (enum language i = 0; i < LANGUAGE_COUNT; i++)
		if (language_matches(range, slice_str(tags[i]))) {
			*ret_language = i;
			return true;
		}
	return false;
}
