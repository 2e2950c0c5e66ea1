#include "server/master/verb_status.h"

#include "base/clock.h"
#include "server/master/master.h"
#include "server/master/reply.h"

#include <utlist.h>

static void tell_server(struct master *m, struct control_client *client)
{
	const struct reload *r = &m->reload;
	struct reply_row row = { 0 };

	reply_table(client, "server version:s pid:n since:t config:s generation:n last_reload:t last_failed:t last_error:s");
	reply_add(&row, RESTANTE_VERSION);
	reply_add_number(&row, (uint64_t)getpid());
	reply_add_number(&row, m->started_usec);
	reply_add(&row, m->conf_path);
	reply_add_number(&row, m->accepting ? m->accepting->number : 0);
	reply_add_number(&row, r->succeeded_usec);
	reply_add_number(&row, r->failed_usec);
	reply_add(&row, r->rounds > 0 && !r->last_ok && r->n_problems > 0 ? r->problems[0] : "");
	reply_row(client, &row);
}

/* Those of a reload under way may still grow; they are shown all the same. */
static void tell_problems(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };

	reply_table(client, "problems problem:s");
	for (size_t i = 0; i < m->reload.n_problems; i++) {
		reply_add(&row, m->reload.problems[i]);
		reply_row(client, &row);
	}
}

static void tell_listeners(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };

	reply_table(client, "listeners service:s address:s systemd:b");
	for (size_t i = 0; i < m->listeners.n; i++) {
		char text[ADDRESS_TEXT_BYTES];

		address_format_port(&m->listeners.items[i].address, text);
		reply_add(&row, service_name(m->listeners.items[i].service));
		reply_add(&row, text);
		reply_add_number(&row, m->listeners.from_systemd);
		reply_row(client, &row);
	}
}

static void tell_pools(struct master *m, struct control_client *client)
{
	static const char *const states[POOL_STATE_COUNT] = { "configuring", "ready", "reconfiguring", "ending" };
	uint64_t now_usec = clock_monotonic_usec();
	struct reply_row row = { 0 };
	struct pool *pool;

	reply_table(client, "pools pool:s pid:n state:s running:u generation:n");
	DL_FOREACH(m->pools, pool) {
		reply_add(&row, pool_name(pool->role));
		reply_add_number(&row, (uint64_t)pool->pid);
		reply_add(&row, states[pool->state]);
		reply_add_number(&row, now_usec - pool->started_usec);
		reply_add_number(&row, pool->generation ? pool->generation->number : 0);
		reply_row(client, &row);
	}
}

static uint64_t connections_of(struct master *m, const struct generation *g, enum service service)
{
	uint64_t n = 0;

	for (enum process_state state = PROCESS_STARTING; state < PROCESS_GONE; state++) {
		struct process *p;

		DL_FOREACH(m->processes.lists[ROLE_FRONT][state], p)
			if (!g || p->generation == g)
				n += status_read(&m->status, p->slot, STATUS_CONNECTIONS_IMAPS + service);
	}
	return n;
}

static void tell_generations(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };
	struct generation *g;

	reply_table(client, "generations generation:n state:s since:t fronts:n connections:n");
	DL_FOREACH(m->generations, g) {
		uint64_t n = 0;

		for (enum service s = 0; s < SERVICE_COUNT; s++)
			n += connections_of(m, g, s);
		reply_add_number(&row, g->number);
		reply_add(&row, generation_state_name(g->state));
		reply_add_number(&row, g->since_usec);
		reply_add_number(&row, g->n_fronts);
		reply_add_number(&row, n);
		reply_row(client, &row);
	}
}

static void tell_processes(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };

	reply_table(client, "processes role:s all:n starting:n ready:n busy:n ending:n");
	for (enum role role = ROLE_FRONT; role <= ROLE_SESSION; role++) {
		const size_t *n = m->processes.counts[role];

		reply_add(&row, process_name(role));
		reply_add_number(&row, processes_living(&m->processes, role));
		reply_add_number(&row, n[PROCESS_SPAWNING] + n[PROCESS_STARTING]);
		reply_add_number(&row, n[PROCESS_READY]);
		reply_add_number(&row, n[PROCESS_BUSY]);
		reply_add_number(&row, n[PROCESS_DRAINING] + n[PROCESS_STOPPING] + n[PROCESS_ENDING]);
		reply_row(client, &row);
	}
}

static void tell_connections(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };

	reply_table(client, "connections service:s open:n");
	for (enum service s = 0; s < SERVICE_COUNT; s++) {
		reply_add(&row, service_name(s));
		reply_add_number(&row, connections_of(m, NULL, s));
		reply_row(client, &row);
	}
}

/* What is gone has counted, and what lives counts now. */
static uint64_t total_of(struct master *m, enum status_counter counter)
{
	uint64_t n = m->totals[counter];

	for (uint32_t slot = 1; slot < STATUS_SLOTS; slot++)
		if (m->processes.by_slot[slot])
			n += status_read(&m->status, slot, counter);
	return n;
}

static void tell_counters(struct master *m, struct control_client *client)
{
	static const struct {
		const char *name;
		enum status_counter counter;
	} counters[] = {
		{ "accepted", STATUS_ACCEPTED },
		{ "refused-limit", STATUS_REFUSED_LIMIT },
		{ "handshakes", STATUS_HANDSHAKES },
		{ "handshakes-resumed", STATUS_HANDSHAKES_RESUMED },
		{ "handshakes-failed", STATUS_HANDSHAKES_FAILED },
		{ "clear-attempts", STATUS_CLEAR_ATTEMPTS },
		{ "bytes-from-clients", STATUS_BYTES_FROM_CLIENTS },
		{ "bytes-to-clients", STATUS_BYTES_TO_CLIENTS },
		{ "verified-ok", STATUS_VERIFIED_OK },
		{ "verified-failed", STATUS_VERIFIED_FAILED },
		{ "commands", STATUS_COMMANDS },
	};
	struct reply_row row = { 0 };

	reply_table(client, "counters counter:s value:n");
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
		reply_add(&row, counters[i].name);
		reply_add_number(&row, total_of(m, counters[i].counter));
		reply_row(client, &row);
	}
}

static void tell_logins(struct master *m, struct control_client *client)
{
	struct reply_row row = { 0 };

	reply_table(client, "logins queued:n verifying:n waiting_for_session:n logged_in:n users:n total:n queue_full:n timeouts:n");
	reply_add_number(&row, m->queue.n);
	reply_add_number(&row, m->processes.counts[ROLE_WORKER][PROCESS_BUSY]);
	reply_add_number(&row, m->n_sessions_waiting);
	reply_add_number(&row, m->n_adopted);
	reply_add_number(&row, m->processes.counts[ROLE_SESSION][PROCESS_BUSY]);
	reply_add_number(&row, m->n_logins);
	reply_add_number(&row, m->n_queue_full);
	reply_add_number(&row, m->n_verify_timeouts);
	reply_row(client, &row);
}

static void tell_certificates(struct master *m, struct control_client *client)
{
	const struct generation *g = m->accepting;
	uint64_t now_usec = clock_realtime_usec();
	struct reply_row row = { 0 };

	reply_table(client, "certificates name:s subject:s key:s expires:t days_left:n file:s");
	for (size_t i = 0; g && i < g->n_certificates; i++) {
		const struct certificate *c = &g->certificates[i];
		uint64_t left_usec = c->not_after_usec > now_usec ? c->not_after_usec - now_usec : 0;

		reply_add(&row, c->name[0] ? c->name : "(default)");
		reply_add(&row, c->subject);
		reply_add(&row, c->key_type);
		reply_add_number(&row, c->not_after_usec);
		reply_add_number(&row, left_usec / (86400 * USEC_PER_SEC));
		reply_add(&row, c->file);
		reply_row(client, &row);
	}
}

void verb_status(struct master *m, struct control_client *client, const struct slice *arguments, size_t n)
{
	static void (*const parts[])(struct master *, struct control_client *) = {
		tell_server, tell_problems, tell_listeners, tell_pools, tell_generations,
		tell_processes, tell_connections, tell_counters, tell_logins, tell_certificates,
	};

	(void)arguments, (void)n;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		parts[i](m, client);
	reply_end(client);
}
