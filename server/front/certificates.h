/* certificates.h - a CA and server certificates for a throw-away server and for tests. */
#pragma once

#include "base/cleanup.h"

struct certificates_request {
	const char *directory;    /* exists */
	const char *const *names; /* DNS names and IP addresses for subjectAltName; at least one */
	size_t n_names;
	const char *common_name;  /* of the server certificates; NULL: the first name */
	int days;                 /* valid from one hour ago; negative: expired already */
};

/*
 * Write ca.pem; server.pem (with the CA behind it) and server.key (ECDSA P-256); server-rsa.pem and server-rsa.key
 * (RSA 2048), both signed by the CA, whose own key is thrown away. Keys get mode 0600; files that exist are replaced.
 * Returns 0; -errno of a file; -EINVAL: a name that cannot stand in a certificate; -EIO: OpenSSL failed.
 */
_must_check_ int certificates_make(const struct certificates_request *request);
