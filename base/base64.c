#include "base/base64.h"

#include <errno.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct slice s, struct buf *out)
{
	size_t size = base64_encoded_size(s.n);
	char *at = buf_reserve(out, size);

	if (!at)
		return -ENOBUFS;
	for (size_t i = 0; i < s.n; i += 3) {
		size_t left = s.n - i;
		uint32_t v = (uint32_t)(uint8_t)s.p[i] << 16;

		v |= left > 1 ? (uint32_t)(uint8_t)s.p[i + 1] << 8 : 0;
		v |= left > 2 ? (uint32_t)(uint8_t)s.p[i + 2] : 0;
		*at++ = alphabet[v >> 18];
		*at++ = alphabet[v >> 12 & 63];
		*at++ = left > 1 ? alphabet[v >> 6 & 63] : '=';
		*at++ = left > 2 ? alphabet[v & 63] : '=';
	}
	if (size > 0)
		buf_grown(out, size);
	return 0;
}

/* No table: the time must not depend on the secret by way of the cache. Returns 64 for no digit. */
static uint32_t digit_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26u;
	if (c >= '0' && c <= '9')
		return c - '0' + 52u;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

static size_t padding_of(struct slice s)
{
	if (s.n == 0 || s.p[s.n - 1] != '=')
		return 0;
	return s.p[s.n - 2] == '=' ? 2 : 1;
}

int base64_decode(struct slice s, struct buf *out)
{
	if (s.n % 4 != 0)
		return -EINVAL;

	size_t padding = padding_of(s), before = out->n, digits = s.n - padding;
	char *at = buf_reserve(out, s.n / 4 * 3);
	uint32_t v = 0;

	if (!at)
		return -ENOBUFS;
	for (size_t i = 0; i < digits; i++) {
		uint32_t d = digit_value((uint8_t)s.p[i]);

		if (d == 64) {
			buf_truncate(out, before);
			return -EINVAL;
		}
		v = v << 6 | d;
		if (i % 4 == 3) {
			*at++ = (char)(v >> 16);
			*at++ = (char)(v >> 8);
			*at++ = (char)v;
			v = 0;
		}
	}
	if ((padding == 1 && (v & 3)) || (padding == 2 && (v & 15)))
		return -EINVAL;
	if (padding == 1) {
		*at++ = (char)(v >> 10);
		*at++ = (char)(v >> 2);
	} else if (padding == 2) {
		*at++ = (char)(v >> 4);
	}
	if (s.n > 0)
		buf_grown(out, s.n / 4 * 3 - padding);
	return 0;
}
