#include "server/master/processes.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/events.h"
#include "server/master/master.h"

#include <signal.h>
#include <sys/wait.h>
#include <utlist.h>

enum {
	DISMISS_GRACE_SEC = 5, /* a process whose line was closed has nothing left to do */
	KILL_AGAIN_SEC = 1,    /* its pool may have died just when it was to pass SIGKILL on */
	START_SEC = 60,        /* from SPAWNED to READY */
};

#define TO(state) (1u << (state))

static const unsigned edges[PROCESS_STATE_COUNT] = {
	[PROCESS_SPAWNING] = TO(PROCESS_STARTING) | TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_STARTING] = TO(PROCESS_READY) | TO(PROCESS_STOPPING) | TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_READY] = TO(PROCESS_BUSY) | TO(PROCESS_DRAINING) | TO(PROCESS_STOPPING) | TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_BUSY] = TO(PROCESS_READY) | TO(PROCESS_STOPPING) | TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_DRAINING] = TO(PROCESS_STOPPING) | TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_STOPPING] = TO(PROCESS_ENDING) | TO(PROCESS_GONE),
	[PROCESS_ENDING] = TO(PROCESS_GONE),
};

static const char *const state_names[PROCESS_STATE_COUNT] = {
	"spawning", "starting", "ready", "busy", "draining", "stopping", "ending", "gone",
};

static const char *const names[ROLE_COUNT] = {
	[ROLE_FRONT] = "front",
	[ROLE_WORKER] = "auth",
	[ROLE_SESSION] = "session",
};

const char *process_name(enum role role)
{
	must(role < ROLE_COUNT && names[role]);
	return names[role];
}

void process_describe_exit(bool known, int status, char ret_text[80])
{
	if (!known)
		snprintf(ret_text, 80, "how is not known: its pool died first");
	else if (WIFSIGNALED(status))
		snprintf(ret_text, 80, "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(ret_text, 80, "exit status %d", WEXITSTATUS(status));
}

const char *process_state_name(enum process_state state)
{
	must(state < PROCESS_STATE_COUNT);
	return state_names[state];
}

bool process_may_become(enum process_state from, enum process_state to)
{
	return from < PROCESS_STATE_COUNT && edges[from] & TO(to);
}

void processes_init(struct processes *processes)
{
	*processes = (struct processes){ 0 };
	processes->by_slot = calloc(STATUS_SLOTS, sizeof(struct process *));
	must(processes->by_slot != NULL);
}

void processes_done(struct processes *processes)
{
	for (uint32_t slot = 0; slot < STATUS_SLOTS; slot++) {
		struct process *p = processes->by_slot[slot];

		if (!p)
			continue;
		peer_close(&p->peer);
		if (p->pid > 0 && !p->reaped)
			HASH_DEL(processes->by_pid, p);
		free(p);
	}
	free(processes->by_slot);
}

static void enter_list(struct process *p)
{
	struct processes *all = &p->master->processes;

	DL_PREPEND(all->lists[p->role][p->state], p);
	all->counts[p->role][p->state]++;
	all->fronts_changed |= p->role == ROLE_FRONT;
}

static void leave_list(struct process *p)
{
	struct processes *all = &p->master->processes;

	DL_DELETE(all->lists[p->role][p->state], p);
	all->counts[p->role][p->state]--;
}

/* Its end, or the end of its line, has consequences that are drawn later. */
static void add_to_lost(struct process *p)
{
	if (p->is_in_events)
		return;
	p->is_in_events = true;
	DL_APPEND2(p->master->processes.lost, p, prev_event, next_event);
}

void process_become(struct process *p, enum process_state state)
{
	must(process_may_become(p->state, state));
	leave_list(p);
	p->state = state;
	p->since_usec = clock_monotonic_usec();
	enter_list(p);
	if (state == PROCESS_ENDING || state == PROCESS_GONE)
		add_to_lost(p);
	master_touch(p->master);
}

static struct process *new_process(struct master *m, struct pool *pool, uint32_t slot, int line_fd)
{
	struct process *p = calloc(1, sizeof *p);

	must(p != NULL);
	p->master = m;
	p->role = pool_child_role(pool->role);
	p->slot = slot;
	p->pool = pool;
	p->generation = pool->generation;
	p->configuration = pool->configuration->number;
	p->spawned_usec = p->since_usec = clock_monotonic_usec();
	if (p->generation)
		p->generation->n_fronts++;
	peer_open(&p->peer, m->loop, line_fd, p->role);
	m->processes.by_slot[slot] = p;
	enter_list(p);
	return p;
}

struct process *process_spawn(struct master *m, struct pool *pool)
{
	int line_fds[2];
	uint32_t slot = slots_take(&m->processes.slots, pool->role == ROLE_FRONT_POOL);

	if (slot == 0) {
		m->processes.front_slots_short |= pool->role == ROLE_FRONT_POOL;
		return NULL;
	}

	int r = line_pair(line_fds);

	if (r < 0) {
		slots_release(&m->processes.slots, slot);
		log_line(master_log(m), LOG_PRIORITY_ERROR, "cannot make a line for a new process: %s", strerror(-r));
		return NULL;
	}
	status_clear_slot(m->status_fd, slot);

	struct process *p = new_process(m, pool, slot, line_fds[0]);
	int fds[2] = { line_fds[1], m->status_fd };

	peer_send(&pool->peer, &(struct frame){ .kind = FRAME_SPAWN, .process = { .slot = slot } }, fds);
	close(line_fds[1]);
	return p;
}

void process_spawned(struct process *p, pid_t pid)
{
	must(p->pid == 0 && pid > 0);
	p->pid = pid;
	HASH_ADD(hh, p->master->processes.by_pid, pid, sizeof p->pid, p);
	if (p->state != PROCESS_SPAWNING)
		return; /* dismissed in between */
	process_become(p, PROCESS_STARTING);
	peer_watch(&p->peer, &events_of_process, p);
}

void process_signal(struct process *p, int signal)
{
	if (p->pid == 0 || p->reaped)
		return;
	if (!p->pool) {
		kill(p->pid, signal); /* our own child, not reaped: the pid is its */
		return;
	}

	struct frame frame = { .kind = FRAME_KILL, .kill = { (uint32_t)p->pid, (uint32_t)signal } };

	peer_send(&p->pool->peer, &frame, NULL);
}

void process_stop(struct process *p, uint64_t grace_usec)
{
	process_become(p, PROCESS_STOPPING);
	p->stopped = true;
	p->kill_usec = p->since_usec + grace_usec;
}

void process_lose(struct process *p)
{
	peer_close(&p->peer);
	process_become(p, PROCESS_ENDING);
	p->kill_usec = p->since_usec + DISMISS_GRACE_SEC * USEC_PER_SEC;
}

void process_dismiss(struct process *p)
{
	p->stopped = true;
	process_lose(p);
}

void process_kill(struct process *p, const char *reason)
{
	if (p->state == PROCESS_GONE)
		return;
	log_line(master_log(p->master), LOG_PRIORITY_WARNING, "%s[%d] is ended: %s", process_name(p->role), (int)p->pid, reason);
	peer_close(&p->peer);
	if (p->state != PROCESS_ENDING)
		process_become(p, PROCESS_ENDING);
	process_signal(p, SIGKILL);
	p->kill_usec = clock_monotonic_usec() + KILL_AGAIN_SEC * USEC_PER_SEC;
}

void process_gone(struct process *p, bool exit_known, int status)
{
	must(!p->reaped);
	if (p->pid > 0)
		HASH_DEL(p->master->processes.by_pid, p);
	p->reaped = true;
	p->exit_known = exit_known;
	p->exit_status = status;
	if (p->state != PROCESS_ENDING)
		peer_drain(&p->peer); /* its last words */
	peer_close(&p->peer);
	process_become(p, PROCESS_GONE);
}

struct process *process_by_slot(struct processes *processes, uint32_t slot)
{
	return slot < STATUS_SLOTS ? processes->by_slot[slot] : NULL;
}

struct process *process_by_pid(struct processes *processes, pid_t pid)
{
	struct process *p;

	HASH_FIND(hh, processes->by_pid, &pid, sizeof pid, p);
	return p;
}

/*
 * The pool died between fork and SPAWNED, or before fork: the pid is not known. If there is a child, it sees our end of
 * file and exits; when no other end is left, we see that (on_lost), and the slot is free.
 */
static void orphan_unborn(struct process *p)
{
	if (!peer_is_open(&p->peer)) {
		process_gone(p, false, 0);
		return;
	}
	process_become(p, PROCESS_ENDING);
	peer_shutdown(&p->peer);
	peer_watch(&p->peer, &events_of_process, p);
}

static void orphan(struct process *p)
{
	int status;

	p->pool = NULL;
	if (p->pid == 0) {
		orphan_unborn(p);
		return;
	}

	pid_t pid = waitpid(p->pid, &status, WNOHANG);

	if (pid != 0)
		process_gone(p, pid > 0, status); /* ECHILD: the pool had reaped it, and could not say so any more */
}

void processes_orphan(struct master *m, struct pool *pool)
{
	enum role role = pool_child_role(pool->role);

	for (enum process_state state = 0; state < PROCESS_GONE; state++) {
		struct process *p, *next;

		/* Nobody moves to a state that comes earlier here, and who moves on has no pool any more. */
		DL_FOREACH_SAFE(m->processes.lists[role][state], p, next)
			if (p->pool == pool)
				orphan(p);
	}
}

static void tick_list(struct process *list, uint64_t now_usec)
{
	struct process *p, *next;

	DL_FOREACH_SAFE(list, p, next) {
		if (p->state == PROCESS_STARTING && now_usec - p->since_usec > START_SEC * USEC_PER_SEC)
			process_kill(p, "it did not get ready in time");
		else if (p->state == PROCESS_STOPPING && now_usec >= p->kill_usec)
			process_kill(p, "it did not stop in time");
		else if (p->state == PROCESS_ENDING && p->kill_usec > 0 && now_usec >= p->kill_usec)
			process_signal(p, SIGKILL);
	}
}

void processes_tick(struct master *m, uint64_t now_usec)
{
	for (enum role role = ROLE_FRONT; role <= ROLE_SESSION; role++) {
		tick_list(m->processes.lists[role][PROCESS_STARTING], now_usec);
		tick_list(m->processes.lists[role][PROCESS_STOPPING], now_usec);
		tick_list(m->processes.lists[role][PROCESS_ENDING], now_usec);
	}
}

void process_free(struct process *p)
{
	struct processes *all = &p->master->processes;

	must(p->state == PROCESS_GONE && !p->is_in_events);
	leave_list(p);
	if (p->generation)
		p->generation->n_fronts--;
	all->by_slot[p->slot] = NULL;
	slots_release(&all->slots, p->slot);
	free(p);
}

size_t processes_living(const struct processes *processes, enum role role)
{
	size_t n = 0;

	for (enum process_state state = 0; state < PROCESS_GONE; state++)
		n += processes->counts[role][state];
	return n;
}
