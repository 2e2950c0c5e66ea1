#include "server/master/stop.h"

#include "base/clock.h"
#include "server/master/master.h"

#include <signal.h>
#include <utlist.h>

static void tell(struct process *p)
{
	peer_send(&p->peer, &(struct frame){ .kind = FRAME_STOP }, NULL);
	process_stop(p, STOP_GRACE_SEC * USEC_PER_SEC);
}

/* A worker may be in the middle of a login that nobody waits for any more. */
static void let_go(struct process *p)
{
	process_dismiss(p);
	p->kill_usec = p->since_usec + USEC_PER_SEC;
}

/* What each role does in each state when the server stops: clients are told, the rest is let go. */
static void stop_process(struct process *p)
{
	bool has_clients = (p->role == ROLE_FRONT && (p->state == PROCESS_READY || p->state == PROCESS_DRAINING)) ||
		(p->role == ROLE_SESSION && p->state == PROCESS_BUSY);

	if (has_clients)
		tell(p);
	else if (p->state != PROCESS_STOPPING && p->state != PROCESS_ENDING && p->state != PROCESS_GONE)
		let_go(p);
}

static void stop_all(struct master *m)
{
	for (enum role role = ROLE_FRONT; role <= ROLE_SESSION; role++)
		for (enum process_state state = 0; state < PROCESS_STOPPING; state++) {
			struct process *p, *next;

			DL_FOREACH_SAFE(m->processes.lists[role][state], p, next)
				stop_process(p);
		}
}

static void kill_all(struct master *m)
{
	struct pool *pool;

	for (enum role role = ROLE_FRONT; role <= ROLE_SESSION; role++)
		for (enum process_state state = 0; state < PROCESS_GONE; state++) {
			struct process *p, *next;

			DL_FOREACH_SAFE(m->processes.lists[role][state], p, next) {
				process_signal(p, SIGKILL);
				if (state != PROCESS_ENDING)
					process_dismiss(p);
			}
		}
	DL_FOREACH(m->pools, pool)
		if (pool->state == POOL_CONFIGURING)
			kill(pool->pid, SIGKILL); /* it may be at work for long, and has no children */
}

static void become(struct master *m, enum stop_state state, unsigned seconds)
{
	m->stop.state = state;
	m->stop.deadline_usec = clock_monotonic_usec() + seconds * USEC_PER_SEC;
	master_wake_at(m, m->stop.deadline_usec);
	master_touch(m);
}

void stop_begin(struct master *m, int exit_status)
{
	if (m->stop.state == STOP_NOT) {
		log_line(master_log(m), LOG_PRIORITY_NOTICE, "stopping");
		notify_stopping(&m->notify);
		m->stop.exit_status = exit_status;
		listeners_done(&m->listeners);
		stop_all(m);
		become(m, STOP_POLITE, STOP_GRACE_SEC);
	} else if (m->stop.state == STOP_POLITE) {
		kill_all(m);
		become(m, STOP_HARD, STOP_KILL_SEC);
	}
}

static size_t living(const struct master *m)
{
	return processes_living(&m->processes, ROLE_FRONT) + processes_living(&m->processes, ROLE_WORKER) +
		processes_living(&m->processes, ROLE_SESSION);
}

static void dismiss_pools(struct master *m)
{
	struct pool *pool;

	DL_FOREACH(m->pools, pool)
		pool_dismiss(pool);
}

void stop_settle(struct master *m, uint64_t now_usec)
{
	if (m->stop.state == STOP_NOT)
		return;

	size_t n = living(m);

	if (n == 0)
		dismiss_pools(m);
	if (n == 0 && !m->pools) {
		m->stop.state = STOP_DONE;
		ev_break(m->loop, EVBREAK_ALL);
	} else if (now_usec < m->stop.deadline_usec) {
		return;
	} else if (m->stop.state == STOP_POLITE) {
		log_line(master_log(m), LOG_PRIORITY_WARNING, "%zu processes did not end in time, and are killed", n);
		stop_begin(m, 0);
	} else if (m->stop.state == STOP_HARD) {
		/* What cannot be killed (a hung file system) is left to systemd. */
		log_line(master_log(m), LOG_PRIORITY_ERROR, "%zu processes cannot be killed", n);
		m->stop.state = STOP_DONE;
		ev_break(m->loop, EVBREAK_ALL);
	}
}
