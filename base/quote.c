#include "base/quote.h"

#include "base/must.h"

#include <stdlib.h>

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"'\\<>=", c);
}

const char *quote_format(struct slice s, char *ret_text, size_t text_bytes)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	must(text_bytes > 0);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		bool plain = is_plain(s.p[i]);

		if (at + (plain ? 1 : 4) >= text_bytes)
			break;
		if (plain) {
			ret_text[at++] = s.p[i];
			continue;
		}
		ret_text[at++] = '\\';
		ret_text[at++] = 'x';
		ret_text[at++] = digits[c >> 4];
		ret_text[at++] = digits[c & 15];
	}
	ret_text[at] = '\0';
	return ret_text;
}

char *quote_dup(struct slice s)
{
	char *text = malloc(QUOTE_BYTES(s.n));

	must(text != NULL);
	quote_format(s, text, QUOTE_BYTES(s.n));
	return text;
}
