#include "auth/sasl.h"

#include "base/base64.h"
#include "base/limits.h"

#include <errno.h>

enum { PLAIN_MAX_BYTES = 2 * LIMIT_USER_BYTES + LIMIT_PASSWORD_BYTES + 2 };

enum sasl_mechanism sasl_mechanism_parse(struct slice name)
{
	return slice_equal_nocase(name, SLICE("PLAIN")) ? SASL_PLAIN : SASL_NONE;
}

/* message = [authzid] NUL authcid NUL passwd */
static int split_plain(struct slice message, struct sasl_plain *ret_plain)
{
	ssize_t first = slice_find(message, '\0');

	if (first < 0)
		return -EINVAL;

	struct slice rest = slice_tail(message, (size_t)first + 1);
	ssize_t second = slice_find(rest, '\0');

	if (second < 0)
		return -EINVAL;

	struct sasl_plain plain = {
		.authzid = slice_head(message, (size_t)first),
		.authcid = slice_head(rest, (size_t)second),
		.password = slice_tail(rest, (size_t)second + 1),
	};

	if (plain.authcid.n == 0 || plain.authcid.n > LIMIT_USER_BYTES || plain.authzid.n > LIMIT_USER_BYTES ||
		plain.password.n > LIMIT_PASSWORD_BYTES || slice_find(plain.password, '\0') >= 0)
		return -EINVAL;
	*ret_plain = plain;
	return 0;
}

int sasl_plain_parse(struct slice base64, struct buf *decoded, struct sasl_plain *ret_plain)
{
	if (slice_equal(base64, SLICE("=")))
		base64 = SLICE("");
	if (base64.n > base64_encoded_size(PLAIN_MAX_BYTES))
		return -EINVAL;
	buf_clear(decoded);
	if (base64_decode(base64, decoded) == 0 && split_plain(buf_slice(decoded), ret_plain) == 0)
		return 0;
	buf_done_wipe(decoded); /* a password with a slip in its encoding is still a password */
	return -EINVAL;
}
