/* restante-front: TLS, the dialogue before login, and the relay. The only program that links libssl. */
#include "base/must.h"
#include "server/front/certificates.h"
#include "server/front/front.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>

static int configure(void *state_pointer, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	struct front_state *state = state_pointer, fresh = { 0 };
	bool good = tls_contexts_load(pool, conf, &fresh.tls) == 0;

	(void)generation;
	good = sandbox_prepare(pool, conf, &fresh.sandbox) == 0 && good;
	if (!good) {
		tls_contexts_free(fresh.tls);
		sandbox_done(&fresh.sandbox);
		return -EINVAL;
	}
	tls_contexts_free(state->tls);
	sandbox_done(&state->sandbox);
	*state = fresh;
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: restante-front --pool FD\n"
			"       restante-front -t FILE\n"
			"       restante-front --make-certificates DIR NAME... [--days N] [--cn NAME]\n");
	return 64;
}

/* --days N and --cn NAME may stand anywhere behind DIR; all else is a name. */
static bool read_request(int argc, char **argv, const char **names, struct certificates_request *ret_request)
{
	struct certificates_request request = { .directory = argv[2], .names = names, .days = 365 };

	for (int i = 3; i < argc; i++) {
		bool is_days = strcmp(argv[i], "--days") == 0, is_cn = strcmp(argv[i], "--cn") == 0;

		if (!is_days && !is_cn) {
			names[request.n_names++] = argv[i];
			continue;
		}
		if (++i == argc)
			return false;
		if (is_days)
			request.days = atoi(argv[i]);
		else
			request.common_name = argv[i];
	}
	*ret_request = request;
	return request.n_names > 0 && request.days >= -36500 && request.days <= 36500;
}

static int make_certificates(int argc, char **argv)
{
	_cleanup_free_ const char **names = calloc((size_t)argc, sizeof *names);
	struct certificates_request request;

	must(names != NULL);
	if (argc < 4 || !read_request(argc, argv, names, &request))
		return usage();

	int r = certificates_make(&request);

	if (r == 0)
		return 0;
	fprintf(stderr, "restante-front: cannot make certificates in %s: %s\n", request.directory,
		r == -EINVAL ? "a name is neither a host name nor an IP address" : strerror(-r));
	return 1;
}

int main(int argc, char **argv)
{
	static const struct pool_type type = {
		.pool_role = ROLE_FRONT_POOL,
		.child_role = ROLE_FRONT,
		.program = "restante-front",
		.configure = configure,
		.child = front_run,
	};
	struct front_state state = { 0 };

	/* Everything OpenSSL would load later from files, for afterwards there are none. */
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL);
	if (argc > 1 && strcmp(argv[1], "--make-certificates") == 0)
		return make_certificates(argc, argv);

	int r = pool_main(&type, &state, argc, argv);

	tls_contexts_free(state.tls);
	sandbox_done(&state.sandbox);
	return r < 0 ? usage() : r;
}
