/* quote.h - words from strangers made fit for a log line: one word, printable, not to be taken for anything else. Pure. */
#pragma once

#include "base/slice.h"

/* Room for the quoted form of n bytes, with its NUL. */
#define QUOTE_BYTES(n) ((size_t)(n) * 4 + 1)

/*
 * Write s with everything but printable ASCII, and also space " ' \ < > and =, as \xNN. So the result never holds a blank,
 * and what follows it in a log line cannot be forged.
 * ret_text  of text_bytes (at least 1), NUL-terminated; what does not fit is cut before the escape that would not fit.
 * Returns   ret_text, for use in an argument list.
 */
const char *quote_format(struct slice s, char *ret_text, size_t text_bytes);

/* As quote_format(), whole, in memory that the caller frees. */
char *quote_dup(struct slice s);
