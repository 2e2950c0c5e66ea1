#include "base/utf8.h"

/* How many bytes a valid character at the front takes; 0: it is not valid. */
static size_t length(struct slice s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80                ? 1
		   : c >= 0xc2 && c < 0xe0 ? 2
		   : c >= 0xe0 && c < 0xf0 ? 3
		   : c >= 0xf0 && c < 0xf5 ? 4
					   : 0;

	if (c == 0 || n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;

	unsigned char second = n > 1 ? (unsigned char)s.p[1] : 0;

	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) ||
		(c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
		return 0;
	return n;
}

bool utf8_is_valid(struct slice s)
{
	while (s.n > 0) {
		size_t n = length(s);

		if (n == 0)
			return false;
		s = slice_tail(s, n);
	}
	return true;
}

uint32_t utf8_take_valid(struct slice *s)
{
	unsigned char c = (unsigned char)s->p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t value = n == 1 ? c : c & (0x7fu >> n);

	for (size_t i = 1; i < n; i++)
		value = value << 6 | ((unsigned char)s->p[i] & 0x3f);
	*s = slice_tail(*s, n);
	return value;
}
