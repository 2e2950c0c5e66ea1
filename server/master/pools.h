/* pools.h - the pool processes: started by exec, configured, restarted with back-off when they die. */
#pragma once

#include "server/master/configuration.h"
#include "server/master/peer.h"
#include "server/master/budget.h"

struct master;
struct generation;

/*
 *   CONFIGURING ──READY──▶ READY ──CONFIG──▶ RECONFIGURING ──READY or CONFIG_BAD──▶ READY
 *        │                   │                     │
 *        └─CONFIG_BAD────────┴──── line lost ──────┴────▶ ENDING ──reaped──▶ (freed)
 */
enum pool_state { POOL_CONFIGURING, POOL_READY, POOL_RECONFIGURING, POOL_ENDING, POOL_STATE_COUNT };

enum pool_answer { POOL_NO_ANSWER, POOL_TOOK, POOL_REFUSED };

struct pool {
	struct peer peer;
	struct master *master;
	enum role role;
	enum pool_state state;
	pid_t pid;
	struct generation *generation;         /* of a front pool */
	struct configuration *configuration;   /* the one offered last */
	enum pool_answer answer;               /* to it */
	uint64_t started_usec;
	uint64_t ping_serial, pong_serial;
	uint64_t pinged_usec;                  /* when the oldest PING without an answer was sent */
	bool dismissed;                        /* ENDING because it is not needed any more */
	bool reaped;                           /* its last frames are being read, and its pid is not its own any more */
	uint64_t ending_usec;                  /* since when */
	struct budget log_budget;
	struct pool *prev, *next;
};

/* The process role that a pool forks. */
enum role pool_child_role(enum role pool_role);

/* In logs: "front-pool", "auth-pool", "session-pool". */
const char *pool_name(enum role pool_role);

/* Whether a pool may go from one state to another. Pure. */
bool pool_may_become(enum pool_state from, enum pool_state to);

/*
 * Start a pool and offer it a configuration; a front pool gets generation, the sockets and the ticket keys too.
 * Returns it, or NULL: it could not be started (logged).
 */
struct pool *pool_start(struct master *m, enum role role, struct configuration *configuration, struct generation *generation);

/* Offer a ready pool another configuration. */
void pool_offer(struct pool *pool, struct configuration *configuration);

/* It refused an offer, and goes on with what it has: note that. */
void pool_keep(struct pool *pool, struct configuration *configuration);

/* Move to a state; the edge must be allowed. */
void pool_become(struct pool *pool, enum pool_state state);

/* Whether processes can be spawned. */
bool pool_can_spawn(const struct pool *pool);

/* The living pool of the auth or session role; NULL: none at the moment. */
struct pool *pool_of(struct master *m, enum role pool_role);

/* Close the line of a pool that is not needed any more: it ends. */
void pool_dismiss(struct pool *pool);

/* End a pool at once, with the reason in the log. */
void pool_kill(struct pool *pool, const char *reason);

/* By pid; NULL: none. */
struct pool *pool_by_pid(struct master *m, pid_t pid);

/* It was reaped, with this status: its children are ours now. Frees it. */
void pool_reaped(struct pool *pool, int status);

/* Start the auth and session pools again that died, when their back-off is over. */
void pools_settle(struct master *m, uint64_t now_usec);

/* PING every pool; kill those that have not answered for long. Returns whether all have answered the PING before. */
bool pools_ping(struct master *m, uint64_t now_usec);

/* Free all, at the end. */
void pools_done(struct master *m);

/* Once a second: kill pools that do not end. */
void pools_tick(struct master *m, uint64_t now_usec);
