#include "maildir/message/casemap.h"

#include "maildir/message/casemap_table.h"
#include "maildir/message/charset_guess.h"

#include <errno.h>

enum { HANGUL_FIRST = 0xac00, HANGUL_LAST = 0xd7a3 };

static uint32_t code_point(const uint8_t *p, int n)
{
	if (n == 2)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	if (n == 3)
		return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
}

static char *put3(char *out, uint32_t cp)
{
	*out++ = (char)(0xe0 | cp >> 12);
	*out++ = (char)(0x80 | (cp >> 6 & 0x3f));
	*out++ = (char)(0x80 | (cp & 0x3f));
	return out;
}

/* Into jamo, by arithmetic: The Unicode Standard, section 3.12. */
static char *put_hangul(char *out, uint32_t cp)
{
	uint32_t s = cp - HANGUL_FIRST;

	out = put3(out, 0x1100 + s / 588);
	out = put3(out, 0x1161 + s % 588 / 28);
	return s % 28 == 0 ? out : put3(out, 0x11a7 + s % 28);
}

static const struct casemap_row *find_row(uint32_t cp)
{
	uint32_t page = cp >> 8;

	if (page >= CASEMAP_PAGES)
		return NULL;

	size_t low = casemap_pages[page], high = casemap_pages[page + 1];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (casemap_rows[middle].from == cp)
			return &casemap_rows[middle];
		if (casemap_rows[middle].from < cp)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static char *put_character(char *out, const char *p, int n)
{
	uint32_t cp = code_point((const uint8_t *)p, n);

	if (cp >= HANGUL_FIRST && cp <= HANGUL_LAST)
		return put_hangul(out, cp);

	const struct casemap_row *row = find_row(cp);

	if (row)
		return (char *)memcpy(out, casemap_pool + row->at, row->n) + row->n;
	return (char *)memcpy(out, p, (size_t)n) + n;
}

enum { WORD_BYTES = sizeof(uint64_t) };

static uint64_t in_each_byte(unsigned value)
{
	return UINT64_C(0x0101010101010101) * value;
}

/* Eight at once: adding 0x80 - c sets the high bit of what is at least c, and carries nothing. */
static size_t put_ascii_words(char *out, struct slice s)
{
	size_t i = 0;

	for (; i + WORD_BYTES <= s.n; i += WORD_BYTES) {
		uint64_t word, from_a, from_z;

		memcpy(&word, s.p + i, sizeof word);
		if (word & in_each_byte(0x80))
			break;
		from_a = word + in_each_byte(0x80 - 'a');
		from_z = word + in_each_byte(0x80 - 'z' - 1);
		word ^= ((from_a ^ from_z) & in_each_byte(0x80)) >> 2;
		memcpy(out + i, &word, sizeof word);
	}
	return i;
}

static size_t put_ascii(char *out, struct slice s)
{
	size_t i = put_ascii_words(out, s);

	for (; i < s.n && (uint8_t)s.p[i] < 0x80; i++)
		out[i] = ascii_upper(s.p[i]);
	return i;
}

bool casemap_ascii(struct slice s, char *ret_folded)
{
	return put_ascii(ret_folded, s) == s.n;
}

/* Worked in pieces, so that the room for the worst growth is small. */
enum { PIECE_BYTES = 1024 };

static int append_piece(struct slice *s, struct buf *out)
{
	char text[PIECE_BYTES * CASEMAP_GROWTH + 64], *to = text;
	size_t done = 0;

	while (done < s->n && done < PIECE_BYTES) {
		struct slice rest = slice_head(slice_tail(*s, done), PIECE_BYTES + 4 - done);
		size_t plain = put_ascii(to, rest);

		to += plain;
		done += plain;
		if (plain == rest.n)
			continue;
		rest = slice_tail(*s, done);

		int n = utf8_character(rest);

		if (n > 0)
			to = put_character(to, rest.p, n);
		else
			*to++ = rest.p[0];
		done += n > 0 ? (size_t)n : 1;
	}
	*s = slice_tail(*s, done);
	return buf_add(out, slice_from(text, (size_t)(to - text)));
}

int casemap_append(struct slice utf8, struct buf *out)
{
	size_t before = out->n;
	int r = 0;

	while (r == 0 && utf8.n > 0)
		r = append_piece(&utf8, out);
	if (r < 0)
		buf_truncate(out, before);
	return r;
}
