#include "base/mutf7.h"

#include "base/utf8.h"

#include <errno.h>

/* Base64 with "," for "/", without padding. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int digit_value(char c)
{
	const char *at = c != '\0' ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static int add_utf8(struct buf *out, uint32_t c)
{
	char b[4];
	size_t n = 0;

	if (c < 0x800) {
		b[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		b[n++] = (char)(0xe0 | c >> 12);
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		b[n++] = (char)(0xf0 | c >> 18);
		b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	b[n++] = (char)(0x80 | (c & 0x3f));
	return buf_add(out, slice_from(b, n));
}

/* One UTF-16 unit; *high keeps the first half of a pair. */
static int add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (*high) {
		uint32_t c = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);

		if (unit < 0xdc00 || unit > 0xdfff)
			return -EINVAL;
		*high = 0;
		return add_utf8(out, c);
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return 0;
	}
	if ((unit >= 0xdc00 && unit <= 0xdfff) || (unit >= 0x20 && unit < 0x7f) || unit == 0)
		return -EINVAL; /* half a pair, or what must stand for itself */
	return unit < 0x80 ? buf_add_char(out, (char)unit) : add_utf8(out, unit);
}

/* What stands between "&" and "-". */
static int decode_shifted(struct slice digits, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned n_bits = 0;

	for (size_t i = 0; i < digits.n; i++) {
		int value = digit_value(digits.p[i]);

		if (value < 0)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		n_bits += 6;
		if (n_bits < 16)
			continue;
		n_bits -= 16;

		int r = add_unit(out, bits >> n_bits & 0xffff, &high);

		if (r < 0)
			return r;
	}
	return high || n_bits >= 6 || (bits & ((1u << n_bits) - 1)) ? -EINVAL : 0;
}

static int decode(struct slice name, struct buf *out)
{
	bool after_shift = false;

	while (name.n > 0) {
		struct slice shifted;
		char c = name.p[0];
		int r;

		name = slice_tail(name, 1);
		if (c != '&') {
			after_shift = false;
			r = c < ' ' || c == 0x7f ? -EINVAL : buf_add_char(out, c);
		} else if (slice_find(name, '-') < 0) {
			r = -EINVAL;
		} else {
			(void)slice_split(&name, '-', &shifted);
			r = shifted.n == 0 ? buf_add_char(out, '&')
			    : after_shift  ? -EINVAL
					   : decode_shifted(shifted, out);
			after_shift = shifted.n > 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int mutf7_decode(struct slice name, struct buf *out)
{
	size_t before = out->n;
	int r = decode(name, out);

	if (r < 0)
		buf_truncate(out, before);
	return r;
}

struct encoder {
	struct buf *out;
	uint32_t bits;
	unsigned n_bits;
	bool shifted;
	int error; /* the first one */
};

static void put(struct encoder *e, char c)
{
	int r = e->error == 0 ? buf_add_char(e->out, c) : 0;

	if (r < 0)
		e->error = r;
}

static void put_unit(struct encoder *e, uint32_t unit)
{
	e->bits = e->bits << 16 | unit;
	for (e->n_bits += 16; e->n_bits >= 6; e->n_bits -= 6)
		put(e, alphabet[e->bits >> (e->n_bits - 6) & 0x3f]);
}

static void unshift(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->n_bits > 0)
		put(e, alphabet[e->bits << (6 - e->n_bits) & 0x3f]);
	put(e, '-');
	*e = (struct encoder){ .out = e->out, .error = e->error };
}

static void put_wide(struct encoder *e, uint32_t c)
{
	if (!e->shifted)
		put(e, '&');
	e->shifted = true;
	if (c >= 0x10000) {
		put_unit(e, 0xd800 + ((c - 0x10000) >> 10));
		c = 0xdc00 + ((c - 0x10000) & 0x3ff);
	}
	put_unit(e, c);
}

int mutf7_encode(struct slice utf8, struct buf *out)
{
	size_t before = out->n;
	struct encoder e = { .out = out };

	if (!utf8_is_valid(utf8))
		return -EINVAL;
	while (utf8.n > 0) {
		uint32_t c = utf8_take_valid(&utf8);

		if (c < 0x20 || c >= 0x7f) {
			put_wide(&e, c);
			continue;
		}
		unshift(&e);
		put(&e, (char)c);
		if (c == '&')
			put(&e, '-');
	}
	unshift(&e);
	if (e.error < 0)
		buf_truncate(out, before);
	return e.error;
}
