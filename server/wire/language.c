#include "server/wire/language.h"

bool language_matches(struct slice range, struct slice tag)
{
	return slice_skip_nocase(&range, tag) && (range.n == 0 || range.p[0] == '-');
}
