/* reload.h - taking a configuration into force: at the start, on SIGHUP, and again with the same one when the front pool died. */
#pragma once

#include "server/master/listeners.h"

struct master;
struct configuration;
struct generation;
struct pool;

/*
 *   NONE ──begin──▶ CHECKING ──all pools took it──▶ STARTING ──all fronts READY──▶ NONE (in force)
 *                      │                               │
 *                      └── refused, died, too slow ────┴──▶ NONE (nothing changed; the pools get the old one back)
 */
enum reload_state { RELOAD_NONE, RELOAD_CHECKING, RELOAD_STARTING, RELOAD_STATE_COUNT };

enum reload_reason {
	RELOAD_AT_START, /* a failure ends the master */
	RELOAD_ASKED,    /* SIGHUP, restantectl reload */
	RELOAD_RESTART,  /* the front pool died: same configuration, fronts only */
};

enum { RELOAD_PROBLEMS_MAX = 500 };

struct reload {
	enum reload_state state;
	enum reload_reason reason;
	bool again;                    /* asked for while one was under way */
	uint64_t deadline_usec;
	struct configuration *configuration; /* being tried; a reference */
	struct generation *generation;
	struct listeners listeners;    /* to be used with it; moved to the master on success */
	bool has_listeners;
	/* Of the last one that is over (a RESTART leaves them), and of the one under way. */
	char **problems;
	size_t n_problems;
	bool problems_cut;
	uint64_t succeeded_usec, failed_usec; /* wall clock; 0: never */
	uint64_t rounds;               /* how many ended */
	bool last_ok;
};

/* Begin, or note that it is to be done again. For RELOAD_AT_START, listeners are m->listeners already. */
void reload_begin(struct master *m, enum reload_reason reason);

/* A pool reported a problem: it belongs to the reload if it is about its configuration, else to the log. */
void reload_on_problem(struct master *m, const struct pool *pool, struct slice text);

/* Whether a reload may go from one state to another. Pure. */
bool reload_may_become(enum reload_state from, enum reload_state to);

/* See whether the state under way is complete; start a front pool again that died. */
void reload_settle(struct master *m, uint64_t now_usec);

void reload_done(struct master *m);
