/* master.h - the state of the master in one place, and its event loop. */
#pragma once

#include "server/master/backoff.h"
#include "server/master/control.h"
#include "server/master/generations.h"
#include "server/master/listeners.h"
#include "server/master/logger.h"
#include "server/master/login.h"
#include "server/master/notify.h"
#include "server/master/pools.h"
#include "server/master/processes.h"
#include "server/master/programs.h"
#include "server/master/reload.h"
#include "server/master/sessions.h"
#include "server/master/stop.h"
#include "server/master/tickets.h"

/*
 * Data flows one way. Events (frames, ends of lines, signals, time) record facts in the tables below and touch the
 * master; when all events at hand are recorded, master_settle() runs once and draws the consequences in a fixed order:
 *
 *   ends of processes ▶ pools ▶ queue to workers ▶ accounts to sessions ▶ generations ▶ reload ▶ supply ▶ control ▶ stop
 *
 * So no callback ends or frees what another one is standing on, and each part looks only at what comes before it.
 */
/* For whoever starts the master: --try tells its user that the server is up. */
struct master_hooks {
	void (*on_serving)(void *arg); /* called once, when clients are accepted */
	void *arg;
};

struct master {
	struct master_hooks hooks;
	struct ev_loop *loop;
	struct logger logger;
	struct programs programs;
	const char *conf_path;
	uint64_t started_usec;  /* wall clock */

	int status_fd;
	struct status status;
	uint64_t totals[STATUS_COUNTER_COUNT]; /* what processes that are gone have counted */

	struct listeners listeners;
	struct tickets tickets;
	struct configuration *configuration; /* in force; NULL until the start is complete */
	uint64_t last_number;                /* of configurations */
	uint64_t last_generation;

	uint64_t supplied_number;            /* of the configuration for which stale processes were dismissed; 0: look again */

	struct pool *pools;
	struct generation *generations;      /* oldest first */
	struct generation *accepting;        /* the one that accepts; NULL at the start */
	struct processes processes;
	struct backoff backoff[ROLE_COUNT];  /* of pools and of processes */

	struct queue queue;
	struct login *logins;                /* by the master's id */
	struct login *logins_by_origin;      /* not adopted ones, by front and the front's id */
	struct login *placing;               /* have an account, in order */
	uint64_t last_login_id;
	size_t n_adopted;
	uint64_t n_logins, n_queue_full, n_verify_timeouts;
	size_t n_kicked; /* logins whose session was told to close them, and has not said that it did */

	struct session *sessions;            /* by uid and mail path */
	struct session *sessions_waiting;    /* for a spare, in order */
	size_t n_sessions_waiting;

	struct reload reload;
	struct control control;
	struct notify notify;
	struct stop stop;
	uint64_t pinged_usec;

	struct ev_timer settle;              /* never started; fed as an event of lowest priority */
	struct ev_timer tick, wake, rotate;
	struct ev_signal on_child, on_term, on_int, on_hup;
};

/* See to it that the consequences of what was just recorded are drawn soon. */
void master_touch(struct master *m);

/* As master_touch(), not before at_usec (monotonic). */
void master_wake_at(struct master *m, uint64_t at_usec);

/*
 * Serve with a configuration file until told to stop.
 * hooks    may be NULL.
 * Returns  the exit status: 0 after a stop; 1: it could not start, the reasons are on standard error.
 */
int master_serve(const char *conf_path, const struct master_hooks *hooks);

/* The log of the master. */
static inline const struct log *master_log(const struct master *m)
{
	return &m->logger.log;
}
