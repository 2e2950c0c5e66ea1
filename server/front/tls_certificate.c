#include "server/front/tls_certificate.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/pool/pool.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

enum { MIN_RSA_BITS = 2048, MIN_EC_BITS = 256, MAX_CHAIN = 16 };

static FILE *open_file(struct pool *pool, const struct tls_certificate_files *files, const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		pool_problem(pool, files->line, "%s: cannot be opened: %s; correct the path, or who may read it", path,
			strerror(errno));
	return f;
}

/* The chain is X509s in the order of the file. Returns false if a problem was told. */
static bool read_certificates(struct pool *pool, const struct tls_certificate_files *files, struct tls_certificate *c)
{
	_cleanup_fclose_ FILE *f = open_file(pool, files, files->certificate);
	X509 *next;

	if (!f)
		return false;
	ERR_clear_error();
	c->leaf = PEM_read_X509(f, NULL, NULL, NULL);
	c->chain = sk_X509_new_null();
	must(c->chain != NULL);
	while (c->leaf && sk_X509_num(c->chain) < MAX_CHAIN && (next = PEM_read_X509(f, NULL, NULL, NULL)))
		must(sk_X509_push(c->chain, next) > 0);

	/* The end of the file shows as "no start line"; anything else is a broken certificate. */
	unsigned long error = ERR_peek_last_error();

	ERR_clear_error();
	if (c->leaf && (error == 0 || ERR_GET_REASON(error) == PEM_R_NO_START_LINE))
		return true;
	pool_problem(pool, files->line, "%s: %s; it must hold the server's certificate and the chain behind it, in PEM",
		files->certificate, c->leaf ? "a certificate in it cannot be read" : "there is no certificate in it");
	return false;
}

/* A key that asks for a passphrase gets none: nobody is there to type it. */
static int refuse_passphrase(char *buffer, int bytes, int writing, void *asked)
{
	(void)buffer;
	(void)bytes;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static bool read_key(struct pool *pool, const struct tls_certificate_files *files, struct tls_certificate *c)
{
	_cleanup_fclose_ FILE *f = open_file(pool, files, files->key);
	bool asked = false;
	struct stat st;

	if (!f)
		return false;
	if (fstat(fileno(f), &st) == 0 && (st.st_mode & S_IROTH))
		log_line(pool_log(pool), LOG_PRIORITY_WARNING, "%s: every user of this host can read this private key; chmod 600 it",
			files->key);

	/* Unbuffered, so that stdio keeps no copy of the key. */
	setvbuf(f, NULL, _IONBF, 0);
	c->key = PEM_read_PrivateKey(f, NULL, refuse_passphrase, &asked);
	ERR_clear_error();
	if (c->key)
		return true;
	pool_problem(pool, files->line, asked ? "%s: the key is encrypted; store it without a passphrase (openssl pkey -in OLD -out NEW)"
					      : "%s: there is no private key in it that can be read; it must be in PEM",
		files->key);
	return false;
}

static bool check_chain(struct pool *pool, const struct tls_certificate_files *files, const struct tls_certificate *c)
{
	const X509 *subject = c->leaf;

	for (int i = 0; i < sk_X509_num(c->chain); i++) {
		const X509 *issuer = sk_X509_value(c->chain, i);

		if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) != 0) {
			pool_problem(pool, files->line,
				"%s: certificate %d was not issued by the next one in the file; put the server's own first, "
				"then each one's issuer",
				files->certificate, i + 1);
			return false;
		}
		subject = issuer;
	}
	return true;
}

static bool check_key(struct pool *pool, const struct tls_certificate_files *files, const struct tls_certificate *c)
{
	int bits = EVP_PKEY_get_bits(c->key), type = EVP_PKEY_get_base_id(c->key);
	bool fits = X509_check_private_key(c->leaf, c->key) == 1;
	bool weak = (type == EVP_PKEY_RSA && bits < MIN_RSA_BITS) || (type == EVP_PKEY_EC && bits < MIN_EC_BITS);

	ERR_clear_error();
	if (!fits)
		pool_problem(pool, files->line, "%s: this key does not belong to the certificate in %s; name the pair that belongs together",
			files->key, files->certificate);
	if (weak)
		pool_problem(pool, files->line, "%s: a key of %d bits is too weak; use EC P-256, or RSA of %d bits or more",
			files->certificate, bits, MIN_RSA_BITS);
	return fits && !weak;
}

static uint64_t time_usec(const ASN1_TIME *at)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(at, &tm) != 1)
		return 0;

	time_t seconds = timegm(&tm);

	return seconds > 0 ? (uint64_t)seconds * USEC_PER_SEC : 0;
}

static void warn_of_dates(struct pool *pool, const char *file, const X509 *leaf)
{
	if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0)
		log_line(pool_log(pool), LOG_PRIORITY_WARNING, "%s: the certificate has expired; clients will refuse it", file);
	if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0)
		log_line(pool_log(pool), LOG_PRIORITY_WARNING, "%s: the certificate is not valid yet; is the clock right?", file);
}

bool tls_certificate_load(struct pool *pool, const struct tls_certificate_files *files, struct tls_certificate *ret_certificate)
{
	struct tls_certificate c = { 0 };
	bool has_certificate = read_certificates(pool, files, &c);
	bool has_key = read_key(pool, files, &c);
	bool good = has_certificate && check_chain(pool, files, &c);

	good = has_certificate && has_key && check_key(pool, files, &c) && good;
	if (!good) {
		tls_certificate_done(&c);
		return false;
	}
	warn_of_dates(pool, files->certificate, c.leaf);
	*ret_certificate = c;
	return true;
}

void tls_certificate_done(struct tls_certificate *certificate)
{
	X509_free(certificate->leaf);
	sk_X509_pop_free(certificate->chain, X509_free);
	EVP_PKEY_free(certificate->key);
	*certificate = (struct tls_certificate){ 0 };
}

void tls_key_type(const EVP_PKEY *key, char ret_text[TLS_KEY_TYPE_BYTES])
{
	char group[TLS_KEY_TYPE_BYTES / 2];
	size_t n;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		snprintf(ret_text, TLS_KEY_TYPE_BYTES, "RSA %d", EVP_PKEY_get_bits(key));
	} else if (EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1) {
		const char *nist = EC_curve_nid2nist(OBJ_txt2nid(group));

		snprintf(ret_text, TLS_KEY_TYPE_BYTES, "EC %s", nist ? nist : group);
	} else {
		const char *name = EVP_PKEY_get0_type_name(key);

		snprintf(ret_text, TLS_KEY_TYPE_BYTES, "%s", name ? name : "unknown");
	}
}

/* The first DNS name of subjectAltName, else the common name. */
static void subject_name(const X509 *leaf, char ret_name[LIMIT_NAME_BYTES + 1])
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; names && !found && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			found = slice_to_str(slice_from(ASN1_STRING_get0_data(name->d.dNSName),
						     (size_t)ASN1_STRING_length(name->d.dNSName)),
				ret_name, LIMIT_NAME_BYTES + 1);
	}
	GENERAL_NAMES_free(names);
	if (!found && X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, ret_name, LIMIT_NAME_BYTES + 1) < 0)
		ret_name[0] = '\0';
}

void tls_certificate_tell(struct pool *pool, const char *section, const char *file, const struct tls_certificate *certificate)
{
	char subject[LIMIT_NAME_BYTES + 1], type[TLS_KEY_TYPE_BYTES];

	subject_name(certificate->leaf, subject);
	tls_key_type(certificate->key, type);
	pool_send(pool, &(struct frame){
		.kind = FRAME_CERTIFICATE,
		.certificate = {
			.name = slice_head(slice_str(section), LIMIT_NAME_BYTES),
			.file = slice_head(slice_str(file), LIMIT_PATH_BYTES),
			.subject = slice_str(subject),
			.key_type = slice_str(type),
			.not_after_usec = time_usec(X509_get0_notAfter(certificate->leaf)),
		},
	});
}
