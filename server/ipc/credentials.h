/* credentials.h - the payload of the first record in a channel: who wants in, and with what password. Pure. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

/*
 * On the wire: mechanism (1 byte), then authzid, authcid and password, each with a 16-bit length in network order.
 * Slices borrow; whoever holds the bytes wipes them.
 */
enum credentials_mechanism { CREDENTIALS_PLAIN = 1, CREDENTIALS_LOGIN, CREDENTIALS_USER_PASS };

struct credentials {
	enum credentials_mechanism mechanism; /* how they came: SASL PLAIN, IMAP LOGIN, POP3 USER and PASS */
	struct slice authzid;                 /* empty: the same as authcid (RFC 4616) */
	struct slice authcid;                 /* 1 to LIMIT_USER_BYTES bytes */
	struct slice password;                /* at most LIMIT_PASSWORD_BYTES */
};

enum { CREDENTIALS_MAX_BYTES = 1 + 6 + 255 + 255 + 1024 };

/* Write into bytes. Returns the size; 0 if a field is beyond its limit. */
size_t credentials_encode(const struct credentials *credentials, uint8_t bytes[CREDENTIALS_MAX_BYTES]);

/* Read a payload. Returns 0, or -EBADMSG (also for a NUL in any field, or an empty authcid). */
_must_check_ int credentials_decode(struct slice payload, struct credentials *ret_credentials);
