/* login.h - one login, from a front's LOGIN to the end of the connection: queued, verified, placed, adopted. */
#pragma once

#include "server/ipc/frames.h"
#include "server/master/queue.h"

#include <uthash.h>

struct master;
struct process;
struct session;

/*
 *   QUEUED ──a worker is idle──▶ VERIFYING ──ACCOUNT──▶ PLACING ──a session takes it──▶ ADOPTED ──CLOSED──▶ (freed)
 *      │                             │                     │                                │
 *      └── CANCEL, front lost ───────┴─ FAILED, timeout ───┴─ limit, front lost             └─ the session ended
 */
enum login_state { LOGIN_QUEUED, LOGIN_VERIFYING, LOGIN_PLACING, LOGIN_ADOPTED, LOGIN_STATE_COUNT };

/* What an auth worker found out, copied. */
struct account {
	char user[LIMIT_USER_BYTES + 1];
	uint32_t user_uid, user_gid;
	uint8_t groups[4 * LIMIT_GROUPS];
	size_t n_group_bytes;
	char *home, *mail_path, *index_path;
};

/* A front and its own number for a connection. */
struct login_origin {
	uint64_t slot;
	uint64_t front_id;
};

struct login {
	uint64_t id; /* the master's, never used again */
	enum login_state state;
	struct master *master;
	struct login_origin origin;
	struct process *front;   /* not after ADOPTED: a front may end before the session knows */
	uint64_t generation;     /* number of the front's */
	struct process *worker;  /* VERIFYING */
	struct session *session; /* PLACING, once its user's session is found; ADOPTED */
	int channel_fd;          /* -1 once ADOPTED */
	bool cancelled;          /* VERIFYING: the client went away, the worker's answer is of no use */
	enum service service;
	struct address address;
	char tls_version[33], tls_cipher[65];
	uint8_t language;        /* enum language */
	uint64_t since_usec;     /* in this state; monotonic */
	struct account *account;
	uint64_t idle_usec, commands; /* as the session said last, for `who` */
	char *doing;                  /* NULL: it said nothing yet */
	uint64_t kicked_usec;         /* when its session was told to close it; 0: it was not; monotonic */
	struct queue_entry queue_entry;
	struct login *prev, *next;    /* PLACING: the list to be placed, or of a waiting session; ADOPTED: of the session */
	UT_hash_handle hh, hh_origin;
};

/* Whether a login may go from one state to another. Pure. */
bool login_may_become(enum login_state from, enum login_state to);
void login_become(struct login *login, enum login_state state);

/* Frames of fronts; channel_fd is taken over. */
void login_on_login(struct master *m, struct process *front, const struct frame_login *frame, int channel_fd);
void login_on_cancel(struct master *m, struct process *front, const struct frame_login_id *frame);

/* Frames of workers. Return false if the worker does not have that login: it is to be ended. */
_must_check_ bool login_on_account(struct master *m, struct process *worker, const struct frame_account *frame);
_must_check_ bool login_on_failed(struct master *m, struct process *worker, const struct frame_failed *frame);

/* A front is gone: forget its logins that no session has adopted. */
void login_front_lost(struct master *m, struct process *front);

/* A worker is gone: its client gets a temporary failure. */
void login_worker_lost(struct master *m, struct process *worker);

/* Give queued logins to idle workers. */
void logins_settle(struct master *m);

/* Once a second: end workers that hang. */
void logins_tick(struct master *m, uint64_t now_usec);

/* By the master's id; NULL: none. */
struct login *login_by_id(struct master *m, uint64_t id);

/* Its session has the channel now: to ADOPTED, closing our copy. */
void login_adopted(struct login *login);

/* Write a verdict into the channel, then forget the login: not ADOPTED. */
void login_refuse(struct login *login, enum verdict verdict);

/* Tell the session to say goodbye to one connection: ADOPTED. */
void login_kick(struct login *login);

/* Close the channel, if it is still ours, take it out of every table and list (an ADOPTED one: but its session's), and free it. */
void login_free(struct login *login);

/* Free all, at the end; sessions_done() comes before. */
void logins_done(struct master *m);
