#include "server/wire/writer.h"

#include "base/utf8.h"
#include "server/wire/token.h"

#include <errno.h>
#include <stdio.h>

enum {
	QUOTED_MAX_BYTES = 1000
}; /* longer strings go as literals: line lengths of clients (RFC 2683 section 3.2.1.5) */

void write_raw(struct writer *w, struct slice text)
{
	if (!w->failed && buf_add(w->out, text) < 0)
		w->failed = true;
}

void write_text(struct writer *w, const char *text)
{
	write_raw(w, slice_str(text));
}

void write_crlf(struct writer *w)
{
	write_raw(w, SLICE("\r\n"));
}

void write_format(struct writer *w, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (!w->failed && buf_vaddf(w->out, format, args) < 0)
		w->failed = true;
	va_end(args);
}

void write_number(struct writer *w, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	write_raw(w, slice_from(digits + at, sizeof digits - at));
}

void write_literal(struct writer *w, uint64_t octets)
{
	write_raw(w, SLICE("{"));
	write_number(w, octets);
	write_raw(w, SLICE("}\r\n"));
}

/* TEXT-CHAR is 7 bits without NUL, CR and LF; other control characters may be quoted, but confuse clients. */
static bool may_quote(struct slice s, bool utf8)
{
	bool wide = false;

	if (s.n > QUOTED_MAX_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] >= 0 && s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
		wide |= s.p[i] < 0;
	}
	return !wide || (utf8 && utf8_is_valid(s));
}

static void write_quoted(struct writer *w, struct slice s)
{
	write_raw(w, SLICE("\""));
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
			n++;
		write_raw(w, slice_take(&s, n));
		if (s.n > 0) {
			write_raw(w, SLICE("\\"));
			write_raw(w, slice_take(&s, 1));
		}
	}
	write_raw(w, SLICE("\""));
}

static void write_octets(struct writer *w, struct slice s)
{
	while (s.n > 0) {
		ssize_t nul = slice_find(s, '\0');

		write_raw(w, slice_take(&s, nul >= 0 ? (size_t)nul : s.n));
		if (nul >= 0) {
			write_raw(w, SLICE("\x80"));
			s = slice_tail(s, 1);
		}
	}
}

void write_string(struct writer *w, struct slice s)
{
	if (may_quote(s, w->utf8)) {
		write_quoted(w, s);
		return;
	}
	write_literal(w, s.n);
	write_octets(w, s);
}

void write_nstring(struct writer *w, struct slice s)
{
	if (s.p)
		write_string(w, s);
	else
		write_raw(w, SLICE("NIL"));
}

void write_astring(struct writer *w, struct slice s)
{
	bool atom = s.n > 0 && s.n <= QUOTED_MAX_BYTES && !slice_equal_nocase(s, SLICE("NIL"));

	for (size_t i = 0; atom && i < s.n; i++)
		atom = token_is_astring_char(s.p[i]);
	if (atom)
		write_raw(w, s);
	else
		write_string(w, s);
}

void write_human(struct writer *w, struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		write_raw(w, slice_from(c >= ' ' && c < 0x7f ? &c : "?", 1));
	}
}

void write_ranges(struct writer *w, const struct seq_ranges *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct seq_range range = set->ranges[i];

		if (i > 0)
			write_raw(w, SLICE(","));
		write_number(w, range.first);
		if (range.last > range.first) {
			write_raw(w, SLICE(":"));
			write_number(w, range.last);
		}
	}
}
