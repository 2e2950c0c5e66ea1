/* sessions.h - which process serves which user: the routing table, retiring, and what a session's death leaves behind. */
#pragma once

#include "server/master/login.h"

/*
 *   WAITING ──a spare is taken──▶ ACTIVE ──RETIRE, nothing under way──▶ RETIRING ──reaped──▶ (freed, or WAITING)
 *      ▲                            │                                      │
 *      │                            └────────── line lost, killed ─────────┤
 *      │                                                                   ▼
 *      └────────── reaped, and logins wait or the index may be spoilt ── ENDING ──reaped──▶ (freed)
 *
 * Identity is (uid, mail path). A login is adopted in ACTIVE only; in every other state it waits in session->waiting.
 *
 * Retire. The line keeps order, so when RETIRE arrives, n_connections is the number of ADOPTs sent for which no CLOSED
 * came. 0: none is under way, RETIRE_OK is safe, and no ADOPT follows it. Else the session will see that ADOPT, which
 * cancels its RETIRE; there is nothing to answer. See session_retire_allowed().
 */
enum session_state { SESSION_WAITING, SESSION_ACTIVE, SESSION_RETIRING, SESSION_ENDING, SESSION_STATE_COUNT };

enum { SESSION_PATH_BYTES = LIMIT_PATH_BYTES };

struct session {
	enum session_state state;
	char user[LIMIT_USER_BYTES + 1];
	struct process *process;    /* NULL in WAITING */
	struct login *connections;  /* ADOPTED */
	size_t n_connections;
	struct login *waiting;      /* PLACING */
	size_t n_waiting;
	bool drop_index;            /* for the next ADOPT that takes a spare */
	bool queued;                /* in the line for spares */
	uint64_t since_usec;
	struct session *prev, *next; /* the line for spares */
	UT_hash_handle hh;
	char key[];                 /* uid, then the path */
};

/* Whether a session may go from one state to another. Pure. */
bool session_may_become(enum session_state from, enum session_state to);

/* Whether RETIRE may be answered by RETIRE_OK. Pure. */
bool session_retire_allowed(enum session_state state, size_t n_connections, size_t n_waiting);

/* Whether a process that ended like this may have spoilt the index: SIGSEGV, SIGBUS, SIGABRT. Pure. status as from waitpid(). */
bool session_death_spoils_index(int status);

/* Frames of sessions. Each returns false if the session may not say that now: it is to be ended. */
_must_check_ bool session_on_retire(struct master *m, struct process *p);
_must_check_ bool session_on_closed(struct master *m, struct process *p, const struct frame_login_id *frame);
_must_check_ bool session_on_who_entry(struct master *m, struct process *p, const struct frame_who_entry *frame);

/* Its line is lost: its connections are over. */
void session_process_lost(struct master *m, struct process *p);

/* It was reaped. */
void session_process_gone(struct master *m, struct process *p);

/* A login that waits in session->waiting goes away. */
void session_forget_waiting(struct session *session, struct login *login);

/* Place logins that have an account; give spares to users who wait. */
void sessions_settle(struct master *m);

/* Free the whole table, at the end. */
void sessions_done(struct master *m);
