/* iso2022jp.h - ISO-2022-JP and its vendors' variants, rewritten as EUC for libc; used by charset.c. Pure, resumable. */
#pragma once

#include "base/slice.h"

enum iso2022jp_set {
	ISO2022JP_ASCII, /* and JIS X 0201 Roman, taken for it */
	ISO2022JP_KANA,  /* JIS X 0201, half-width */
	ISO2022JP_208,   /* and plane 1 of JIS X 0213 */
	ISO2022JP_212,   /* and plane 2 of JIS X 0213 */
};

/* Start with all zeros, but vendor_rows. */
struct iso2022jp {
	enum iso2022jp_set set;
	bool shifted_out; /* SO: kana until SI */
	bool vendor_rows; /* rows 89 to 92 are IBM's extensions; not in JIS X 0213, which has others there */
	uint8_t held_n;   /* an escape sequence, or the first byte of a character */
	char held[4];
};

/*
 * Rewrite in, at most 3 * in.n + 4 bytes of room at euc. Only whole characters are written; bytes of none become
 * 0xff, which is none in EUC either. A line end returns to ASCII.
 * Takes   ESC ( B J H I, ESC $ @ B A, ESC $ ( @ B D O P Q, SO and SI, and 8-bit half-width kana.
 * Returns how many bytes were written.
 * RFC     1468; CP50220 to CP50222; ISO-2022-JP-1 (RFC 2237), -3, -2004.
 */
size_t iso2022jp_to_euc(struct iso2022jp *state, struct slice in, char *euc);

/* Whether the text ended within a character or an escape sequence. */
static inline bool iso2022jp_is_cut(const struct iso2022jp *state)
{
	return state->held_n > 0;
}
