#include "server/ctl/utf8.h"

enum { REPLACEMENT = 0xfffd };

/* How many continuation bytes follow a first byte, the bits it gives, and the least value that
 * needs so many. */
static const struct {
	uint8_t first, mask;
	unsigned more;
	uint32_t least;
} kinds[] = {
	{ 0xc0, 0xe0, 1, 0x80 },
	{ 0xe0, 0xf0, 2, 0x800 },
	{ 0xf0, 0xf8, 3, 0x10000 },
};

static bool decode(struct slice s, size_t kind, uint32_t *ret_point)
{
	uint32_t point = (uint8_t)s.p[0] & (uint8_t)~kinds[kind].mask;

	if (s.n <= kinds[kind].more)
		return false;
	for (size_t i = 1; i <= kinds[kind].more; i++) {
		if (((uint8_t)s.p[i] & 0xc0) != 0x80)
			return false;
		point = point << 6 | ((uint8_t)s.p[i] & 0x3f);
	}
	if (point < kinds[kind].least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return false;
	*ret_point = point;
	return true;
}

uint32_t utf8_take(struct slice *s)
{
	uint8_t first = (uint8_t)s->p[0];
	uint32_t point;

	if (first < 0x80) {
		*s = slice_tail(*s, 1);
		return first;
	}
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((first & kinds[i].mask) == kinds[i].first && decode(*s, i, &point)) {
			*s = slice_tail(*s, kinds[i].more + 1);
			return point;
		}
	*s = slice_tail(*s, 1);
	return REPLACEMENT;
}
