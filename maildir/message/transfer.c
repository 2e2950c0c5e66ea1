#include "maildir/message/transfer.h"

#include "maildir/message/token.h"

#include <errno.h>

enum transfer_encoding transfer_encoding_from(struct slice value)
{
	static const struct {
		struct slice name;
		enum transfer_encoding encoding;
	} names[] = {
		{ SLICE("7bit"), TRANSFER_IDENTITY },
		{ SLICE("8bit"), TRANSFER_IDENTITY },
		{ SLICE("binary"), TRANSFER_IDENTITY },
		{ SLICE("base64"), TRANSFER_BASE64 },
		{ SLICE("quoted-printable"), TRANSFER_QUOTED_PRINTABLE },
	};

	token_skip_cfws(&value);

	struct slice token = token_take_mime(&value);

	if (token.n == 0)
		return TRANSFER_IDENTITY;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_equal_nocase(token, names[i].name))
			return names[i].encoding;
	return TRANSFER_UNKNOWN;
}

enum { PAD = 64, BLANK = 65, JUNK = 66 };

#define J8 JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK
#define J32 J8, J8, J8, J8
/* What each byte is in base64: a digit's value, PAD, BLANK or JUNK. */
static const uint8_t base64_values[256] = {
	JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, BLANK, BLANK, JUNK, JUNK, BLANK, JUNK, JUNK,
	J8, J8,
	BLANK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, JUNK, 62, JUNK, JUNK, JUNK, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, JUNK, JUNK, JUNK, PAD, JUNK, JUNK,
	JUNK, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, JUNK, JUNK, JUNK, JUNK, JUNK,
	JUNK, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, JUNK, JUNK, JUNK, JUNK, JUNK,
	J32, J32, J32, J32,
};
#undef J8
#undef J32

/* Take groups of four digits as long as nothing else comes. Returns how many bytes of in. */
static size_t base64_groups(const uint8_t *in, size_t n, char **out)
{
	size_t i = 0;
	char *at = *out;

	for (; n - i >= 4; i += 4) {
		uint8_t a = base64_values[in[i]], b = base64_values[in[i + 1]];
		uint8_t c = base64_values[in[i + 2]], d = base64_values[in[i + 3]];

		if ((a | b | c | d) & 0xc0) /* PAD, BLANK and JUNK are above 63 */
			break;
		*at++ = (char)(a << 2 | b >> 4);
		*at++ = (char)(b << 4 | c >> 2);
		*at++ = (char)(c << 6 | d);
	}
	*out = at;
	return i;
}

static void base64_byte(struct transfer_decoder *d, uint8_t c, char **out)
{
	uint8_t value = base64_values[c];

	if (value >= PAD) {
		if (value == PAD)
			d->n_bits = 0; /* digits may follow: texts encoded one by one and then joined */
		d->broken |= value == JUNK;
		return;
	}
	d->bits = (d->bits << 6 | value) & 0xffff;
	d->n_bits += 6;
	if (d->n_bits >= 8) {
		d->n_bits -= 8;
		*(*out)++ = (char)(d->bits >> d->n_bits);
	}
}

static char *base64_feed(struct transfer_decoder *d, struct slice in, char *out)
{
	const uint8_t *p = (const uint8_t *)in.p;

	for (size_t i = 0; i < in.n;) {
		if (d->n_bits == 0)
			i += base64_groups(p + i, in.n - i, &out);
		if (i < in.n)
			base64_byte(d, p[i++], &out);
	}
	return out;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *put(char *out, const char *p, size_t n)
{
	memcpy(out, p, n);
	return out + n;
}

/* Write what was held back after all: it was text. */
static char *release(struct transfer_decoder *d, char *out)
{
	out = put(out, d->held, d->held_n);
	out = put(out, d->blanks, d->blanks_n);
	d->broken |= d->held_n > 0;
	d->held_n = 0;
	d->blanks_n = 0;
	return out;
}

/* A byte behind "=", perhaps with blanks between. Returns whether it was used up. */
static bool after_equals(struct transfer_decoder *d, char c, char **out)
{
	if (d->held_n == 1 && d->blanks_n == 0 && ascii_hex_value(c) >= 0) {
		d->held[d->held_n++] = c;
		return true;
	}
	if (d->held_n == 1 && (c == '\r' || c == '\n')) {
		d->blanks_n = 0; /* padding added on the way: RFC 2045 section 6.7 (3) */
		d->held[1] = c;
		d->held_n = c == '\r' ? 2 : 0;
		return true;
	}
	if (d->held_n == 1 && is_blank(c) && d->blanks_n < sizeof d->blanks) {
		d->blanks[d->blanks_n++] = c;
		return true;
	}
	if (d->held_n == 2 && d->held[1] == '\r') { /* a soft line break; its LF belongs to it */
		d->held_n = 0;
		return c == '\n';
	}
	if (d->held_n == 2 && ascii_hex_value(c) >= 0) {
		*(*out)++ = (char)(ascii_hex_value(d->held[1]) << 4 | ascii_hex_value(c));
		d->held_n = 0;
		return true;
	}
	*out = release(d, *out);
	return false;
}

static char *quoted_byte(struct transfer_decoder *d, char c, char *out)
{
	if (d->held_n > 0 && after_equals(d, c, &out))
		return out;
	if (is_blank(c)) {
		if (d->blanks_n == sizeof d->blanks)
			out = release(d, out);
		d->blanks[d->blanks_n++] = c;
		return out;
	}
	if (c == '\r' || c == '\n')
		d->blanks_n = 0;
	out = release(d, out);
	if (c == '=') {
		d->held[0] = c;
		d->held_n = 1;
		return out;
	}
	*out++ = c;
	return out;
}

static bool is_plain(char c)
{
	return (uint8_t)c > ' ' && c != '=';
}

static char *quoted_feed(struct transfer_decoder *d, struct slice in, char *out)
{
	for (size_t i = 0; i < in.n;) {
		size_t from = i;

		while (d->held_n == 0 && i < in.n && is_plain(in.p[i]))
			i++;
		if (i > from) {
			out = release(d, out);
			out = put(out, in.p + from, i - from);
		}
		if (i < in.n)
			out = quoted_byte(d, in.p[i++], out);
	}
	return out;
}

int transfer_feed(struct transfer_decoder *decoder, struct slice in, struct buf *out)
{
	bool base64 = decoder->encoding == TRANSFER_BASE64;

	if (in.n == 0)
		return 0;
	if (!base64 && decoder->encoding != TRANSFER_QUOTED_PRINTABLE)
		return buf_add(out, in);

	char *from = buf_reserve(out, base64 ? in.n / 4 * 3 + 4 : in.n + TRANSFER_HELD_BYTES);

	if (!from)
		return -ENOBUFS;

	char *to = base64 ? base64_feed(decoder, in, from) : quoted_feed(decoder, in, from);

	buf_grown(out, (size_t)(to - from));
	return 0;
}

int transfer_finish(struct transfer_decoder *decoder, struct buf *out)
{
	char *from = buf_reserve(out, TRANSFER_HELD_BYTES);

	if (!from)
		return -ENOBUFS;
	decoder->broken |= decoder->n_bits > 4; /* one digit left over says nothing */
	decoder->n_bits = 0;
	if (decoder->held_n == 0 || decoder->held[decoder->held_n - 1] == '\r' || decoder->held_n == 1)
		decoder->held_n = 0; /* a "=" at the very end is a soft line break */
	if (decoder->held_n == 0)
		decoder->blanks_n = 0;
	buf_grown(out, (size_t)(release(decoder, from) - from));
	return 0;
}

size_t transfer_undo_hex(struct slice s, char mark, char blank, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool pair = s.p[i] == mark && s.n - i > 2;
		int high = pair ? ascii_hex_value(s.p[i + 1]) : -1;
		int low = pair ? ascii_hex_value(s.p[i + 2]) : -1;

		if (high >= 0 && low >= 0) {
			out[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[n++] = blank && s.p[i] == blank ? ' ' : s.p[i];
		}
	}
	return n;
}
