/*
 * Frames are checked against permits.c, then go to one handler by kind. A handler returns false if the peer has
 * no business saying that now: it is ended.
 */
#include "server/master/events.h"

#include "base/clock.h"
#include "server/master/master.h"
#include "server/master/permits.h"
#include "server/master/supply.h"

#include <sys/wait.h>
#include <utlist.h>

static void pass_log(struct master *m, struct budget *budget, const char *name, pid_t pid, const struct frame_log *frame)
{
	if (!budget_spend(budget, clock_monotonic_usec()))
		return;

	uint64_t dropped = budget_take_dropped(budget);

	if (dropped > 0)
		log_line(master_log(m), LOG_PRIORITY_WARNING, "%s[%d] logs too much: %llu lines were dropped", name, (int)pid,
			(unsigned long long)dropped);
	logger_write(&m->logger, name, pid, (enum log_priority)frame->priority, frame->text);
}

/* Processes. */

static bool on_ready(struct process *p, struct line_frame *f)
{
	(void)f;
	if (p->state != PROCESS_STARTING)
		return true; /* told to stop meanwhile */
	process_become(p, PROCESS_READY);
	if (p->generation)
		generation_front_ready(p->generation, p);
	return true;
}

static bool on_log(struct process *p, struct line_frame *f)
{
	pass_log(p->master, &p->log_budget, process_name(p->role), p->pid, &f->frame.log);
	return true;
}

static bool on_login(struct process *p, struct line_frame *f)
{
	login_on_login(p->master, p, &f->frame.login, line_frame_take_fd(f, 0));
	return true;
}

static bool on_cancel(struct process *p, struct line_frame *f)
{
	login_on_cancel(p->master, p, &f->frame.login_id);
	return true;
}

static bool on_account(struct process *p, struct line_frame *f)
{
	return login_on_account(p->master, p, &f->frame.account);
}

static bool on_failed(struct process *p, struct line_frame *f)
{
	return login_on_failed(p->master, p, &f->frame.failed);
}

static bool on_retire(struct process *p, struct line_frame *f)
{
	(void)f;
	return session_on_retire(p->master, p);
}

static bool on_closed(struct process *p, struct line_frame *f)
{
	return session_on_closed(p->master, p, &f->frame.login_id);
}

static bool on_who_entry(struct process *p, struct line_frame *f)
{
	return p->who_serial != 0 && session_on_who_entry(p->master, p, &f->frame.who_entry);
}

static bool on_who_end(struct process *p, struct line_frame *f)
{
	if (f->frame.serial.serial != p->who_serial || p->who_serial == 0)
		return false;
	control_who_answered(p->master, p->who_serial);
	p->who_serial = 0;
	return true;
}

static bool (*const process_handlers[FRAME_KIND_COUNT])(struct process *, struct line_frame *) = {
	[FRAME_READY] = on_ready,
	[FRAME_LOG] = on_log,
	[FRAME_LOGIN] = on_login,
	[FRAME_CANCEL] = on_cancel,
	[FRAME_ACCOUNT] = on_account,
	[FRAME_FAILED] = on_failed,
	[FRAME_RETIRE] = on_retire,
	[FRAME_CLOSED] = on_closed,
	[FRAME_WHO_ENTRY] = on_who_entry,
	[FRAME_WHO_END] = on_who_end,
};

/* Told with the next frame that comes: what was lost left no other trace. */
static void tell_lost_frames(struct process *p)
{
	struct line *line = &p->peer.line;

	if (line->lost_frames == 0)
		return;
	log_line(master_log(p->master), LOG_PRIORITY_ERROR,
		"%llu logins were dropped: no room for their descriptors; raise LimitNOFILE, or lower max-connections",
		(unsigned long long)line->lost_frames);
	line->lost_frames = 0;
}

static void on_process_frame(void *owner, struct line_frame *f)
{
	struct process *p = owner;
	enum frame_kind kind = f->frame.kind;
	char reason[80];

	master_touch(p->master);
	tell_lost_frames(p);
	if (p->state == PROCESS_ENDING)
		return; /* an orphan whose end of file we wait for */
	if (permits_process(p->role, p->state, kind) && process_handlers[kind](p, f))
		return;
	snprintf(reason, sizeof reason, "it sent %s while it was %s", frame_name(kind), process_state_name(p->state));
	process_kill(p, reason);
}

static void on_process_lost(void *owner, enum peer_loss loss)
{
	struct process *p = owner;

	master_touch(p->master);
	if (loss == PEER_MALFORMED)
		process_kill(p, "it sent what is no frame");
	else if (loss == PEER_STUCK)
		process_kill(p, "it does not read what it is told");
	else if (p->state == PROCESS_ENDING && !p->pool && p->pid == 0)
		process_gone(p, false, 0);
	else if (p->state != PROCESS_ENDING)
		process_lose(p);
}

const struct peer_calls events_of_process = { on_process_frame, on_process_lost };

/* Pools. */

static bool on_pool_ready(struct pool *pool, struct line_frame *f)
{
	(void)f;
	pool->answer = POOL_TOOK;
	pool_become(pool, POOL_READY);
	return true;
}

static bool on_problem(struct pool *pool, struct line_frame *f)
{
	reload_on_problem(pool->master, pool, f->frame.text.text);
	return true;
}

static bool on_config_bad(struct pool *pool, struct line_frame *f)
{
	(void)f;
	pool->answer = POOL_REFUSED;
	if (pool->state == POOL_RECONFIGURING)
		pool_become(pool, POOL_READY);
	return true;
}

static bool on_certificate(struct pool *pool, struct line_frame *f)
{
	if (pool->generation)
		generation_add_certificate(pool->master, pool->generation, &f->frame.certificate);
	return true;
}

static bool on_spawned(struct pool *pool, struct line_frame *f)
{
	struct process *p = process_by_slot(&pool->master->processes, f->frame.process.slot);

	if (!p || p->pool != pool || p->pid != 0 || f->frame.process.pid == 0 || f->frame.process.pid > INT32_MAX)
		return false;
	process_spawned(p, (pid_t)f->frame.process.pid);
	return true;
}

static bool on_exited(struct pool *pool, struct line_frame *f)
{
	const struct frame_exited *e = &f->frame.exited;
	struct process *p = process_by_slot(&pool->master->processes, e->slot);

	if (!p || p->pool != pool || p->reaped || (uint32_t)p->pid != e->pid)
		return false;
	if (e->pid == 0)
		log_line(master_log(pool->master), LOG_PRIORITY_ERROR, "%s[%d] cannot fork: %s", pool_name(pool->role),
			(int)pool->pid, strerror((int)e->status));
	process_gone(p, e->pid != 0, (int)e->status);
	return true;
}

static bool on_pong(struct pool *pool, struct line_frame *f)
{
	if (f->frame.serial.serial > pool->ping_serial)
		return false;
	pool->pong_serial = f->frame.serial.serial;
	return true;
}

static bool on_pool_log(struct pool *pool, struct line_frame *f)
{
	pass_log(pool->master, &pool->log_budget, pool_name(pool->role), pool->pid, &f->frame.log);
	return true;
}

static bool (*const pool_handlers[FRAME_KIND_COUNT])(struct pool *, struct line_frame *) = {
	[FRAME_READY] = on_pool_ready,
	[FRAME_PROBLEM] = on_problem,
	[FRAME_CONFIG_BAD] = on_config_bad,
	[FRAME_CERTIFICATE] = on_certificate,
	[FRAME_SPAWNED] = on_spawned,
	[FRAME_EXITED] = on_exited,
	[FRAME_PONG] = on_pong,
	[FRAME_LOG] = on_pool_log,
};

static void on_pool_frame(void *owner, struct line_frame *f)
{
	struct pool *pool = owner;
	enum frame_kind kind = f->frame.kind;
	char reason[80];

	master_touch(pool->master);
	if (permits_pool(pool->state, kind) && pool_handlers[kind](pool, f))
		return;
	snprintf(reason, sizeof reason, "it sent %s out of turn", frame_name(kind));
	pool_kill(pool, reason);
}

static void on_pool_lost(void *owner, enum peer_loss loss)
{
	static const char *const reasons[] = {
		[PEER_CLOSED] = "its line was closed",
		[PEER_MALFORMED] = "it sent what is no frame",
		[PEER_STUCK] = "it does not read what it is told",
	};

	pool_kill(owner, reasons[loss]);
}

const struct peer_calls events_of_pool = { on_pool_frame, on_pool_lost };

/* Consequences. */

static const struct {
	void (*lost)(struct master *m, struct process *p);
	void (*gone)(struct master *m, struct process *p);
} roles[ROLE_COUNT] = {
	[ROLE_FRONT] = { login_front_lost, supply_process_gone },
	[ROLE_WORKER] = { login_worker_lost, supply_process_gone },
	[ROLE_SESSION] = { session_process_lost, session_process_gone },
};

/* What it counted must not vanish with its slot. What a process has open now (the first counters) has ended with it. */
static void keep_totals(struct master *m, const struct process *p)
{
	for (enum status_counter c = STATUS_ACCEPTED; c < STATUS_COUNTER_COUNT; c++)
		m->totals[c] += status_read(&m->status, p->slot, c);
}

static void draw_consequences(struct master *m, struct process *p)
{
	if (!p->lost_told) {
		p->lost_told = true;
		roles[p->role].lost(m, p);
	}
	if (p->state != PROCESS_GONE)
		return;
	keep_totals(m, p);
	roles[p->role].gone(m, p);
	process_free(p);
}

void events_settle(struct master *m)
{
	struct process *p;

	while ((p = m->processes.lost) != NULL) {
		DL_DELETE2(m->processes.lost, p, prev_event, next_event);
		p->is_in_events = false;
		draw_consequences(m, p);
	}
}

void events_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct pool *pool = pool_by_pid(m, pid);
		struct process *p = process_by_pid(&m->processes, pid);

		if (pool)
			pool_reaped(pool, status);
		else if (p)
			process_gone(p, true, status);
		/* Else a child of an orphan, or one whose pool died before it could tell: nothing depends on it. */
	}
	master_touch(m);
}
