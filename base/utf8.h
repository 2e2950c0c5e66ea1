/* utf8.h - whether bytes are UTF-8, and its characters one by one. Pure. RFC 3629. */
#pragma once

#include "base/slice.h"

/* Whether s is valid UTF-8 without NUL (RFC 3629 section 4: no surrogates, nothing overlong, nothing above U+10FFFF). */
bool utf8_is_valid(struct slice s);

/* Take one character off the front of *s, which is valid and not empty. Returns its code point. */
uint32_t utf8_take_valid(struct slice *s);
