/* processes.h - the living processes of the three roles: states, lists by role and state, slots. */
#pragma once

#include "server/ipc/status.h"
#include "server/master/budget.h"
#include "server/master/peer.h"
#include "server/master/slots.h"

#include <uthash.h>

/*
 *  SPAWNING ─▶ STARTING ─▶ READY ─▶ BUSY ─┐       front:   READY accepts, DRAINING has been told STOP_ACCEPT
 *     │            │         │ ▲      │   │       worker:  READY is idle, BUSY verifies a login
 *     │            │         │ └──────┤   │       session: READY is a spare, BUSY is some user's
 *     │            │         ▼        │   │
 *     │            │      DRAINING    │   │       STOPPING: told to stop or retire, its line still open
 *     │            │         ▼        ▼   │
 *     │            ├────▶ STOPPING ◀──┘   │
 *     ▼            ▼         ▼            ▼
 *    GONE ◀───────────────────────── ENDING       ENDING: its line is closed; it must exit
 *
 * SPAWNING: SPAWN was sent to the pool. Nothing is read from the line before the pool has said SPAWNED, so a frame
 * always comes from a known pid. GONE: reaped, freed once its consequences were drawn.
 * A slot is given back only when its process is GONE.
 */
enum process_state {
	PROCESS_SPAWNING,
	PROCESS_STARTING,
	PROCESS_READY,
	PROCESS_BUSY,
	PROCESS_DRAINING,
	PROCESS_STOPPING,
	PROCESS_ENDING,
	PROCESS_GONE,
	PROCESS_STATE_COUNT,
};

struct pool;
struct generation;
struct login;
struct session;
struct master;

struct process {
	struct peer peer;
	struct master *master;
	enum role role;
	enum process_state state;
	uint32_t slot;
	pid_t pid;                      /* 0 before SPAWNED */
	struct pool *pool;              /* NULL: the pool died, the process is a child of the master now */
	struct generation *generation;  /* of a front */
	uint64_t configuration;         /* number of the one it was forked with */
	uint64_t spawned_usec;
	uint64_t since_usec;            /* in this state since; monotonic */
	uint64_t kill_usec;             /* STOPPING, ENDING: SIGKILL then; 0: was sent */
	unsigned requests;              /* of a worker: logins taken */
	struct login *login;            /* of a BUSY worker */
	struct session *session;        /* of a BUSY session */
	int exit_status;                /* GONE: as from waitpid() */
	bool stopped;                   /* by us: its end is no surprise */
	bool may_end;                   /* a front that is DRAINING, or serves one client only: it ends with status 0 when the last one leaves */
	bool lost_told, exit_known, reaped, is_in_events;
	uint64_t who_serial;            /* of a session: WHO is unanswered; 0: none */
	struct budget log_budget;
	struct process *prev, *next;            /* the list of its role and state */
	struct process *prev_event, *next_event; /* the list of those whose end has consequences to draw */
	UT_hash_handle hh;
};

struct processes {
	struct process *lists[ROLE_COUNT][PROCESS_STATE_COUNT];
	size_t counts[ROLE_COUNT][PROCESS_STATE_COUNT];
	struct process **by_slot; /* STATUS_SLOTS entries */
	struct process *by_pid;
	struct process *lost;     /* became ENDING or GONE: the role's part is not done yet */
	struct slots slots;
	bool fronts_changed;      /* supply has to look at the fronts */
	bool front_slots_short;   /* no slot was free for a front */
};

void processes_init(struct processes *processes);
void processes_done(struct processes *processes);

/* Whether a process may go from one state to another. Pure. */
bool process_may_become(enum process_state from, enum process_state to);

/* The name of a state, for logs and `status`. */
const char *process_state_name(enum process_state state);

/*
 * Send SPAWN to a pool that is ready.
 * Returns the new process in state SPAWNING, or NULL: no slot is free, or the line pair could not be made (logged).
 */
struct process *process_spawn(struct master *m, struct pool *pool);

/* The pool told the pid: begin to read. */
void process_spawned(struct process *p, pid_t pid);

/* Move to a state; the edge must be allowed. */
void process_become(struct process *p, enum process_state state);

/* To STOPPING, with its deadline: SIGKILL if it is still there after grace_usec. The caller tells it. */
void process_stop(struct process *p, uint64_t grace_usec);

/* Close the line of a process that has nothing to do any more: it ends by itself, or is killed a little later. */
void process_dismiss(struct process *p);

/* Its line is lost, and not by us: it is about to end, or is killed a little later. */
void process_lose(struct process *p);

/* End a process at once, with the reason in the log. */
void process_kill(struct process *p, const char *reason);

/* Send a signal: through its pool, or, once it is our own child, directly. */
void process_signal(struct process *p, int signal);

/* It was reaped (exit_known: status is as from waitpid()), or never came to be. The struct lives on until its end was dealt with. */
void process_gone(struct process *p, bool exit_known, int status);

/* By slot or pid; NULL: none. */
struct process *process_by_slot(struct processes *processes, uint32_t slot);
struct process *process_by_pid(struct processes *processes, pid_t pid);

/* The pool of these died and was reaped: they are our own children now. */
void processes_orphan(struct master *m, struct pool *pool);

/* Once a second: kill what outlived its deadline. */
void processes_tick(struct master *m, uint64_t now_usec);

/* Give the slot back and free. Only when GONE, its end dealt with. */
void process_free(struct process *p);

/* All that are not GONE, of a role. */
size_t processes_living(const struct processes *processes, enum role role);

/* In words how a process ended: "killed by signal 11 (Segmentation fault)". status as from waitpid(). */
void process_describe_exit(bool known, int status, char ret_text[80]);

/* In logs: "front", "auth", "session". */
const char *process_name(enum role role);
