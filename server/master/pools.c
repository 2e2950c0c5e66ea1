#include "server/master/pools.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/events.h"
#include "server/master/master.h"

#include <signal.h>
#include <sys/wait.h>
#include <utlist.h>

enum {
	SILENT_SEC = 30,  /* a pool that answers no PING for so long hangs */
	DISMISS_SEC = 5,  /* one whose line was closed should be gone by then */
};

#define TO(state) (1u << (state))

static const unsigned edges[POOL_STATE_COUNT] = {
	[POOL_CONFIGURING] = TO(POOL_READY) | TO(POOL_ENDING),
	[POOL_READY] = TO(POOL_RECONFIGURING) | TO(POOL_ENDING),
	[POOL_RECONFIGURING] = TO(POOL_READY) | TO(POOL_ENDING),
};

static const char *const names[ROLE_COUNT] = {
	[ROLE_FRONT_POOL] = "front-pool",
	[ROLE_AUTH_POOL] = "auth-pool",
	[ROLE_SESSION_POOL] = "session-pool",
};

static const enum role child_roles[ROLE_COUNT] = {
	[ROLE_FRONT_POOL] = ROLE_FRONT,
	[ROLE_AUTH_POOL] = ROLE_WORKER,
	[ROLE_SESSION_POOL] = ROLE_SESSION,
};

enum role pool_child_role(enum role pool_role)
{
	must(pool_role < ROLE_COUNT && names[pool_role]);
	return child_roles[pool_role];
}

const char *pool_name(enum role pool_role)
{
	must(pool_role < ROLE_COUNT && names[pool_role]);
	return names[pool_role];
}

bool pool_may_become(enum pool_state from, enum pool_state to)
{
	return from < POOL_STATE_COUNT && edges[from] & TO(to);
}

void pool_become(struct pool *pool, enum pool_state state)
{
	must(pool_may_become(pool->state, state));
	pool->state = state;
	master_touch(pool->master);
}

static void send_configuration(struct pool *pool)
{
	const struct configuration *c = pool->configuration;
	uint64_t number = pool->generation ? pool->generation->number : c->number;
	struct frame frame = { .kind = FRAME_CONFIG, .config = { number, slice_head(slice_str(c->path), LIMIT_PATH_BYTES) } };

	pool->answer = POOL_NO_ANSWER;
	peer_send(&pool->peer, &frame, &c->memfd);
}

/* Before CONFIG, so that READY means: children can be forked. */
static void send_front_needs(struct master *m, struct pool *pool)
{
	uint8_t services[FRAME_MAX_FDS];
	int fds[FRAME_MAX_FDS];
	const struct listeners *listeners = m->reload.has_listeners ? &m->reload.listeners : &m->listeners;
	struct frame frame = listeners_frame(listeners, services, fds);

	peer_send(&pool->peer, &frame, fds);
	frame = tickets_frame(&m->tickets);
	peer_send(&pool->peer, &frame, NULL);
}

static pid_t exec_pool(struct master *m, enum role role, int *ret_line_fd)
{
	int fds[2];
	int r = line_pair(fds);

	if (r < 0)
		return r;

	pid_t pid = programs_start_pool(&m->programs, role, fds[1]);

	close(fds[1]);
	if (pid < 0)
		close(fds[0]);
	else
		*ret_line_fd = fds[0];
	return pid;
}

struct pool *pool_start(struct master *m, enum role role, struct configuration *configuration, struct generation *generation)
{
	int line_fd = -1;
	pid_t pid = exec_pool(m, role, &line_fd);

	if (pid < 0) {
		log_line(master_log(m), LOG_PRIORITY_ERROR, "cannot start %s: %s", programs_name(role), strerror(-pid));
		return NULL;
	}

	struct pool *pool = calloc(1, sizeof *pool);

	must(pool != NULL);
	pool->master = m;
	pool->role = role;
	pool->pid = pid;
	pool->generation = generation;
	pool->configuration = configuration_ref(configuration);
	pool->started_usec = clock_monotonic_usec();
	DL_APPEND(m->pools, pool);
	peer_open(&pool->peer, m->loop, line_fd, role);
	peer_watch(&pool->peer, &events_of_pool, pool);
	if (role == ROLE_FRONT_POOL)
		send_front_needs(m, pool);
	send_configuration(pool);
	return pool;
}

void pool_offer(struct pool *pool, struct configuration *configuration)
{
	struct configuration *before = pool->configuration;

	pool->configuration = configuration_ref(configuration);
	configuration_unref(before);
	pool_become(pool, POOL_RECONFIGURING);
	send_configuration(pool);
}

void pool_keep(struct pool *pool, struct configuration *configuration)
{
	struct configuration *before = pool->configuration;

	pool->configuration = configuration_ref(configuration);
	configuration_unref(before);
}

bool pool_can_spawn(const struct pool *pool)
{
	return pool && (pool->state == POOL_READY || pool->state == POOL_RECONFIGURING);
}

struct pool *pool_of(struct master *m, enum role pool_role)
{
	struct pool *pool;

	DL_FOREACH(m->pools, pool)
		if (pool->role == pool_role && pool->state != POOL_ENDING)
			return pool;
	return NULL;
}

void pool_dismiss(struct pool *pool)
{
	if (pool->state == POOL_ENDING)
		return;
	pool->dismissed = true;
	pool->ending_usec = clock_monotonic_usec();
	peer_close(&pool->peer);
	pool_become(pool, POOL_ENDING);
}

void pool_kill(struct pool *pool, const char *reason)
{
	if (pool->state == POOL_ENDING)
		return;
	log_line(master_log(pool->master), LOG_PRIORITY_ERROR, "%s[%d] is ended: %s", pool_name(pool->role), (int)pool->pid, reason);
	pool_become(pool, POOL_ENDING);
	pool->ending_usec = clock_monotonic_usec();
	if (!pool->reaped) /* else the number may be somebody else's by now */
		kill(pool->pid, SIGKILL);
}

struct pool *pool_by_pid(struct master *m, pid_t pid)
{
	struct pool *pool;

	DL_SEARCH_SCALAR(m->pools, pool, pid, pid);
	return pool;
}

static void log_end(const struct pool *pool, int status)
{
	char how[80];

	process_describe_exit(true, status, how);
	log_line(master_log(pool->master), pool->dismissed ? LOG_PRIORITY_DEBUG : LOG_PRIORITY_ERROR,
		"%s[%d] ended%s: %s", pool_name(pool->role), (int)pool->pid, pool->dismissed ? "" : " unexpectedly", how);
}

void pool_reaped(struct pool *pool, int status)
{
	struct master *m = pool->master;
	uint64_t now_usec = clock_monotonic_usec();

	pool->reaped = true;
	peer_drain(&pool->peer); /* who it reaped, before it ended */
	peer_close(&pool->peer);
	log_end(pool, status);
	if (!pool->dismissed)
		backoff_died(&m->backoff[pool->role], now_usec - pool->started_usec, now_usec);
	DL_DELETE(m->pools, pool);
	processes_orphan(m, pool);
	if (pool->generation)
		pool->generation->pool = NULL;
	configuration_unref(pool->configuration);
	free(pool);
	master_touch(m);
}

static void settle_role(struct master *m, enum role role, uint64_t now_usec)
{
	struct pool *pool = pool_of(m, role);

	if (pool && pool->state == POOL_CONFIGURING && pool->answer == POOL_REFUSED) {
		/* It was good before: a file it names is missing now. Ask again later. */
		backoff_died(&m->backoff[role], 0, now_usec);
		pool_dismiss(pool);
		pool = NULL;
	}
	if (pool)
		return;
	if (!backoff_over(&m->backoff[role], now_usec)) {
		master_wake_at(m, m->backoff[role].until_usec);
		return;
	}
	if (!pool_start(m, role, m->configuration, NULL)) {
		backoff_died(&m->backoff[role], 0, now_usec);
		master_wake_at(m, m->backoff[role].until_usec);
	}
}

void pools_settle(struct master *m, uint64_t now_usec)
{
	/* While a configuration is being tried, the death of a pool is the reload's affair. */
	if (!m->configuration || m->stop.state != STOP_NOT || m->reload.state == RELOAD_CHECKING)
		return;
	settle_role(m, ROLE_AUTH_POOL, now_usec);
	settle_role(m, ROLE_SESSION_POOL, now_usec);
}

/* Returns whether it answered what it was asked before. */
static bool ping(struct pool *pool, uint64_t now_usec)
{
	bool answered = pool->pong_serial == pool->ping_serial;

	if (!answered && now_usec - pool->pinged_usec > SILENT_SEC * USEC_PER_SEC) {
		pool_kill(pool, "it has not answered for 30 seconds");
		return false;
	}
	if (answered)
		pool->pinged_usec = now_usec;
	pool->ping_serial++;
	peer_send(&pool->peer, &(struct frame){ .kind = FRAME_PING, .serial = { pool->ping_serial } }, NULL);
	return answered;
}

bool pools_ping(struct master *m, uint64_t now_usec)
{
	struct pool *pool;
	bool all = true;

	DL_FOREACH(m->pools, pool) {
		/* One that reads a new configuration may take a while: the reload has a deadline of its own. */
		bool is_reading = m->reload.state == RELOAD_CHECKING && pool->configuration == m->reload.configuration;

		if (pool->state != POOL_ENDING && !is_reading)
			all &= ping(pool, now_usec);
	}
	return all;
}

void pools_tick(struct master *m, uint64_t now_usec)
{
	struct pool *pool;

	DL_FOREACH(m->pools, pool)
		if (pool->state == POOL_ENDING && now_usec - pool->ending_usec > DISMISS_SEC * USEC_PER_SEC)
			kill(pool->pid, SIGKILL);
}

void pools_done(struct master *m)
{
	struct pool *pool, *next;

	DL_FOREACH_SAFE(m->pools, pool, next) {
		DL_DELETE(m->pools, pool);
		peer_close(&pool->peer);
		configuration_unref(pool->configuration);
		free(pool);
	}
}
