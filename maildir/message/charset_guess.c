#include "maildir/message/charset_guess.h"

/* The range of the second byte, by the first: no overlong forms, no surrogates, nothing above U+10FFFF. */
static void second_range(uint8_t first, uint8_t *ret_low, uint8_t *ret_high)
{
	*ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
}

int utf8_character(struct slice s)
{
	uint8_t c = (uint8_t)s.p[0], low, high;
	int n = c < 0x80 ? 1 : c < 0xc2 ? -1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : -1;

	if (n <= 1)
		return n;
	second_range(c, &low, &high);
	for (int i = 1; i < n; i++) {
		if ((size_t)i == s.n)
			return 0;

		uint8_t next = (uint8_t)s.p[i];

		if (next < low || next > high)
			return -i;
		low = 0x80;
		high = 0xbf;
	}
	return n;
}

static bool is_utf8(struct slice s, bool may_be_cut)
{
	while (s.n > 0) {
		int n = utf8_character(s);

		if (n < 0)
			return false;
		if (n == 0)
			return may_be_cut;
		s = slice_tail(s, (size_t)n);
	}
	return true;
}

static bool in_range(uint8_t c, uint8_t low, uint8_t high)
{
	return c >= low && c <= high;
}

/*
 * Valid as a two-byte charset, and with as much kana as only Japanese has: windows-1252 text is often valid EUC-JP or
 * Shift_JIS by chance, but its letters are not those of kana rows.
 */
struct likeness {
	bool valid;
	size_t kana, others;
};

static struct likeness like_euc_jp(struct slice s)
{
	struct likeness like = { .valid = true };

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		uint8_t next = i + 1 < s.n ? (uint8_t)s.p[i + 1] : 0xa1;

		if (c < 0x80)
			continue;
		like.valid &= (in_range(c, 0xa1, 0xfe) || c == 0x8e || c == 0x8f) && in_range(next, 0xa1, 0xfe);
		like.kana += c == 0xa4 || c == 0xa5;
		like.others += c != 0xa4 && c != 0xa5;
		i += c == 0x8f ? 2 : 1;
	}
	return like;
}

static struct likeness like_shift_jis(struct slice s)
{
	struct likeness like = { .valid = true };

	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];
		uint8_t next = i + 1 < s.n ? (uint8_t)s.p[i + 1] : 0x40;

		if (c < 0x80 || in_range(c, 0xa1, 0xdf)) {
			like.others += c >= 0x80;
			continue;
		}
		like.valid &= (in_range(c, 0x81, 0x9f) || in_range(c, 0xe0, 0xfc)) &&
			(in_range(next, 0x40, 0x7e) || in_range(next, 0x80, 0xfc));
		like.kana += (c == 0x82 && next >= 0x9f) || c == 0x83;
		like.others += c != 0x82 && c != 0x83;
		i++;
	}
	return like;
}

static bool is_likely(struct likeness like)
{
	return like.valid && like.kana > 0 && like.kana * 4 >= like.others;
}

static bool has_iso_2022_jp_escape(struct slice s)
{
	static const struct slice escapes[] = {
		SLICE("\x1b$B"), SLICE("\x1b$@"), SLICE("\x1b$("), SLICE("\x1b(J"), SLICE("\x1b(I"),
	};

	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
		if (slice_find_slice(s, escapes[i]) >= 0)
			return true;
	return false;
}

struct slice charset_guess(struct slice bytes, bool may_be_cut)
{
	if (has_iso_2022_jp_escape(bytes))
		return SLICE("ISO-2022-JP");
	if (is_utf8(bytes, may_be_cut))
		return SLICE("UTF-8");
	if (is_likely(like_euc_jp(bytes)))
		return SLICE("EUC-JP");
	if (is_likely(like_shift_jis(bytes)))
		return SLICE("Shift_JIS");
	return SLICE("windows-1252");
}
