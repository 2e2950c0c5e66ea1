/* tls_certificate.h - one certificate chain and its private key, read from files and checked. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

#include <stdbool.h>
#include <openssl/x509.h>

struct pool;

struct tls_certificate {
	X509 *leaf;
	STACK_OF(X509) *chain; /* what stands behind the leaf in the file */
	EVP_PKEY *key;
};

/* Where a certificate comes from, for messages. */
struct tls_certificate_files {
	const char *certificate, *key;
	unsigned line; /* of the section in the configuration */
};

/*
 * Read both files and check them: each can be read and understood, the chain is in order, the key fits and is not
 * encrypted, RSA has 2048 bits at least and EC 256. Every problem goes to pool_problem(); a date that has passed or
 * not come is a warning in the log.
 * Returns  true: *ret_certificate is set, freed with tls_certificate_done(). false: problems were told.
 * Blocks   on the files.
 */
_must_check_ bool tls_certificate_load(struct pool *pool, const struct tls_certificate_files *files,
	struct tls_certificate *ret_certificate);
void tls_certificate_done(struct tls_certificate *certificate);

/* Tell the master that it is in use. section: NAME of [tls NAME], or "". */
void tls_certificate_tell(struct pool *pool, const char *section, const char *file, const struct tls_certificate *certificate);

/* Write "RSA 2048", "EC P-256", "ED25519". NUL-terminated. */
enum { TLS_KEY_TYPE_BYTES = 64 };
void tls_key_type(const EVP_PKEY *key, char ret_text[TLS_KEY_TYPE_BYTES]);
