#include "server/master/master.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/events.h"
#include "server/master/supply.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void master_touch(struct master *m)
{
	ev_feed_event(m->loop, &m->settle, EV_CUSTOM);
}

void master_wake_at(struct master *m, uint64_t at_usec)
{
	uint64_t now_usec = clock_monotonic_usec();
	double seconds = at_usec > now_usec ? (double)(at_usec - now_usec) / (double)USEC_PER_SEC : 0;

	if (ev_is_active(&m->wake) && ev_timer_remaining(m->loop, &m->wake) <= seconds)
		return;
	ev_timer_stop(m->loop, &m->wake);
	ev_timer_set(&m->wake, seconds + 0.001, 0);
	ev_timer_start(m->loop, &m->wake);
}

static void on_settle(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct master *m = watcher->data;
	uint64_t now_usec = clock_monotonic_usec();

	(void)loop, (void)events;
	events_settle(m);
	pools_settle(m, now_usec);
	logins_settle(m);
	sessions_settle(m);
	generations_settle(m);
	reload_settle(m, now_usec);
	supply_settle(m, now_usec);
	control_settle(m, now_usec);
	stop_settle(m, now_usec);
}

static void on_wake(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	master_touch(watcher->data);
}

static void on_tick(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct master *m = watcher->data;
	uint64_t now_usec = clock_monotonic_usec();

	(void)loop, (void)events;
	processes_tick(m, now_usec);
	pools_tick(m, now_usec);
	logins_tick(m, now_usec);
	supply_tick(m, now_usec);
	notify_tick(m);
	if (now_usec - m->pinged_usec >= notify_period_usec(&m->notify)) {
		m->pinged_usec = now_usec;
		if (pools_ping(m, now_usec))
			notify_alive(&m->notify);
	}
	master_touch(m);
}

static void send_tickets(struct master *m)
{
	struct frame frame = tickets_frame(&m->tickets);

	for (enum process_state state = PROCESS_SPAWNING; state <= PROCESS_DRAINING; state++)
		for (struct process *p = m->processes.lists[ROLE_FRONT][state]; p; p = p->next)
			peer_send(&p->peer, &frame, NULL);
	for (struct pool *pool = m->pools; pool; pool = pool->next)
		if (pool->role == ROLE_FRONT_POOL)
			peer_send(&pool->peer, &frame, NULL);
}

static void on_rotate(struct ev_loop *loop, struct ev_timer *watcher, int events)
{
	struct master *m = watcher->data;
	int r = tickets_rotate(&m->tickets);

	(void)loop, (void)events;
	if (r < 0)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "no new ticket key: %s; the old one stays", strerror(-r));
	else
		send_tickets(m);
}

static void on_child(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	events_reap(watcher->data);
}

static void on_stop_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	stop_begin(watcher->data, 0);
}

static void on_hangup(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	reload_begin(watcher->data, RELOAD_ASKED);
}

static void start_signal(struct master *m, struct ev_signal *watcher, void (*call)(struct ev_loop *, struct ev_signal *, int),
	int signal_number)
{
	ev_signal_init(watcher, call, signal_number);
	watcher->data = m;
	ev_signal_start(m->loop, watcher);
}

static void start_timer(struct master *m, struct ev_timer *watcher, void (*call)(struct ev_loop *, struct ev_timer *, int),
	unsigned seconds)
{
	ev_timer_init(watcher, call, seconds, seconds);
	watcher->data = m;
	if (seconds > 0)
		ev_timer_start(m->loop, watcher);
}

static void start_watchers(struct master *m)
{
	start_timer(m, &m->settle, on_settle, 0);
	ev_set_priority(&m->settle, EV_MINPRI);
	start_timer(m, &m->wake, on_wake, 0);
	start_timer(m, &m->tick, on_tick, 1);
	start_timer(m, &m->rotate, on_rotate, TICKETS_ROTATE_SEC);
	start_signal(m, &m->on_child, on_child, SIGCHLD);
	start_signal(m, &m->on_term, on_stop_signal, SIGTERM);
	start_signal(m, &m->on_int, on_stop_signal, SIGINT);
	start_signal(m, &m->on_hup, on_hangup, SIGHUP);
}

/* Every process costs a line, every login a channel for a moment. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* What can be known before the loop runs. Returns false with everything that is wrong in the log. */
static bool open_listeners(struct master *m, const struct conf *conf)
{
	struct listener_problems problems = { 0 };
	int r = listeners_from_systemd(&m->listeners, &problems);

	if (r == -ENOENT)
		r = listeners_open(conf, NULL, &m->listeners, &problems);
	for (size_t i = 0; i < problems.n; i++)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "%s", problems.texts[i]);
	return r == 0;
}

static bool open_control(struct master *m, const struct conf *conf)
{
	int fd = -1;

	if (conf->control.socket[0] == '\0')
		return true;

	int r = control_listen(conf->control.socket, &fd);

	if (r == -EADDRINUSE)
		log_line(master_log(m), LOG_PRIORITY_ERROR,
			"another restanted answers on the control socket %s: stop it, or choose another socket in [control]",
			conf->control.socket);
	else if (r < 0)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "control socket %s: %s", conf->control.socket, strerror(-r));
	else
		control_start(m, fd, conf->control.socket);
	return r == 0;
}

/* The sockets, from a first look at the configuration; the reload that follows reads it again for all roles. */
static bool open_sockets(struct master *m)
{
	struct configuration *first = NULL;
	struct conf_problems problems;

	/* What is wrong with the file is told by the reload, together with what the roles find. */
	if (configuration_load(m->conf_path, ++m->last_number, &first, &problems) < 0) {
		conf_problems_done(&problems);
		return true;
	}

	bool ok = open_listeners(m, first->conf);

	ok &= open_control(m, first->conf);
	conf_problems_done(&problems);
	configuration_unref(first);
	return ok;
}

static bool open_status(struct master *m)
{
	int r = status_create(&m->status_fd);

	if (r == 0)
		r = status_map(m->status_fd, 0, &m->status);
	if (r < 0)
		log_line(master_log(m), LOG_PRIORITY_ERROR, "cannot make the status memory: %s", strerror(-r));
	return r == 0;
}

static bool open_all(struct master *m)
{
	char missing[PATH_MAX];

	if (programs_find(&m->programs, missing) < 0) {
		log_line(master_log(m), LOG_PRIORITY_ERROR, "%s is missing, or may not be executed: the installation is not complete", missing);
		return false;
	}
	if (tickets_rotate(&m->tickets) < 0) {
		log_line(master_log(m), LOG_PRIORITY_ERROR, "the kernel gives no random numbers");
		return false;
	}
	return open_status(m) && open_sockets(m);
}

static struct master *master_new(const char *conf_path, const struct master_hooks *hooks)
{
	struct master *m = calloc(1, sizeof *m);

	must(m != NULL);
	logger_init(&m->logger);
	processes_init(&m->processes);
	notify_init(&m->notify);
	m->conf_path = conf_path;
	m->started_usec = clock_realtime_usec();
	m->status_fd = m->control.fd = -1;
	if (hooks)
		m->hooks = *hooks;
	m->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV); /* not the default loop: that one would reap our children */
	must(m->loop != NULL);
	start_watchers(m);
	return m;
}

static void master_free(struct master *m)
{
	control_done(m);
	reload_done(m);
	sessions_done(m);
	logins_done(m);
	pools_done(m);
	processes_done(&m->processes);
	generations_done(m);
	configuration_unref(m->configuration);
	listeners_done(&m->listeners);
	tickets_done(&m->tickets);
	logger_done(&m->logger);
	notify_done(&m->notify);
	cleanup_close(&m->status_fd);
	free(m->status.own);
	ev_loop_destroy(m->loop);
	free(m);
}

int master_serve(const char *conf_path, const struct master_hooks *hooks)
{
	struct master *m = master_new(conf_path, hooks);
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	/* The children of a pool that dies become ours: they go on, and we hear of their end. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (open_all(m)) {
		reload_begin(m, RELOAD_AT_START);
		if (m->stop.state == STOP_NOT || m->pools)
			ev_run(m->loop, 0);
		status = m->stop.exit_status;
	}
	master_free(m);
	return status;
}
