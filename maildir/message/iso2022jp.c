#include "maildir/message/iso2022jp.h"

#include "maildir/message/iso2022jp_vendor.h"

static const struct {
	struct slice escape;
	enum iso2022jp_set set;
} escapes[] = {
	{ SLICE("\x1b(B"), ISO2022JP_ASCII },
	{ SLICE("\x1b(J"), ISO2022JP_ASCII },
	{ SLICE("\x1b(H"), ISO2022JP_ASCII }, /* Swedish, by an old mistake */
	{ SLICE("\x1b(I"), ISO2022JP_KANA },
	{ SLICE("\x1b$@"), ISO2022JP_208 },
	{ SLICE("\x1b$B"), ISO2022JP_208 },
	{ SLICE("\x1b$(@"), ISO2022JP_208 },
	{ SLICE("\x1b$(B"), ISO2022JP_208 },
	{ SLICE("\x1b$(D"), ISO2022JP_212 },
	{ SLICE("\x1b$(O"), ISO2022JP_208 },
	{ SLICE("\x1b$(Q"), ISO2022JP_208 },
	{ SLICE("\x1b$(P"), ISO2022JP_212 },
};

enum escape { ESCAPE_WHOLE, ESCAPE_CUT, ESCAPE_NONE };

static enum escape match_escape(struct iso2022jp *s)
{
	struct slice held = { s->held, s->held_n };

	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
		if (slice_equal(escapes[i].escape, held)) {
			s->set = escapes[i].set;
			return ESCAPE_WHOLE;
		}
		if (slice_starts_with(escapes[i].escape, held))
			return ESCAPE_CUT;
	}
	return ESCAPE_NONE;
}

static bool is_in_set(char c)
{
	return c >= 0x21 && c <= 0x7e;
}

static char *put_kana(char *euc, char c)
{
	*euc++ = (char)0x8e;
	*euc++ = (char)(c | 0x80);
	return euc;
}

/* A character of one byte, or the first byte of one of two. */
static char *first_byte(struct iso2022jp *s, char c, char *euc)
{
	bool is_kana = (uint8_t)c >= 0xa1 && (uint8_t)c <= 0xdf;

	if (is_kana)
		return put_kana(euc, c);
	if (is_in_set(c) && (s->shifted_out || s->set == ISO2022JP_KANA)) {
		if (c < 0x60)
			return put_kana(euc, c);
		*euc++ = (char)0xff;
		return euc;
	}
	if (is_in_set(c) && s->set != ISO2022JP_ASCII) {
		s->held[0] = c;
		s->held_n = 1;
		return euc;
	}
	if (c == '\n') {
		s->set = ISO2022JP_ASCII;
		s->shifted_out = false;
	}
	*euc++ = (uint8_t)c < 0x80 ? c : (char)0xff;
	return euc;
}

static char *second_byte(struct iso2022jp *s, char c, char *euc)
{
	char first = s->held[0];

	s->held_n = 0;
	if (!is_in_set(c)) {
		*euc++ = (char)0xff;
		return first_byte(s, c, euc);
	}
	if (s->set == ISO2022JP_208 && s->vendor_rows) {
		size_t n = iso2022jp_vendor(first, c, euc);

		if (n > 0)
			return euc + n;
	}
	if (s->set == ISO2022JP_212)
		*euc++ = (char)0x8f;
	*euc++ = (char)(first | 0x80);
	*euc++ = (char)(c | 0x80);
	return euc;
}

static char *escape_byte(struct iso2022jp *s, char c, char *euc)
{
	s->held[s->held_n++] = c;

	enum escape matched = match_escape(s);

	if (matched == ESCAPE_CUT)
		return euc;
	if (matched == ESCAPE_NONE) { /* not one we know: the bytes are shown as they are */
		for (size_t i = 0; i < s->held_n; i++)
			*euc++ = (uint8_t)s->held[i] < 0x80 ? s->held[i] : (char)0xff;
	}
	s->held_n = 0;
	return euc;
}

size_t iso2022jp_to_euc(struct iso2022jp *state, struct slice in, char *euc)
{
	char *at = euc;

	for (size_t i = 0; i < in.n; i++) {
		char c = in.p[i];

		if (state->held_n > 0 && state->held[0] == 0x1b) {
			at = escape_byte(state, c, at);
		} else if (c == 0x1b) {
			if (state->held_n > 0)
				*at++ = (char)0xff; /* half a character before it */
			state->held[0] = c;
			state->held_n = 1;
		} else if (state->held_n > 0) {
			at = second_byte(state, c, at);
		} else if (c == 0x0e || c == 0x0f) {
			state->shifted_out = c == 0x0e;
		} else {
			at = first_byte(state, c, at);
		}
	}
	return (size_t)(at - euc);
}
