/* utf8.h - one character at a time off bytes that may be anything. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Take one UTF-8 character off the front of *s, which must not be empty.
 * Returns  its code point; 0xFFFD for a byte (one is taken) that begins no valid sequence: overlong ones, surrogates
 *          and what lies beyond 0x10FFFF included.
 * RFC      3629 section 4.
 */
uint32_t utf8_take(struct slice *s);
