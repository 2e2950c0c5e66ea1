#include "server/ipc/credentials.h"

#include "base/limits.h"

#include <errno.h>

static bool valid(const struct credentials *c)
{
	return c->mechanism >= CREDENTIALS_PLAIN && c->mechanism <= CREDENTIALS_USER_PASS &&
		c->authcid.n > 0 && c->authcid.n <= LIMIT_USER_BYTES && c->authzid.n <= LIMIT_USER_BYTES &&
		c->password.n <= LIMIT_PASSWORD_BYTES && slice_find(c->authcid, '\0') < 0 &&
		slice_find(c->authzid, '\0') < 0 && slice_find(c->password, '\0') < 0;
}

static size_t put(uint8_t *at, struct slice s)
{
	at[0] = (uint8_t)(s.n >> 8);
	at[1] = (uint8_t)s.n;
	if (s.n > 0)
		memcpy(at + 2, s.p, s.n);
	return 2 + s.n;
}

size_t credentials_encode(const struct credentials *credentials, uint8_t bytes[CREDENTIALS_MAX_BYTES])
{
	size_t n = 1;

	if (!valid(credentials))
		return 0;
	bytes[0] = (uint8_t)credentials->mechanism;
	n += put(bytes + n, credentials->authzid);
	n += put(bytes + n, credentials->authcid);
	return n + put(bytes + n, credentials->password);
}

static bool take(struct slice *in, struct slice *ret)
{
	if (in->n < 2)
		return false;

	struct slice head = slice_take(in, 2);
	size_t n = (size_t)(uint8_t)head.p[0] << 8 | (uint8_t)head.p[1];

	if (in->n < n)
		return false;
	*ret = slice_take(in, n);
	return true;
}

int credentials_decode(struct slice payload, struct credentials *ret_credentials)
{
	struct credentials c;

	if (payload.n == 0)
		return -EBADMSG;
	c.mechanism = (uint8_t)slice_take(&payload, 1).p[0];
	if (!take(&payload, &c.authzid) || !take(&payload, &c.authcid) || !take(&payload, &c.password) ||
		payload.n > 0 || !valid(&c))
		return -EBADMSG;
	*ret_credentials = c;
	return 0;
}
