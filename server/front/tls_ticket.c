#include "server/front/tls_ticket.h"

void tls_ticket_keys_set(struct tls_ticket_keys *keys, const uint8_t *bytes, size_t n)
{
	explicit_bzero(keys, sizeof *keys);
	keys->n = n < TICKET_KEYS ? n : TICKET_KEYS;
	if (keys->n > 0)
		memcpy(keys->keys, bytes, keys->n * TICKET_KEY_BYTES);
}

const struct tls_ticket_key *tls_ticket_current(const struct tls_ticket_keys *keys)
{
	return keys->n > 0 ? &keys->keys[0] : NULL;
}

enum tls_ticket_found tls_ticket_find(const struct tls_ticket_keys *keys, const uint8_t name[16],
	const struct tls_ticket_key **ret_key)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (memcmp(keys->keys[i].name, name, sizeof keys->keys[i].name) != 0)
			continue;
		*ret_key = &keys->keys[i];
		return i == 0 ? TLS_TICKET_CURRENT : TLS_TICKET_OLD;
	}
	return TLS_TICKET_UNKNOWN;
}
