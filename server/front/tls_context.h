/* tls_context.h - certificates, keys and everything TLS is told once; the pool loads them, fronts inherit them. */
#pragma once

#include "base/service.h"
#include "conf/conf.h"
#include "server/front/tls_ticket.h"

struct pool;
struct ssl_st;
struct tls_contexts;

/*
 * Load the certificates and keys of every [tls] section: TLS 1.2 or 1.3 and up, ECDHE with AEAD only, RSA and ECDSA
 * side by side, SNI between sections, ALPN, stateless tickets, no renegotiation, no compression, no early data.
 * Every problem (a file that cannot be read, a key that does not fit, a chain out of order, RSA below 2048 bits, an
 * encrypted key, two certificates for one kind of key) is reported by pool_problem(); an expired certificate is
 * taken, with a warning in the log. Each certificate is told to the master.
 * Returns  0: *ret_contexts is set, freed with tls_contexts_free(). -EINVAL: problems were reported.
 * Blocks   on the files.
 */
_must_check_ int tls_contexts_load(struct pool *pool, const struct conf *conf, struct tls_contexts **ret_contexts);
void tls_contexts_free(struct tls_contexts *contexts);

/*
 * Use these ticket keys from now on: the first encrypts, all decrypt. Without keys no tickets are given.
 * keys  n times TICKET_KEY_BYTES, copied.
 */
void tls_contexts_set_ticket_keys(struct tls_contexts *contexts, const uint8_t *keys, size_t n);

/* Make the server side of one connection, on a socket. Returns NULL if memory is exhausted; freed with SSL_free(). */
struct ssl_st *tls_accept_new(struct tls_contexts *contexts, enum service service, int fd);
