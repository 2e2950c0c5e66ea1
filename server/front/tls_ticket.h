/* tls_ticket.h - which key a session ticket is sealed with, and which opens it. Pure. RFC 5077 section 4. */
#pragma once

#include "base/slice.h"
#include "server/ipc/frames.h"

/* One key, in the order of its bytes on the master's line. */
struct tls_ticket_key {
	uint8_t name[16], aes[32], hmac[32];
};

_Static_assert(sizeof(struct tls_ticket_key) == TICKET_KEY_BYTES, "as the master makes them");

/* All zeros: no keys yet. */
struct tls_ticket_keys {
	struct tls_ticket_key keys[TICKET_KEYS]; /* the current one first */
	size_t n;
};

enum tls_ticket_found {
	TLS_TICKET_UNKNOWN, /* no key of that name: a full handshake follows */
	TLS_TICKET_CURRENT,
	TLS_TICKET_OLD,     /* opens, and is to be replaced by one of the current key */
};

/* Take n keys (at most TICKET_KEYS; what is beyond is left out), and wipe those from before. */
void tls_ticket_keys_set(struct tls_ticket_keys *keys, const uint8_t *bytes, size_t n);

/* The key that seals new tickets; NULL if there is none. */
const struct tls_ticket_key *tls_ticket_current(const struct tls_ticket_keys *keys);

/* Find the key a ticket names. *ret_key is untouched for TLS_TICKET_UNKNOWN. */
enum tls_ticket_found tls_ticket_find(const struct tls_ticket_keys *keys, const uint8_t name[16],
	const struct tls_ticket_key **ret_key);
