/* pool.h - what the three pool programs share: take the configuration, prefork on command, reap, report. */
#pragma once

#include "base/log.h"
#include "conf/conf.h"
#include "server/ipc/line.h"
#include "server/ipc/status.h"

/*
 * A pool is a small process with one line to the master. It does only what the master says:
 *
 *   CONFIG        read, check, configure(); READY, or PROBLEM... CONFIG_BAD
 *   LISTENERS     keep the sockets for children (front pool)
 *   TICKET_KEYS   keep for children (front pool)
 *   SPAWN         fork a child with its own line and status slot; SPAWNED
 *   KILL          signal a child of ours that was not reaped yet (so a pid is never signalled after reuse)
 *   PING          PONG
 *
 * and tells of every child that ended (EXITED). It runs single-threaded in ppoll(); children are forked before
 * they are needed. End-of-file on its line ends the pool; children go on and see their own end-of-file.
 */
struct pool;

/* What the child of a pool starts with; everything is its own after fork. */
struct pool_child {
	int line_fd;              /* its end of its line to the master */
	struct status status;     /* its slot, mapped */
	const struct conf *conf;
	uint64_t generation;
	const int *listener_fds;  /* front pool; else n_listeners is 0 */
	const enum service *listener_services;
	size_t n_listeners;
	uint8_t *ticket_keys; /* n_ticket_keys times TICKET_KEY_BYTES; the newest first. Who keeps a copy wipes these: keys grow old */
	size_t n_ticket_keys;
};

struct pool_type {
	enum role pool_role;      /* ROLE_FRONT_POOL, ... */
	enum role child_role;
	const char *program;      /* "restante-front": for usage and process titles */

	/*
	 * Prepare what children inherit, from a new configuration (compile seccomp filters, load keys, map penalty
	 * tables); report each problem by pool_problem(). Called again on every CONFIG. Returns 0, or -EINVAL:
	 * problems were reported, what was before stays in force.
	 */
	int (*configure)(void *state, struct pool *pool, const struct conf *conf, uint64_t generation);

	/* Be the child, until it is over. Returns its exit status. Nothing of the pool's may be used but what is in child and state. */
	int (*child)(void *state, const struct pool_child *child);
};

/*
 * Run a pool on line_fd until the master closes it, or check a configuration, as the command line says:
 *   PROGRAM --pool FD [VERSION] serve as a pool; of a master of another version (a package was upgraded under it): refuse
 *   PROGRAM -t FILE            configure() from FILE; print problems as FILE:LINE: message on standard output; exit 0 or 1
 * Returns the exit status for main(). Any other command line: -1, the program's own verbs.
 */
int pool_main(const struct pool_type *type, void *state, int argc, char **argv);

/* Report one problem found in configure(). line: of the configuration file, 0 if none. In check mode it is printed. */
void pool_problem(struct pool *pool, unsigned line, const char *format, ...) _printf_(3, 4);

/* Whether this is only a check (-t): nothing may be changed outside the process. */
bool pool_is_check(const struct pool *pool);

/* Send a frame of the pool's to the master (CERTIFICATE, ...). In check mode nothing is sent. */
void pool_send(struct pool *pool, const struct frame *frame);

/* The log of the pool: lines go to the master as LOG frames; in check mode to standard error. */
const struct log *pool_log(const struct pool *pool);

/* Make a log that sends LOG frames down a line; *line must outlive it. For children. */
struct log pool_line_log(struct line *line);
