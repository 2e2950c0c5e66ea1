#include "server/front/certificates.h"

#include "base/address.h"
#include "base/buf.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum { BACKDATE_SECONDS = 3600, DAY_SECONDS = 86400, RSA_BITS = 2048 };

struct issuer {
	X509 *certificate;
	EVP_PKEY *key;
};

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static bool set_random_serial(X509 *certificate)
{
	unsigned char bytes[16];

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	bytes[0] &= 0x7f;

	BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
	bool good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

	BN_free(number);
	return good;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);

	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool good = extension && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return good;
}

/* What every certificate has, but its extensions and its signature. NULL: OpenSSL failed. */
static X509 *new_certificate(const char *common_name, EVP_PKEY *key, int days)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_NAME_new();
	long begin = days < 0 ? (long)days * DAY_SECONDS - DAY_SECONDS : -BACKDATE_SECONDS;
	bool good = certificate && name && X509_set_version(certificate, X509_VERSION_3) == 1 && set_random_serial(certificate) &&
		X509_gmtime_adj(X509_getm_notBefore(certificate), begin) &&
		X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_SECONDS) &&
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1 &&
		X509_set_subject_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1;

	X509_NAME_free(name);
	if (good)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool sign(X509 *certificate, const struct issuer *issuer)
{
	return X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate)) == 1 &&
		X509_sign(certificate, issuer->key, EVP_sha256()) > 0;
}

static bool make_ca(int days, struct issuer *ret_ca)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = key ? new_certificate("restante test CA", key, days) : NULL;
	struct issuer ca = { certificate, key };

	if (certificate && add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign") &&
		add_extension(certificate, certificate, NID_subject_key_identifier, "hash") && sign(certificate, &ca)) {
		*ret_ca = ca;
		return true;
	}
	X509_free(certificate);
	EVP_PKEY_free(key);
	return false;
}

static bool is_name_char(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c) || c == '.' || c == '-' || c == '_' || c == '*';
}

/* One GeneralName in OpenSSL's notation, in which a comma begins the next one. */
static bool add_alternative(struct buf *out, const char *name)
{
	unsigned char ip[16];

	if (inet_pton(AF_INET, name, ip) == 1 || inet_pton(AF_INET6, name, ip) == 1)
		return buf_addf(out, "%sIP:%s", out->n > 0 ? "," : "", name) == 0;
	for (const char *c = name; *c; c++)
		if (!is_name_char(*c))
			return false;
	return *name && buf_addf(out, "%sDNS:%s", out->n > 0 ? "," : "", name) == 0;
}

static bool format_alternatives(const struct certificates_request *request, struct buf *out)
{
	for (size_t i = 0; i < request->n_names; i++)
		if (!add_alternative(out, request->names[i]))
			return false;
	return request->n_names > 0 && buf_add_char(out, '\0') == 0;
}

static int open_new(const char *directory, const char *name, mode_t mode, FILE **ret_file)
{
	char path[4096];

	if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return -ENAMETOOLONG;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return -errno;
	*ret_file = fdopen(fd, "w");
	must(*ret_file != NULL);
	return 0;
}

static int finish(FILE *f, bool good)
{
	if (fclose(f) != 0)
		return -EIO;
	return good ? 0 : -EIO;
}

static int write_certificates(const char *directory, const char *name, X509 *first, X509 *second)
{
	FILE *f;
	int r = open_new(directory, name, 0644, &f);

	if (r < 0)
		return r;
	return finish(f, PEM_write_X509(f, first) == 1 && (!second || PEM_write_X509(f, second) == 1));
}

static int write_key(const char *directory, const char *name, EVP_PKEY *key)
{
	FILE *f;
	int r = open_new(directory, name, 0600, &f);

	if (r < 0)
		return r;
	return finish(f, PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
}

struct server_files {
	const char *certificate, *key;
	bool rsa;
};

static int make_server(const struct certificates_request *request, const char *alternatives, const struct issuer *ca,
	const struct server_files *files)
{
	const char *common_name = request->common_name ? request->common_name : request->names[0];
	_cleanup_(free_key) EVP_PKEY *key = files->rsa ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
	_cleanup_(free_certificate) X509 *certificate = key ? new_certificate(common_name, key, request->days) : NULL;

	if (!certificate || !add_extension(certificate, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") ||
		!add_extension(certificate, ca->certificate, NID_key_usage, "critical,digitalSignature") ||
		!add_extension(certificate, ca->certificate, NID_ext_key_usage, "serverAuth") ||
		!add_extension(certificate, ca->certificate, NID_subject_key_identifier, "hash") ||
		!add_extension(certificate, ca->certificate, NID_authority_key_identifier, "keyid") ||
		!add_extension(certificate, ca->certificate, NID_subject_alt_name, alternatives) || !sign(certificate, ca))
		return -EIO;

	int r = write_key(request->directory, files->key, key);

	return r < 0 ? r : write_certificates(request->directory, files->certificate, certificate, ca->certificate);
}

static int make_all(const struct certificates_request *request, const char *alternatives, const struct issuer *ca)
{
	static const struct server_files servers[] = {
		{ "server.pem", "server.key", false },
		{ "server-rsa.pem", "server-rsa.key", true },
	};
	int r = write_certificates(request->directory, "ca.pem", ca->certificate, NULL);

	for (size_t i = 0; r == 0 && i < sizeof servers / sizeof *servers; i++)
		r = make_server(request, alternatives, ca, &servers[i]);
	return r;
}

int certificates_make(const struct certificates_request *request)
{
	_cleanup_buf_ struct buf alternatives = BUF(64 * 1024);
	struct issuer ca;

	if (!format_alternatives(request, &alternatives))
		return -EINVAL;
	if (!make_ca(request->days < 0 ? 3650 : request->days, &ca))
		return -EIO;

	int r = make_all(request, alternatives.p, &ca);

	X509_free(ca.certificate);
	EVP_PKEY_free(ca.key);
	ERR_clear_error();
	return r;
}
