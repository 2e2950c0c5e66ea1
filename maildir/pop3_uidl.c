#include "maildir/pop3_uidl.h"

#include "base/hash.h"
#include "base/must.h"

#include <errno.h>
#include <stdio.h>

enum { UIDL_TEXT_MAX_BYTES = 4096, UIDL_WIDTH_MAX = 99 };

struct directive {
	size_t width;
	bool hex;
	char variable; /* '%' for "%%" */
};

/* Take what follows a "%". */
static bool take_directive(struct slice *in, struct directive *ret_directive)
{
	struct slice s = *in;
	struct directive d = { 0 };

	if (slice_skip(&s, '0')) {
		for (int i = 0; i < 2 && s.n > 0 && ascii_is_digit(s.p[0]); i++)
			d.width = d.width * 10 + (size_t)(slice_take(&s, 1).p[0] - '0');
	}
	d.hex = slice_skip(&s, 'X') || slice_skip(&s, 'x');
	if (s.n == 0 || !strchr("uvfg%", s.p[0]) || s.p[0] == '\0')
		return false;
	d.variable = slice_take(&s, 1).p[0];
	*in = s;
	*ret_directive = d;
	return true;
}

bool pop3_uidl_format_is_valid(struct slice format)
{
	bool distinct = false;
	struct directive d;

	if (format.n == 0 || format.n > UIDL_WIDTH_MAX)
		return false;
	while (format.n > 0) {
		char c = slice_take(&format, 1).p[0];

		if (c <= 0x20 || c >= 0x7f)
			return false;
		if (c != '%')
			continue;
		if (!take_directive(&format, &d))
			return false;
		distinct |= d.variable == 'u' || d.variable == 'f' || d.variable == 'g';
	}
	return distinct;
}

static int add_padded(struct slice text, size_t width, struct buf *out)
{
	int r = 0;

	for (size_t n = text.n; r == 0 && n < width; n++)
		r = buf_add_char(out, '0');
	return r < 0 ? r : buf_add(out, text);
}

static int add_number(uint32_t value, const struct directive *d, struct buf *out)
{
	char text[16];
	int n = d->hex ? snprintf(text, sizeof text, "%x", value)
		       : snprintf(text, sizeof text, "%u", value);

	return add_padded(slice_from(text, (size_t)n), d->width, out);
}

static int add_directive(
	const struct directive *d, const struct pop3_uidl_values *values, struct buf *out)
{
	switch (d->variable) {
	case 'u':
		return add_number(values->msg_uid, d, out);
	case 'v':
		return add_number(values->uidvalidity, d, out);
	case 'f':
		return add_padded(values->base, d->width, out);
	case 'g':
		return add_padded(values->guid, d->width, out);
	default:
		return buf_add_char(out, '%');
	}
}

int pop3_uidl_format(struct slice format, const struct pop3_uidl_values *values, struct buf *out)
{
	_cleanup_buf_ struct buf text = BUF(UIDL_TEXT_MAX_BYTES);
	struct directive d;
	int r = 0;

	while (r == 0 && format.n > 0) {
		char c = slice_take(&format, 1).p[0];

		if (c != '%') {
			r = buf_add_char(&text, c);
			continue;
		}

		bool ok = take_directive(&format, &d);

		must(ok);
		r = add_directive(&d, values, &text);
	}
	return r < 0 ? r : pop3_uidl_add(buf_slice(&text), out);
}

static bool is_unique_id(struct slice text)
{
	if (text.n == 0 || text.n > POP3_UIDL_MAX_BYTES)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x21 || text.p[i] > 0x7e)
			return false;
	return true;
}

int pop3_uidl_add(struct slice text, struct buf *out)
{
	static const uint8_t KEYS[2][HASH_KEY_BYTES] = { "restante uidl 1", "restante uidl 2" };

	if (is_unique_id(text))
		return buf_add(out, text);
	return buf_addf(out, "%016llx%016llx", (unsigned long long)hash_siphash(KEYS[0], text),
		(unsigned long long)hash_siphash(KEYS[1], text));
}
