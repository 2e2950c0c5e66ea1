/* log_word.h - a name from outside as one word of a log line. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Escape what could make the word look like the end of it and another field of the line: blanks,
 * control characters, quotes and backslashes become \xHH. UTF-8 stays readable.
 * Owns  the caller frees the string.
 */
char *log_word(struct slice s);
