#include "server/front/tls_name.h"

static bool is_wildcard_of(struct slice name, struct slice host)
{
	ssize_t dot = slice_find(host, '.');

	return slice_starts_with(name, SLICE("*.")) && dot > 0 &&
		slice_equal_nocase(slice_tail(name, 1), slice_tail(host, (size_t)dot));
}

size_t tls_name_find(const struct slice *names, size_t n, struct slice host)
{
	if (host.n > 0 && host.p[host.n - 1] == '.') /* an absolute name is the same host */
		host.n--;
	if (host.n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (slice_equal_nocase(names[i], host))
			return i;
	for (size_t i = 0; i < n; i++)
		if (is_wildcard_of(names[i], host))
			return i;
	return 0;
}
