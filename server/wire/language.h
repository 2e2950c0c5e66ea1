/* language.h - languages by their tags, and language ranges, as clients ask for them. Pure. */
#pragma once

#include "base/language.h"
#include "base/slice.h"

/*
 * Whether a language is found by a basic language range by lookup: "ja" and "ja-JP" find "ja".
 * RFC 4647 section 3.4.
 */
bool language_matches(struct slice range, struct slice tag);

/* The language tag, "en". */
const char *language_tag(enum language language);

/* Find a language by a language range; "default", "i-default" and "*" are English. Returns false if none matches. RFC 5255 section 3.2. */
bool language_find(struct slice range, enum language *ret_language);
