/* language.h - language ranges, as clients ask for them. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Whether a language is found by a basic language range by lookup: "ja" and "ja-JP" find "ja".
 * RFC 4647 section 3.4.
 */
bool language_matches(struct slice range, struct slice tag);
