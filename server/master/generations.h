/* generations.h - a front pool, its fronts and the configuration they were made with; at most one generation accepts. */
#pragma once

#include "server/ipc/frames.h"
#include "server/master/configuration.h"

struct master;
struct pool;
struct process;

/*
 *   CHECKING ──pool READY──▶ STARTING ──all fronts READY──▶ ACCEPTING ──a newer one accepts──▶ DRAINING ──▶ (freed)
 *       │                       │                                                                ▼
 *       └──── given up ─────────┴────────────────────────────────────────────────────────────▶ STOPPING ──▶ (freed)
 *
 * DRAINING: its fronts were told STOP_ACCEPT and go on with the connections they have. STOPPING: they were told to say
 * goodbye. A generation is freed when it has neither pool nor fronts.
 */
enum generation_state {
	GENERATION_CHECKING,
	GENERATION_STARTING,
	GENERATION_ACCEPTING,
	GENERATION_DRAINING,
	GENERATION_STOPPING,
	GENERATION_STATE_COUNT,
};

enum {
	GENERATIONS_MAX = 8,      /* with open connections; then the oldest is stopped */
	GENERATION_CERTIFICATES = 256, /* shown by `status`; more are not kept */
	GENERATION_FRONTS_MAX = 48, /* fronts of a generation: there are STATUS_FRONTS slots for all of them */
};

struct certificate {
	char *name, *file, *subject, *key_type;
	uint64_t not_after_usec;
};

struct generation {
	uint64_t number;
	enum generation_state state;
	struct pool *pool;  /* NULL: it died, or was let go */
	struct configuration *configuration;
	struct certificate *certificates;
	size_t n_certificates;
	unsigned n_fronts;  /* structs of fronts that point here */
	uint64_t since_usec; /* in this state; wall clock */
	struct generation *prev, *next;
};

/* The name of a state, for `status`. */
const char *generation_state_name(enum generation_state state);

/* Whether a generation may go from one state to another. Pure. */
bool generation_may_become(enum generation_state from, enum generation_state to);

/* Start a generation: its pool is started and asked. Returns NULL if that failed (logged). */
struct generation *generation_start(struct master *m, struct configuration *configuration);

/* Keep what the pool tells of a certificate, and warn of one that expires soon. */
void generation_add_certificate(struct master *m, struct generation *g, const struct frame_certificate *certificate);

/* Its fronts that may accept now. */
unsigned generation_ready_fronts(struct master *m, const struct generation *g);

/* Its fronts that will be ready soon. */
unsigned generation_unready_fronts(struct master *m, const struct generation *g);

/* How many fronts a generation should have. */
unsigned generation_wanted_fronts(struct master *m, const struct generation *g);

/* Move to a state, and tell its fronts what that means for them. */
void generation_become(struct master *m, struct generation *g, enum generation_state state);

/* What a front must be told that became ready in a generation that does not accept any more. */
void generation_front_ready(struct generation *g, struct process *front);

/* Let go of generations that have no fronts left; stop the oldest when there are too many, or no slot is left for fronts. */
void generations_settle(struct master *m);

/* Free all, at the end. */
void generations_done(struct master *m);
