/* main.c - restante-session: the pool that forks sessions ahead of demand, with everything loaded that a sandbox would forbid. */
#include "maildir/message/charset.h"
#include "server/pool/pool.h"
#include "server/session/landlock.h"
#include "server/session/session.h"
#include "server/session/user_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { HOSTNAME_MAX_BYTES = 256, BOOT_ID_BYTES = 37 };

struct session_pool {
	struct seccomp_program filter;
	struct charset_preload *charsets;
	char hostname[HOSTNAME_MAX_BYTES]; /* read once: a session has no way to */
	char boot_id[BOOT_ID_BYTES];       /* the same; "": not known */
};

#if defined(__SANITIZE_ADDRESS__)
/* The leak checker needs what the sandbox takes away: it would end every session as a fault. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int configure(void *state, struct pool *pool, const struct conf *conf, uint64_t generation)
{
	struct session_pool *session_pool = state;
	struct seccomp_program filter;
	unsigned missing;
	int r = user_sandbox_compile(&filter);

	(void)conf;
	(void)generation;
	if (r < 0) {
		pool_problem(pool, 0, "cannot compile the sandbox of sessions: %s", strerror(-r));
		return -EINVAL;
	}
	seccomp_program_done(&session_pool->filter);
	session_pool->filter = filter;
	if (landlock_abi() < LANDLOCK_ABI_MIN)
		log_line(pool_log(pool), LOG_PRIORITY_WARNING,
			"this kernel has no Landlock of version %d (Linux 5.19; named in lsm=): "
			"sessions are "
			"confined by user id and seccomp only, and virtual users of one uid are "
			"not kept from "
			"each other's mail if a session is taken over",
			LANDLOCK_ABI_MIN);
	if (!session_pool->charsets) {
		session_pool->charsets = charset_preload(&missing);
		if (missing > 0)
			log_line(pool_log(pool), LOG_PRIORITY_WARNING,
				"libc lacks %u charset converters: searches in mail of those "
				"charsets will find less (is gconv-modules-extra installed?)",
				missing);
	}
	return 0;
}

static int child(void *state, const struct pool_child *pool_child)
{
	struct session_pool *session_pool = state;
	struct status status = pool_child->status;

	return session_run(pool_child->line_fd, &(struct session_settings){
							.conf = pool_child->conf,
							.filter = &session_pool->filter,
							.hostname = session_pool->hostname,
							.boot_id = session_pool->boot_id[0]
									   ? session_pool->boot_id
									   : NULL,
							.status = &status,
						});
}

static const struct pool_type session_pool_type = {
	.pool_role = ROLE_SESSION_POOL,
	.child_role = ROLE_SESSION,
	.program = "restante-session",
	.configure = configure,
	.child = child,
};

/* 36 characters and a line feed. */
static void read_boot_id(char ret_boot_id[BOOT_ID_BYTES])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, ret_boot_id, BOOT_ID_BYTES) : -1;

	if (fd >= 0)
		close(fd);
	ret_boot_id[n == BOOT_ID_BYTES ? BOOT_ID_BYTES - 1 : 0] = '\0';
}

int main(int argc, char **argv)
{
	struct session_pool session_pool = { .hostname = "localhost" };

	/* With TZ unset, libc would look at /etc/localtime again and again. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	if (gethostname(session_pool.hostname, sizeof session_pool.hostname) == 0)
		session_pool.hostname[sizeof session_pool.hostname - 1] = '\0';

	read_boot_id(session_pool.boot_id);

	int status = pool_main(&session_pool_type, &session_pool, argc, argv);

	if (status >= 0)
		return status;
	fprintf(stderr, "usage: restante-session --pool FD | -t FILE\nIt is started by restanted; "
			"see restanted(8).\n");
	return 64;
}
