#include "server/master/generations.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/master.h"

#include <sched.h>
#include <utlist.h>

enum {
	GOODBYE_SEC = 30,          /* for a front to say it to all its clients */
	EXPIRES_SOON_DAYS = 14,
	FRONTS_ONE_CLIENT_MAX = 112, /* connections-per-process = 1: all generations share STATUS_FRONTS slots */
	FRONTS_SPARE_MIN = 4,
};

#define TO(state) (1u << (state))

static const unsigned edges[GENERATION_STATE_COUNT] = {
	[GENERATION_CHECKING] = TO(GENERATION_STARTING) | TO(GENERATION_STOPPING),
	[GENERATION_STARTING] = TO(GENERATION_ACCEPTING) | TO(GENERATION_STOPPING),
	[GENERATION_ACCEPTING] = TO(GENERATION_DRAINING) | TO(GENERATION_STOPPING),
	[GENERATION_DRAINING] = TO(GENERATION_STOPPING),
};

static const char *const names[GENERATION_STATE_COUNT] = { "checking", "starting", "accepting", "draining", "stopping" };

const char *generation_state_name(enum generation_state state)
{
	must(state < GENERATION_STATE_COUNT);
	return names[state];
}

bool generation_may_become(enum generation_state from, enum generation_state to)
{
	return from < GENERATION_STATE_COUNT && edges[from] & TO(to);
}

static void forget_certificates(struct generation *g)
{
	for (size_t i = 0; i < g->n_certificates; i++) {
		free(g->certificates[i].name);
		free(g->certificates[i].file);
		free(g->certificates[i].subject);
		free(g->certificates[i].key_type);
	}
	free(g->certificates);
	g->certificates = NULL;
	g->n_certificates = 0;
}

static void generation_free(struct master *m, struct generation *g)
{
	DL_DELETE(m->generations, g);
	forget_certificates(g);
	configuration_unref(g->configuration);
	if (m->accepting == g)
		m->accepting = NULL;
	free(g);
}

struct generation *generation_start(struct master *m, struct configuration *configuration)
{
	struct generation *g = calloc(1, sizeof *g);

	must(g != NULL);
	g->number = ++m->last_generation;
	g->configuration = configuration_ref(configuration);
	g->since_usec = clock_realtime_usec();
	DL_APPEND(m->generations, g);
	g->pool = pool_start(m, ROLE_FRONT_POOL, configuration, g);
	if (!g->pool) {
		generation_free(m, g);
		return NULL;
	}
	return g;
}

static char *copy(struct slice s)
{
	char *c = strndup(s.p ? s.p : "", s.n);

	must(c != NULL);
	return c;
}

static void warn_of_expiry(struct master *m, const struct certificate *c)
{
	int64_t left_usec = (int64_t)(c->not_after_usec - clock_realtime_usec());
	int64_t days = left_usec / (int64_t)(USEC_PER_SEC * 86400);

	if (left_usec < 0)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "certificate %s (%s) expired %lld days ago", c->file, c->subject,
			(long long)-days);
	else if (days < EXPIRES_SOON_DAYS)
		log_line(master_log(m), LOG_PRIORITY_WARNING, "certificate %s (%s) expires in %lld days", c->file, c->subject,
			(long long)days);
}

void generation_add_certificate(struct master *m, struct generation *g, const struct frame_certificate *certificate)
{
	if (g->n_certificates == GENERATION_CERTIFICATES)
		return;

	struct certificate *all = realloc(g->certificates, (g->n_certificates + 1) * sizeof *all);

	must(all != NULL);
	g->certificates = all;

	struct certificate *c = &all[g->n_certificates++];

	*c = (struct certificate){
		.name = copy(certificate->name),
		.file = copy(certificate->file),
		.subject = copy(certificate->subject),
		.key_type = copy(certificate->key_type),
		.not_after_usec = certificate->not_after_usec,
	};
	warn_of_expiry(m, c);
}

static unsigned count_fronts(struct master *m, const struct generation *g, enum process_state state)
{
	struct process *p;
	unsigned n = 0;

	DL_FOREACH(m->processes.lists[ROLE_FRONT][state], p)
		n += p->generation == g;
	return n;
}

unsigned generation_ready_fronts(struct master *m, const struct generation *g)
{
	return count_fronts(m, g, PROCESS_READY);
}

unsigned generation_unready_fronts(struct master *m, const struct generation *g)
{
	return count_fronts(m, g, PROCESS_SPAWNING) + count_fronts(m, g, PROCESS_STARTING);
}

/* Fronts that have their one client. A client that leaves or comes meanwhile is seen a second later. */
static unsigned taken_fronts(struct master *m, const struct generation *g)
{
	struct process *p;
	unsigned n = 0;

	DL_FOREACH(m->processes.lists[ROLE_FRONT][PROCESS_READY], p) {
		uint64_t connections = 0;

		for (enum service s = 0; s < SERVICE_COUNT; s++)
			connections += status_read(&m->status, p->slot, STATUS_CONNECTIONS_IMAPS + s);
		n += p->generation == g && connections > 0;
	}
	return n;
}

static unsigned cores(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

unsigned generation_wanted_fronts(struct master *m, const struct generation *g)
{
	const struct conf *conf = g->configuration->conf;
	unsigned n = conf->front.processes > 0 ? conf->front.processes : cores();

	if (conf->front.connections_per_process == 0)
		return n < GENERATION_FRONTS_MAX ? n : GENERATION_FRONTS_MAX;
	n = (n < FRONTS_SPARE_MIN ? FRONTS_SPARE_MIN : n) + taken_fronts(m, g);
	return n < FRONTS_ONE_CLIENT_MAX ? n : FRONTS_ONE_CLIENT_MAX;
}

static void tell(struct process *front, enum frame_kind kind)
{
	peer_send(&front->peer, &(struct frame){ .kind = kind }, NULL);
}

static void tell_to_stop(struct process *front)
{
	tell(front, FRAME_STOP);
	process_stop(front, GOODBYE_SEC * USEC_PER_SEC);
}

void generation_front_ready(struct generation *g, struct process *front)
{
	if (g->configuration->conf->front.connections_per_process == 1)
		front->may_end = true; /* with its client */
	if (g->state == GENERATION_DRAINING) {
		tell(front, FRAME_STOP_ACCEPT);
		front->may_end = true;
		process_become(front, PROCESS_DRAINING);
	} else if (g->state == GENERATION_STOPPING) {
		tell_to_stop(front);
	}
}

/* An old pool forks no more. While it has the sockets, clients could connect to an address that is not listened on any more, and wait. */
static void take_listeners(struct generation *g)
{
	if (g->pool)
		peer_send(&g->pool->peer, &(struct frame){ .kind = FRAME_LISTENERS }, NULL);
}

/* Fronts that are not at work yet have no clients, and are let go. */
static void dismiss_unready(struct master *m, const struct generation *g)
{
	struct process *p, *next;

	DL_FOREACH_SAFE(m->processes.lists[ROLE_FRONT][PROCESS_SPAWNING], p, next)
		if (p->generation == g)
			process_dismiss(p);
	DL_FOREACH_SAFE(m->processes.lists[ROLE_FRONT][PROCESS_STARTING], p, next)
		if (p->generation == g)
			process_dismiss(p);
}

void generation_become(struct master *m, struct generation *g, enum generation_state state)
{
	struct process *p, *next;

	must(generation_may_become(g->state, state));
	g->state = state;
	g->since_usec = clock_realtime_usec();
	master_touch(m);
	if (state != GENERATION_DRAINING && state != GENERATION_STOPPING)
		return;
	take_listeners(g);
	dismiss_unready(m, g);
	DL_FOREACH_SAFE(m->processes.lists[ROLE_FRONT][PROCESS_READY], p, next)
		if (p->generation == g)
			generation_front_ready(g, p);
	if (state != GENERATION_STOPPING)
		return;
	DL_FOREACH_SAFE(m->processes.lists[ROLE_FRONT][PROCESS_DRAINING], p, next)
		if (p->generation == g)
			tell_to_stop(p);
}

static bool is_old(const struct generation *g)
{
	return g->state == GENERATION_DRAINING || g->state == GENERATION_STOPPING;
}

static void stop_oldest(struct master *m)
{
	struct generation *g;

	DL_FOREACH(m->generations, g)
		if (g->state == GENERATION_DRAINING) {
			log_line(master_log(m), LOG_PRIORITY_NOTICE, "generation %llu is stopped: too many old ones have open connections",
				(unsigned long long)g->number);
			generation_become(m, g, GENERATION_STOPPING);
			return;
		}
}

void generations_settle(struct master *m)
{
	struct generation *g, *next;
	unsigned draining = 0, stopping = 0;

	DL_FOREACH_SAFE(m->generations, g, next) {
		draining += g->state == GENERATION_DRAINING;
		stopping += g->state == GENERATION_STOPPING;
		if (!is_old(g) || g->n_fronts > 0)
			continue;
		if (g->pool)
			pool_dismiss(g->pool);
		else
			generation_free(m, g);
	}
	/* Slots become free only when the fronts of one that is stopped have ended: one at a time. */
	if (draining >= GENERATIONS_MAX || (m->processes.front_slots_short && stopping == 0))
		stop_oldest(m);
	m->processes.front_slots_short = false;
}

void generations_done(struct master *m)
{
	struct generation *g, *next;

	DL_FOREACH_SAFE(m->generations, g, next)
		generation_free(m, g);
}
