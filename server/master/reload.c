#include "server/master/reload.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/master.h"

#include <errno.h>
#include <stdarg.h>

enum {
	CHECKING_SEC = 40, /* for pools to read a configuration, certificates and keys */
	STARTING_SEC = 20, /* for all fronts to be ready */
};

#define TO(state) (1u << (state))

static const unsigned edges[RELOAD_STATE_COUNT] = {
	[RELOAD_NONE] = TO(RELOAD_CHECKING),
	[RELOAD_CHECKING] = TO(RELOAD_STARTING) | TO(RELOAD_NONE),
	[RELOAD_STARTING] = TO(RELOAD_NONE),
};

bool reload_may_become(enum reload_state from, enum reload_state to)
{
	return from < RELOAD_STATE_COUNT && edges[from] & TO(to);
}

static void become(struct master *m, enum reload_state state, unsigned seconds)
{
	must(reload_may_become(m->reload.state, state));
	m->reload.state = state;
	m->reload.deadline_usec = clock_monotonic_usec() + seconds * USEC_PER_SEC;
	m->processes.fronts_changed = true;
	master_touch(m);
}

static void forget_problems(struct reload *r)
{
	for (size_t i = 0; i < r->n_problems; i++)
		free(r->problems[i]);
	free(r->problems);
	r->problems = NULL;
	r->n_problems = 0;
}

static bool is_known(const struct reload *r, const char *text)
{
	for (size_t i = 0; i < r->n_problems; i++)
		if (strcmp(r->problems[i], text) == 0)
			return true;
	return false;
}

/* Several roles may see the same problem: it is told once. */
static void add_problem(struct reload *r, const char *format, ...) _printf_(2, 3);

static void add_problem(struct reload *r, const char *format, ...)
{
	char text[FRAME_TEXT_BYTES + 400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (r->n_problems == RELOAD_PROBLEMS_MAX || is_known(r, text))
		return;

	char **all = realloc(r->problems, (r->n_problems + 1) * sizeof *all);

	must(all != NULL);
	r->problems = all;
	all[r->n_problems] = strdup(text);
	must(all[r->n_problems] != NULL);
	r->n_problems++;
}

void reload_on_problem(struct master *m, const struct pool *pool, struct slice text)
{
	struct reload *r = &m->reload;

	if (r->state == RELOAD_CHECKING && pool->configuration == r->configuration && r->reason != RELOAD_RESTART)
		add_problem(r, "%.*s", SLICE_FMT(text));
	else
		log_line(master_log(m), LOG_PRIORITY_ERROR, "%s[%d]: %.*s", pool_name(pool->role), (int)pool->pid, SLICE_FMT(text));
}

/* Whether a pool has to be asked in this reload. */
static bool concerns(const struct reload *r, enum role pool_role)
{
	return pool_role == ROLE_FRONT_POOL || r->reason != RELOAD_RESTART;
}

static struct pool *pool_in(struct master *m, enum role pool_role)
{
	return pool_role == ROLE_FRONT_POOL ? m->reload.generation->pool : pool_of(m, pool_role);
}

/* Those that took the new one get the old one again. */
static void give_back(struct master *m, enum role pool_role)
{
	struct pool *pool = pool_of(m, pool_role);

	if (!m->configuration || !pool || pool->configuration == m->configuration)
		return;
	if (pool->state == POOL_CONFIGURING || pool->state == POOL_RECONFIGURING)
		pool_kill(pool, "it did not answer in time, or is not needed with this configuration");
	else if (pool->answer == POOL_REFUSED)
		pool_keep(pool, m->configuration);
	else
		pool_offer(pool, m->configuration);
}

static void end(struct master *m, bool ok)
{
	struct reload *r = &m->reload;
	bool counts = r->reason != RELOAD_RESTART;

	configuration_unref(take_ptr(r->configuration));
	r->generation = NULL;
	listeners_done(&r->listeners);
	r->has_listeners = false;
	if (counts) {
		*(ok ? &r->succeeded_usec : &r->failed_usec) = clock_realtime_usec();
		r->last_ok = ok;
		r->rounds++;
	}
	if (r->state != RELOAD_NONE)
		become(m, RELOAD_NONE, 0);
	if (counts)
		notify_ready(m);
	master_touch(m);
}

static void fail(struct master *m)
{
	struct reload *r = &m->reload;

	if (r->reason != RELOAD_RESTART)
		for (size_t i = 0; i < r->n_problems; i++)
			log_line(master_log(m), LOG_PRIORITY_ERROR, "%s", r->problems[i]);
	if (r->generation)
		generation_become(m, r->generation, GENERATION_STOPPING);
	if (r->reason == RELOAD_AT_START) {
		log_line(master_log(m), LOG_PRIORITY_ERROR, "cannot start: %zu problem%s", r->n_problems, r->n_problems == 1 ? "" : "s");
		stop_begin(m, 1);
	} else if (r->reason == RELOAD_ASKED) {
		log_line(master_log(m), LOG_PRIORITY_ERROR,
			"the configuration was not taken, %zu problem%s; everything goes on as before", r->n_problems,
			r->n_problems == 1 ? "" : "s");
		give_back(m, ROLE_AUTH_POOL);
		give_back(m, ROLE_SESSION_POOL);
	} else {
		uint64_t now_usec = clock_monotonic_usec();

		log_line(master_log(m), LOG_PRIORITY_ERROR, "no new front pool: the old fronts, if any are left, go on");
		backoff_died(&m->backoff[ROLE_FRONT_POOL], 0, now_usec);
		master_wake_at(m, m->backoff[ROLE_FRONT_POOL].until_usec);
	}
	end(m, false);
}

/* The master's own part of a configuration. */
static void apply_own(struct master *m)
{
	const struct conf *conf = m->configuration->conf;
	int r = logger_configure(&m->logger, conf->log.target, conf->log.level);

	if (r < 0)
		log_line(master_log(m), LOG_PRIORITY_WARNING, "the log that [log] asks for cannot be reached: %s; it stays where it is",
			strerror(-r));
	if (conf->control.socket[0] == '\0' || strcmp(conf->control.socket, m->control.path) == 0)
		return;

	int fd = -1;

	r = control_listen(conf->control.socket, &fd);
	if (r < 0)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "control socket %s: %s", conf->control.socket, strerror(-r));
	else
		control_start(m, fd, conf->control.socket);
}

static void take_over_configuration(struct master *m)
{
	struct configuration *before = m->configuration;

	m->configuration = configuration_ref(m->reload.configuration);
	configuration_unref(before);
	apply_own(m);
}

static void take_over_listeners(struct master *m)
{
	struct reload *r = &m->reload;

	if (!r->has_listeners)
		return;
	listeners_done(&m->listeners);
	m->listeners = r->listeners;
	r->listeners = (struct listeners){ 0 };
	r->has_listeners = false;
}

static void succeed(struct master *m)
{
	struct reload *r = &m->reload;
	struct generation *before = m->accepting;
	bool at_start = r->reason == RELOAD_AT_START;

	if (r->reason == RELOAD_ASKED)
		take_over_configuration(m);
	take_over_listeners(m);
	m->accepting = r->generation;
	generation_become(m, r->generation, GENERATION_ACCEPTING);
	if (before)
		generation_become(m, before, GENERATION_DRAINING);
	log_line(master_log(m), LOG_PRIORITY_NOTICE, "%s: generation %llu accepts connections",
		at_start ? "restanted " RESTANTE_VERSION " is up" : r->reason == RELOAD_ASKED ? "configuration taken" : "front pool replaced",
		(unsigned long long)r->generation->number);
	end(m, true);
	if (at_start && m->hooks.on_serving)
		m->hooks.on_serving(m->hooks.arg);
}

/* Read the file. Returns false if it was not to be had; the problems are noted. */
static bool load(struct master *m)
{
	struct reload *r = &m->reload;
	struct conf_problems problems;
	int error = configuration_load(m->conf_path, ++m->last_number, &r->configuration, &problems);

	for (size_t i = 0; i < problems.n; i++) {
		const struct conf_problem *p = &problems.items[i];

		if (p->line > 0)
			add_problem(r, "%s:%u: %s", m->conf_path, p->line, p->text);
		else
			add_problem(r, "%s: %s", m->conf_path, p->text);
	}
	if (error < 0 && problems.n == 0)
		add_problem(r, "%s: cannot read the configuration: %s", m->conf_path, strerror(-error));
	conf_problems_done(&problems);
	return error == 0;
}

static void open_listeners(struct master *m)
{
	struct reload *r = &m->reload;
	struct listener_problems problems = { 0 };

	if (m->listeners.from_systemd || r->reason == RELOAD_AT_START)
		return;
	r->has_listeners = listeners_open(r->configuration->conf, &m->listeners, &r->listeners, &problems) == 0;
	for (size_t i = 0; i < problems.n; i++)
		add_problem(r, "%s: %s", m->conf_path, problems.texts[i]);
}

/* Let one pool read the configuration. */
static void ask_pool(struct master *m, enum role pool_role)
{
	struct reload *r = &m->reload;
	struct pool *pool = pool_of(m, pool_role);

	if (pool && pool->state == POOL_READY)
		pool_offer(pool, r->configuration);
	else if (!pool)
		pool = pool_start(m, pool_role, r->configuration, NULL);
	/* Else it is still busy with an earlier one: see ask_again(). */
	if (!pool)
		add_problem(r, "%s could not be started", pool_name(pool_role));
}

static void begin_checking(struct master *m)
{
	struct reload *r = &m->reload;

	r->generation = generation_start(m, r->configuration);
	if (!r->generation)
		add_problem(r, "%s could not be started", pool_name(ROLE_FRONT_POOL));
	for (enum role role = ROLE_AUTH_POOL; role <= ROLE_SESSION_POOL; role++)
		if (concerns(r, role))
			ask_pool(m, role);
	become(m, RELOAD_CHECKING, CHECKING_SEC);
	if (!r->generation)
		fail(m);
}

void reload_begin(struct master *m, enum reload_reason reason)
{
	struct reload *r = &m->reload;

	if (m->stop.state != STOP_NOT)
		return;
	if (r->state != RELOAD_NONE) {
		r->again |= reason == RELOAD_ASKED;
		return;
	}
	r->reason = reason;
	if (reason == RELOAD_RESTART) {
		r->configuration = configuration_ref(m->configuration);
		begin_checking(m);
		return;
	}
	forget_problems(r);
	if (reason == RELOAD_ASKED) {
		log_line(master_log(m), LOG_PRIORITY_NOTICE, "reading %s", m->conf_path);
		notify_reloading(&m->notify);
	}
	if (!load(m)) {
		fail(m);
		return;
	}
	open_listeners(m);
	begin_checking(m);
}

/* A pool that was busy with an earlier offer when this reload began. Returns the one that is asked now. */
static struct pool *ask_again(struct master *m, struct pool *pool)
{
	if (pool->configuration == m->reload.configuration)
		return pool;
	if (pool->state == POOL_READY) {
		pool_offer(pool, m->reload.configuration);
	} else if (pool->answer == POOL_REFUSED) { /* it was started anew with the old one, and has none */
		pool_dismiss(pool);
		return pool_start(m, pool->role, m->reload.configuration, NULL);
	}
	return pool;
}

enum consent { CONSENT_OPEN, CONSENT_YES, CONSENT_NO };

static enum consent consent_of(struct master *m, enum role pool_role)
{
	struct reload *r = &m->reload;
	struct pool *pool = pool_in(m, pool_role);

	if (pool && pool->state != POOL_ENDING)
		pool = ask_again(m, pool);
	if (!pool || pool->state == POOL_ENDING) {
		add_problem(r, "%s ended while it read the configuration; see the log", pool_name(pool_role));
		return CONSENT_NO;
	}
	if (pool->configuration != r->configuration || pool->answer == POOL_NO_ANSWER)
		return CONSENT_OPEN;
	if (pool->answer == POOL_REFUSED && r->n_problems == 0)
		add_problem(r, "%s refused the configuration", pool_name(pool_role));
	return pool->answer == POOL_TOOK ? CONSENT_YES : CONSENT_NO;
}

static void settle_checking(struct master *m, uint64_t now_usec)
{
	struct reload *r = &m->reload;
	bool all = true, any_no = r->n_problems > 0 && r->reason != RELOAD_RESTART;

	for (enum role role = ROLE_FRONT_POOL; role <= ROLE_SESSION_POOL; role++) {
		if (!concerns(r, role))
			continue;

		enum consent consent = consent_of(m, role);

		if (consent == CONSENT_OPEN && now_usec >= r->deadline_usec) {
			add_problem(r, "%s did not answer in %d seconds", pool_name(role), CHECKING_SEC);
			consent = CONSENT_NO;
		}
		all &= consent != CONSENT_OPEN; /* all problems are told, so all answers are waited for */
		any_no |= consent == CONSENT_NO;
	}
	if (!all)
		return;
	if (any_no) {
		fail(m);
		return;
	}
	if (r->reason == RELOAD_AT_START)
		take_over_configuration(m);
	generation_become(m, r->generation, GENERATION_STARTING);
	become(m, RELOAD_STARTING, STARTING_SEC);
}

/* At the start: the first clients shall not wait for a fork. */
static bool others_ready(struct master *m)
{
	const size_t(*n)[PROCESS_STATE_COUNT] = m->processes.counts;

	return m->reload.reason != RELOAD_AT_START ||
		(n[ROLE_WORKER][PROCESS_READY] + n[ROLE_WORKER][PROCESS_BUSY] > 0 &&
			n[ROLE_SESSION][PROCESS_READY] + n[ROLE_SESSION][PROCESS_BUSY] > 0);
}

static void settle_starting(struct master *m, uint64_t now_usec)
{
	struct reload *r = &m->reload;
	struct generation *g = r->generation;

	if (g->pool && generation_ready_fronts(m, g) >= generation_wanted_fronts(m, g) && others_ready(m))
		succeed(m);
	else if (!g->pool) {
		add_problem(r, "%s ended while its fronts were started; see the log", pool_name(ROLE_FRONT_POOL));
		fail(m);
	} else if (now_usec >= r->deadline_usec) {
		add_problem(r, "not all processes got ready in %d seconds; see the log", STARTING_SEC);
		fail(m);
	}
}

static void restart_front_pool(struct master *m, uint64_t now_usec)
{
	if (!m->accepting || m->accepting->pool)
		return;
	if (backoff_over(&m->backoff[ROLE_FRONT_POOL], now_usec))
		reload_begin(m, RELOAD_RESTART);
	else
		master_wake_at(m, m->backoff[ROLE_FRONT_POOL].until_usec);
}

void reload_settle(struct master *m, uint64_t now_usec)
{
	struct reload *r = &m->reload;

	if (m->stop.state != STOP_NOT)
		return;
	if (r->state == RELOAD_CHECKING)
		settle_checking(m, now_usec);
	else if (r->state == RELOAD_STARTING)
		settle_starting(m, now_usec);
	if (r->state != RELOAD_NONE || m->stop.state != STOP_NOT)
		return;
	if (r->again) {
		r->again = false;
		reload_begin(m, RELOAD_ASKED);
	} else {
		restart_front_pool(m, now_usec);
	}
}

void reload_done(struct master *m)
{
	struct reload *r = &m->reload;

	forget_problems(r);
	configuration_unref(take_ptr(r->configuration));
	listeners_done(&r->listeners);
}
