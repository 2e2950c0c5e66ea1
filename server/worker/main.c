/* main.c - restante-auth: the pool of auth workers, and the making of password files. */
#include "auth/account.h"
#include "auth/passwd_file.h"
#include "server/worker/check.h"
#include "server/worker/sandbox.h"
#include "server/worker/worker.h"

#include <errno.h>

enum { EXIT_USAGE = 64, EXIT_SANDBOX = 71 };

/* What the pool keeps for its workers. */
struct auth_pool {
	struct penalty *penalty; /* made once: what has been counted outlives a reload */
	struct seccomp_program filter;
};

static int on_configure(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	struct auth_pool *auth = state;
	int table = auth->penalty ? 0 : penalty_new(&auth->penalty);
	int filter = auth->filter.instructions ? 0 : worker_sandbox_compile(&auth->filter);
	int rules = check_configuration(pool, conf);

	(void)generation;
	account_preload();
	if (table < 0)
		pool_problem(pool, 0, "the table of failed logins cannot be made: %s", strerror(-table));
	if (filter < 0)
		pool_problem(pool, 0, "the system call filter of auth workers cannot be made: %s", strerror(-filter));
	return table < 0 || filter < 0 || rules < 0 ? -EINVAL : 0;
}

static int on_child(void *state, const struct pool_child *child)
{
	const struct auth_pool *auth = state;
	int r = worker_sandbox_enter(&auth->filter, child->conf);

	if (r < 0) {
		struct line line = line_open(child->line_fd, ROLE_MASTER);
		struct log log = pool_line_log(&line);

		log_line(&log, LOG_PRIORITY_ERROR, "an auth worker cannot be locked in: %s", strerror(-r));
		return EXIT_SANDBOX;
	}
	return worker_serve(child, auth->penalty);
}

static int make_passwd(const char *path)
{
	unsigned line;
	int r = passwd_file_make(stdin, path, &line);

	if (r < 0 && line > 0)
		fprintf(stderr, "restante-auth: standard input, line %u: not \"user:password\"\n", line);
	else if (r < 0)
		fprintf(stderr, "restante-auth: %s: %s\n", path, strerror(-r));
	return r < 0;
}

int main(int argc, char **argv)
{
	static const struct pool_type type = {
		.pool_role = ROLE_AUTH_POOL,
		.child_role = ROLE_WORKER,
		.program = "restante-auth",
		.configure = on_configure,
		.child = on_child,
	};
	struct auth_pool auth = { 0 };
	int status = pool_main(&type, &auth, argc, argv);

	penalty_free(auth.penalty);
	seccomp_program_done(&auth.filter);
	if (status >= 0)
		return status;
	if (argc == 3 && strcmp(argv[1], "--make-passwd") == 0)
		return make_passwd(argv[2]);
	fprintf(stderr, "usage: restante-auth --pool FD | -t FILE | --make-passwd FILE\n"
			"restanted starts this program. --make-passwd reads \"user:password\" lines, for pam_pwdfile.\n");
	return EXIT_USAGE;
}
