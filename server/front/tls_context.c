/*
 * One SSL_CTX for each [tls] section; the first, the default one, accepts every connection, and SNI may change to
 * another. All of them share the ticket keys and the session id context, so a client resumes whichever front it
 * meets. Signing is behind SSL_CTX's key: a process of its own for the keys would come in there.
 */
#include "server/front/tls_context.h"

#include "base/must.h"
#include "server/front/tls_certificate.h"
#include "server/front/tls_name.h"
#include "server/pool/pool.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

struct tls_contexts {
	SSL_CTX *contexts[CONF_TLS_MAX];
	struct slice names[CONF_TLS_MAX]; /* borrowed from the configuration */
	size_t n;
	struct tls_ticket_keys ticket_keys;
};

enum { TICKETS_A_CONNECTION = 2 };

static const char tls12_ciphers[] =
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
static const char tls13_ciphers[] = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";

/* From most to least: OpenSSL refuses a list with a group that it does not know. */
static const char *const groups[] = {
	"X25519MLKEM768:SecP256r1MLKEM768:X25519:P-256:P-384",
	"X25519MLKEM768:X25519:P-256:P-384",
	"X25519:P-256:P-384",
};

static const char *const alpn_imap = "imap", *const alpn_pop3 = "pop3";

/* ---- callbacks ---- */

static const struct tls_contexts *contexts_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_contexts *contexts = contexts_of(ssl);
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t i = tls_name_find(contexts->names, contexts->n, slice_str(host));

	(void)alert;
	(void)arg;
	if (i > 0)
		SSL_set_SSL_CTX(ssl, contexts->contexts[i]);
	return i > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* A client that offers protocols without ours is refused (RFC 7301 section 3.2): it wanted to speak to somebody else. */
static int on_alpn(SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_bytes, const unsigned char *offered,
	unsigned int n, void *arg)
{
	const char *ours = SSL_get_app_data(ssl);
	struct slice in = slice_from(offered, n);

	(void)arg;
	while (in.n > 0) {
		size_t bytes = (uint8_t)slice_take(&in, 1).p[0];

		if (bytes > in.n)
			break;

		struct slice protocol = slice_take(&in, bytes);

		if (slice_equal(protocol, slice_str(ours))) {
			*ret_chosen = (const unsigned char *)protocol.p;
			*ret_bytes = (unsigned char)protocol.n;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool init_ticket(const struct tls_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
	int encrypt)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof key->hmac),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
		EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt) == 1;
}

/* Returns as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) says: 1 use it, 2 use it and renew, 0 none, -1 failed. */
static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_ticket_keys *keys = &contexts_of(ssl)->ticket_keys;
	const struct tls_ticket_key *key = tls_ticket_current(keys);
	enum tls_ticket_found found = TLS_TICKET_CURRENT;

	if (!key)
		return 0;
	if (encrypt) {
		memcpy(name, key->name, sizeof key->name);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	} else {
		found = tls_ticket_find(keys, name, &key);
	}
	if (found == TLS_TICKET_UNKNOWN)
		return 0;
	if (!init_ticket(key, iv, cipher, mac, encrypt))
		return -1;
	return found == TLS_TICKET_OLD ? 2 : 1;
}

/* ---- making one ---- */

static void set_groups(SSL_CTX *context)
{
	bool set = false;

	for (size_t i = 0; !set && i < sizeof groups / sizeof *groups; i++)
		set = SSL_CTX_set1_groups_list(context, groups[i]) == 1;
	must(set);
	ERR_clear_error();
}

static void set_callbacks(SSL_CTX *context, struct tls_contexts *contexts)
{
	SSL_CTX_set_app_data(context, contexts);
	SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	must(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key) == 1);
}

static SSL_CTX *make_context(struct tls_contexts *contexts, const struct conf *conf)
{
	static const unsigned char session_context[] = "restante";
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	must(context != NULL);
	must(SSL_CTX_set_min_proto_version(context, conf->tls_minimum_minor >= 3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1);
	must(SSL_CTX_set_max_proto_version(context, 0) == 1);
	SSL_CTX_set_security_level(context, 2);
	must(SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1);
	must(SSL_CTX_set_ciphersuites(context, tls13_ciphers) == 1);
	set_groups(context);
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	must(SSL_CTX_set_session_id_context(context, session_context, sizeof session_context - 1) == 1);
	set_callbacks(context, contexts);
	return context;
}

static bool use_certificate(struct pool *pool, const struct tls_certificate_files *files, SSL_CTX *context,
	const struct tls_certificate *c)
{
	char type[TLS_KEY_TYPE_BYTES];

	if (SSL_CTX_use_cert_and_key(context, c->leaf, c->key, c->chain, 0) == 1)
		return true;

	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	tls_key_type(c->key, type);
	if (ERR_GET_REASON(error) == SSL_R_NOT_REPLACING_CERTIFICATE)
		pool_problem(pool, files->line, "%s: a second certificate for a key of the same kind (%s); give at most one RSA and one EC",
			files->certificate, type);
	else
		pool_problem(pool, files->line, "%s: OpenSSL does not take it: %s; use a newer certificate", files->certificate,
			reason ? reason : "unknown");
	ERR_clear_error();
	return false;
}

static bool load_pair(struct pool *pool, const struct conf_tls *section, size_t i, SSL_CTX *context)
{
	struct tls_certificate c;
	struct tls_certificate_files files = {
		.certificate = section->certificates.values[i],
		.key = section->private_keys.values[i],
		.line = section->line,
	};

	if (!tls_certificate_load(pool, &files, &c))
		return false;

	bool used = use_certificate(pool, &files, context, &c);

	if (used)
		tls_certificate_tell(pool, section->name, files.certificate, &c);
	tls_certificate_done(&c);
	return used;
}

static bool load_section(struct pool *pool, const struct conf_tls *section, SSL_CTX *context)
{
	bool good = true;

	/* Only a check of a configuration that has problems comes here with another number of keys; that was told. */
	size_t pairs = section->certificates.n < section->private_keys.n ? section->certificates.n : section->private_keys.n;

	for (size_t i = 0; i < pairs; i++)
		good = load_pair(pool, section, i, context) && good;
	return good;
}

int tls_contexts_load(struct pool *pool, const struct conf *conf, struct tls_contexts **ret_contexts)
{
	struct tls_contexts *contexts = calloc(1, sizeof *contexts);
	bool good = true;

	must(contexts != NULL);
	if (conf->n_tls == 0) {
		pool_problem(pool, 0, "there is no [tls] section; nothing is served without TLS");
		good = false;
	}
	for (size_t i = 0; i < conf->n_tls; i++) {
		contexts->contexts[i] = make_context(contexts, conf);
		contexts->names[i] = slice_str(conf->tls[i].name);
		contexts->n = i + 1;
		good = load_section(pool, &conf->tls[i], contexts->contexts[i]) && good;
	}
	if (!good) {
		tls_contexts_free(contexts);
		return -EINVAL;
	}
	tls_contexts_set_ticket_keys(contexts, NULL, 0);
	*ret_contexts = contexts;
	return 0;
}

void tls_contexts_free(struct tls_contexts *contexts)
{
	if (!contexts)
		return;
	for (size_t i = 0; i < contexts->n; i++)
		SSL_CTX_free(contexts->contexts[i]);
	explicit_bzero(contexts, sizeof *contexts);
	free(contexts);
}

void tls_contexts_set_ticket_keys(struct tls_contexts *contexts, const uint8_t *keys, size_t n)
{
	tls_ticket_keys_set(&contexts->ticket_keys, keys, n);
	for (size_t i = 0; i < contexts->n; i++) {
		SSL_CTX *context = contexts->contexts[i];

		must(SSL_CTX_set_num_tickets(context, n > 0 ? TICKETS_A_CONNECTION : 0) == 1);
		if (n > 0)
			SSL_CTX_clear_options(context, SSL_OP_NO_TICKET);
		else
			SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	}
}

struct ssl_st *tls_accept_new(struct tls_contexts *contexts, enum service service, int fd)
{
	SSL *ssl = SSL_new(contexts->contexts[0]);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	SSL_set_app_data(ssl, (void *)(service_is_imap(service) ? alpn_imap : alpn_pop3));
	return ssl;
}
