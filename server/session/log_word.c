#include "server/session/log_word.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

char *log_word(struct slice s)
{
	char *word = malloc(s.n * 4 + 1), *at = word;

	must(word != NULL);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c <= ' ' || c == 0x7f || c == '\\' || c == '"')
			at += sprintf(at, "\\x%02x", c);
		else
			*at++ = (char)c;
	}
	*at = '\0';
	return word;
}
