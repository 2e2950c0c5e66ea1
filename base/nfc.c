#include "base/nfc.h"

#include "base/nfc_table.h"
#include "base/utf8.h"

#include <errno.h>

/* Hangul syllables follow a rule: The Unicode Standard, section 3.12. */
enum {
	S_BASE = 0xAC00,
	L_BASE = 0x1100,
	V_BASE = 0x1161,
	T_BASE = 0x11A7,
	L_COUNT = 19,
	V_COUNT = 21,
	T_COUNT = 28,
	S_COUNT = L_COUNT * V_COUNT * T_COUNT,
};

struct text {
	uint32_t c[NFC_MAX_CHARACTERS];
	size_t n;
};

static uint32_t class_of(uint32_t c)
{
	size_t low = 0, high = nfc_classes_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c < nfc_classes[middle].first)
			high = middle;
		else if (c > nfc_classes[middle].last)
			low = middle + 1;
		else
			return nfc_classes[middle].combining;
	}
	return 0;
}

static const struct nfc_decomposition *decomposition_of(uint32_t c)
{
	size_t low = 0, high = nfc_decompositions_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (nfc_decompositions[middle].c == c)
			return &nfc_decompositions[middle];
		if (nfc_decompositions[middle].c < c)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Put behind those of a class that is not higher: canonical order. */
static bool add(struct text *text, uint32_t c)
{
	uint32_t combining = class_of(c);
	size_t at = text->n;

	if (text->n == NFC_MAX_CHARACTERS)
		return false;
	while (combining > 0 && at > 0 && class_of(text->c[at - 1]) > combining) {
		text->c[at] = text->c[at - 1];
		at--;
	}
	text->c[at] = c;
	text->n++;
	return true;
}

static bool add_hangul(struct text *text, uint32_t index)
{
	uint32_t t = index % T_COUNT;

	return add(text, L_BASE + index / (V_COUNT * T_COUNT)) &&
	       add(text, V_BASE + index % (V_COUNT * T_COUNT) / T_COUNT) &&
	       (t == 0 || add(text, T_BASE + t));
}

/* A decomposition's first may be one itself; its second never is. */
static bool add_decomposed(struct text *text, uint32_t c)
{
	uint32_t seconds[8];
	size_t n = 0;
	const struct nfc_decomposition *d;

	if (c >= S_BASE && c < S_BASE + S_COUNT)
		return add_hangul(text, c - S_BASE);
	while ((d = decomposition_of(c))) {
		if (d->second > 0) {
			if (n == sizeof seconds / sizeof *seconds)
				return false;
			seconds[n++] = d->second;
		}
		c = d->first;
	}
	if (!add(text, c))
		return false;
	while (n > 0)
		if (!add(text, seconds[--n]))
			return false;
	return true;
}

static uint32_t compose_hangul(uint32_t first, uint32_t second)
{
	if (first >= L_BASE && first < L_BASE + L_COUNT && second >= V_BASE &&
		second < V_BASE + V_COUNT)
		return S_BASE + ((first - L_BASE) * V_COUNT + second - V_BASE) * T_COUNT;
	if (first >= S_BASE && first < S_BASE + S_COUNT && (first - S_BASE) % T_COUNT == 0 &&
		second > T_BASE && second < T_BASE + T_COUNT)
		return first + second - T_BASE;
	return 0;
}

/* What two characters compose to, or 0. */
static uint32_t compose_pair(uint32_t first, uint32_t second)
{
	size_t low = 0, high = nfc_pairs_n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct nfc_pair *pair = &nfc_pairs[middle];

		if (pair->first == first && pair->second == second)
			return pair->c;
		if (pair->first < first || (pair->first == first && pair->second < second))
			low = middle + 1;
		else
			high = middle;
	}
	return compose_hangul(first, second);
}

/* Each character composes with the last starter before it, unless something between them is in the way. */
static void compose(struct text *text)
{
	size_t starter = 0, kept = 0;
	bool has_starter = false;
	uint32_t last_class = 0;

	for (size_t i = 0; i < text->n; i++) {
		uint32_t c = text->c[i], combining = class_of(c), composed = 0;
		bool adjacent = has_starter && kept == starter + 1;

		if (has_starter && (adjacent || last_class < combining))
			composed = compose_pair(text->c[starter], c);
		if (composed > 0) {
			text->c[starter] = composed;
			continue;
		}
		if (combining == 0) {
			starter = kept;
			has_starter = true;
		}
		last_class = combining;
		text->c[kept++] = c;
	}
	text->n = kept;
}

static int put(struct buf *out, uint32_t c)
{
	char bytes[4];
	size_t n = 0;

	if (c < 0x80) {
		bytes[n++] = (char)c;
	} else if (c < 0x800) {
		bytes[n++] = (char)(0xC0 | c >> 6);
	} else if (c < 0x10000) {
		bytes[n++] = (char)(0xE0 | c >> 12);
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	} else {
		bytes[n++] = (char)(0xF0 | c >> 18);
		bytes[n++] = (char)(0x80 | (c >> 12 & 0x3F));
		bytes[n++] = (char)(0x80 | (c >> 6 & 0x3F));
	}
	if (c >= 0x80)
		bytes[n++] = (char)(0x80 | (c & 0x3F));
	return buf_add(out, slice_from(bytes, n));
}

int nfc_normalize(struct slice utf8, struct buf *out)
{
	struct text text = { .n = 0 };
	size_t before = out->n;
	int r = 0;

	while (utf8.n > 0)
		if (!add_decomposed(&text, utf8_take_valid(&utf8)))
			return -ENOBUFS;
	compose(&text);
	for (size_t i = 0; r == 0 && i < text.n; i++)
		r = put(out, text.c[i]);
	if (r < 0)
		buf_truncate(out, before);
	return r < 0 ? -ENOBUFS : 0;
}

bool nfc_has_forbidden(struct slice utf8)
{
	while (utf8.n > 0) {
		uint32_t c = utf8_take_valid(&utf8);

		if (c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029)
			return true;
	}
	return false;
}
