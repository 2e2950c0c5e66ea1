#include "server/master/supply.h"

#include "base/clock.h"
#include "server/master/master.h"

#include <sys/wait.h>
#include <utlist.h>

enum {
	IDLE_SEC = 60,         /* a worker beyond workers-min that had nothing to do for so long goes */
	SPAWN_AT_ONCE_MAX = 32, /* of a role on their way: more would only wait for the pool */
};

size_t supply_workers_missing(const struct supply_workers *have)
{
	size_t alive = have->idle + have->starting + have->busy;
	size_t all = alive + have->ending;
	size_t missing = have->min > have->idle + have->starting ? have->min - have->idle - have->starting : 0;
	size_t room = have->max > alive ? have->max - alive : 0;
	size_t hard_room = 2 * (size_t)have->max > all ? 2 * (size_t)have->max - all : 0;

	if (missing > room)
		missing = room;
	return missing < hard_room ? missing : hard_room;
}

size_t supply_spares_missing(size_t ready, size_t starting, size_t waiting, size_t spares)
{
	size_t wanted = spares + waiting, have = ready + starting;
	size_t room = starting < SPAWN_AT_ONCE_MAX ? SPAWN_AT_ONCE_MAX - starting : 0;
	size_t missing = wanted > have ? wanted - have : 0;

	return missing < room ? missing : room;
}

/* Whether something of a role may be spawned now; if it is only too early, wake up in time. */
static bool may_spawn(struct master *m, const struct pool *pool, enum role role, uint64_t now_usec)
{
	if (!pool_can_spawn(pool))
		return false;
	if (backoff_over(&m->backoff[role], now_usec))
		return true;
	master_wake_at(m, m->backoff[role].until_usec);
	return false;
}

static void spawn(struct master *m, struct pool *pool, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!process_spawn(m, pool))
			return;
}

static void supply_workers(struct master *m, uint64_t now_usec)
{
	const size_t *n = m->processes.counts[ROLE_WORKER];
	const struct conf *conf = m->configuration->conf;
	struct pool *pool = pool_of(m, ROLE_AUTH_POOL);
	size_t missing = supply_workers_missing(&(struct supply_workers){
		.idle = n[PROCESS_READY],
		.starting = n[PROCESS_SPAWNING] + n[PROCESS_STARTING],
		.busy = n[PROCESS_BUSY],
		.ending = n[PROCESS_STOPPING] + n[PROCESS_ENDING],
		.min = conf->auth.workers_min,
		.max = conf->auth.workers_max,
	});

	if (missing > 0 && may_spawn(m, pool, ROLE_WORKER, now_usec))
		spawn(m, pool, missing);
}

static void supply_sessions(struct master *m, uint64_t now_usec)
{
	const size_t *n = m->processes.counts[ROLE_SESSION];
	struct pool *pool = pool_of(m, ROLE_SESSION_POOL);
	size_t missing = supply_spares_missing(n[PROCESS_READY], n[PROCESS_SPAWNING] + n[PROCESS_STARTING],
		m->n_sessions_waiting, m->configuration->conf->session.spares);

	if (missing > 0 && may_spawn(m, pool, ROLE_SESSION, now_usec))
		spawn(m, pool, missing);
}

/* Returns whether it has what it wants. */
static bool supply_generation(struct master *m, const struct generation *g, uint64_t now_usec)
{
	if (!g)
		return true;
	if (g->state != GENERATION_STARTING && g->state != GENERATION_ACCEPTING)
		return false;

	unsigned have = generation_ready_fronts(m, g) + generation_unready_fronts(m, g);
	unsigned wanted = generation_wanted_fronts(m, g);

	if (have < wanted && may_spawn(m, g->pool, ROLE_FRONT, now_usec))
		spawn(m, g->pool, wanted - have);
	return generation_ready_fronts(m, g) >= wanted;
}

/* What was forked with another configuration than the one in force (or being brought into force), and does nothing yet. */
static void dismiss_stale(struct master *m, enum role role)
{
	uint64_t newest = m->reload.configuration ? m->reload.configuration->number : 0;
	struct process *p, *next;

	DL_FOREACH_SAFE(m->processes.lists[role][PROCESS_READY], p, next)
		if (p->configuration != m->configuration->number && p->configuration != newest)
			process_dismiss(p);
}

void supply_settle(struct master *m, uint64_t now_usec)
{
	if (!m->configuration || m->stop.state != STOP_NOT)
		return;
	if (m->supplied_number != m->configuration->number || m->reload.state != RELOAD_NONE) {
		dismiss_stale(m, ROLE_WORKER);
		dismiss_stale(m, ROLE_SESSION);
		m->supplied_number = m->reload.state == RELOAD_NONE ? m->configuration->number : 0;
	}
	supply_workers(m, now_usec);
	supply_sessions(m, now_usec);
	if (!m->processes.fronts_changed)
		return;

	bool complete = supply_generation(m, m->accepting, now_usec);

	complete &= supply_generation(m, m->reload.generation, now_usec);
	m->processes.fronts_changed = !complete;
}

static void dismiss_idle_workers(struct master *m, uint64_t now_usec)
{
	struct process *list = m->processes.lists[ROLE_WORKER][PROCESS_READY];
	size_t n = m->processes.counts[ROLE_WORKER][PROCESS_READY];

	/* The list is used from its head, so the tail has been idle for longest. */
	while (list && n-- > m->configuration->conf->auth.workers_min) {
		struct process *last = list->prev;

		if (now_usec - last->since_usec < IDLE_SEC * USEC_PER_SEC)
			return;
		process_dismiss(last);
		list = m->processes.lists[ROLE_WORKER][PROCESS_READY];
	}
}

void supply_tick(struct master *m, uint64_t now_usec)
{
	if (!m->configuration)
		return;
	dismiss_idle_workers(m, now_usec);
	if (m->configuration->conf->front.connections_per_process > 0)
		m->processes.fronts_changed = true;
}

void supply_process_gone(struct master *m, struct process *p)
{
	uint64_t now_usec = clock_monotonic_usec();
	char how[80];

	if (p->stopped || (p->may_end && p->exit_known && p->exit_status == 0))
		return;
	process_describe_exit(p->exit_known, p->exit_status, how);
	log_line(master_log(m), LOG_PRIORITY_WARNING, "%s[%d] ended unexpectedly: %s", process_name(p->role), (int)p->pid, how);
	backoff_died(&m->backoff[p->role], now_usec - p->spawned_usec, now_usec);
}
