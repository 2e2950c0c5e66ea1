/* charset_names.h - the charsets we know: their names in mail, and libc's name for each; used by charset.c. Pure. */
#pragma once

#include "base/slice.h"

enum charset_kind {
	CHARSET_ICONV, /* by libc */
	CHARSET_UTF8,
	CHARSET_ISO_2022_JP,
	CHARSET_GUESS,
};

struct charset {
	const char *name;       /* as MIME prefers it */
	const char *iconv_name; /* NULL if libc is not needed */
	enum charset_kind kind;
};

/* Find by any of its names, in any case, whatever stands for hyphens. Returns NULL: not known. */
const struct charset *charset_find(struct slice name);

/* The i-th of all, NULL behind the last. */
const struct charset *charset_at(size_t i);
