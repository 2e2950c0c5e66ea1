/* sasl.h - the SASL exchanges a client may use: PLAIN, and the LOGIN of POP3's and IMAP's own commands is not one of them. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/* Names for capability lists: "PLAIN". RFC 4616. */
enum sasl_mechanism { SASL_NONE, SASL_PLAIN };

/* Find a mechanism by name, in any case; SASL_NONE if it is not offered. */
enum sasl_mechanism sasl_mechanism_parse(struct slice name);

/* What a finished exchange said; slices into the decoded buffer given to sasl_plain_parse(). */
struct sasl_plain {
	struct slice authzid, authcid, password;
};

/*
 * Decode one base64 response of the client into decoded (which holds a secret from now on: the caller wipes it), and
 * take the PLAIN message apart. "=" is an empty response (RFC 4959 section 3).
 * Returns 0; -EINVAL: not base64, not three fields, an empty authcid, a field beyond its limit (LIMIT_USER_BYTES, LIMIT_PASSWORD_BYTES).
 * RFC 4616 section 2.
 */
_must_check_ int sasl_plain_parse(struct slice base64, struct buf *decoded, struct sasl_plain *ret_plain);
