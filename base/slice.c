#include "base/slice.h"

bool slice_equal_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && slice_starts_with_nocase(a, b);
}

bool slice_starts_with(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_equal(slice_head(s, prefix.n), prefix);
}

bool slice_starts_with_nocase(struct slice s, struct slice prefix)
{
	if (s.n < prefix.n)
		return false;
	for (size_t i = 0; i < prefix.n; i++)
		if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i]))
			return false;
	return true;
}

bool slice_ends_with(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_equal(slice_tail(s, s.n - suffix.n), suffix);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (order != 0)
		return order;
	return a.n < b.n ? -1 : a.n > b.n;
}

ssize_t slice_find(struct slice s, char c)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ssize_t slice_find_last(struct slice s, char c)
{
	const char *at = s.n > 0 ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ssize_t slice_find_slice(struct slice s, struct slice needle)
{
	if (needle.n == 0)
		return 0;

	const char *at = s.n > 0 ? memmem(s.p, s.n, needle.p, needle.n) : NULL;

	return at ? at - s.p : -1;
}

bool slice_skip_nocase(struct slice *s, struct slice prefix)
{
	if (!slice_starts_with_nocase(*s, prefix))
		return false;
	*s = slice_tail(*s, prefix.n);
	return true;
}

bool slice_split(struct slice *s, char sep, struct slice *ret_item)
{
	if (s->n == 0)
		return false;

	ssize_t at = slice_find(*s, sep);

	if (at < 0) {
		*ret_item = *s;
		*s = (struct slice){ NULL, 0 };
		return true;
	}
	*ret_item = slice_head(*s, (size_t)at);
	*s = slice_tail(*s, (size_t)at + 1);
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.n > 0 && is_space(s.p[0]))
		s = slice_tail(s, 1);
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool slice_number(struct slice s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_is_digit(s.p[i]))
			return false;

		uint64_t digit = (uint64_t)(s.p[i] - '0');

		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

bool slice_to_str(struct slice s, char *dst, size_t dst_bytes)
{
	if (s.n >= dst_bytes || slice_find(s, '\0') >= 0)
		return false;
	if (s.n > 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}
