/* supply.h - how many processes of each role there should be, and spawning what is missing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct master;
struct process;

/* What decides about auth workers. */
struct supply_workers {
	size_t idle, starting, busy, ending;
	unsigned min, max;
};

/* How many workers to spawn now: `min` idle ones are kept, up to `max` in all; twice that with those that do not end. Pure. */
size_t supply_workers_missing(const struct supply_workers *have);

/* How many spare sessions to spawn now: `spares`, and one for each user who waits. Pure. */
size_t supply_spares_missing(size_t ready, size_t starting, size_t waiting, size_t spares);

/* Spawn what is missing, and dismiss what was forked with another configuration. */
void supply_settle(struct master *m, uint64_t now_usec);

/* A front, worker or spare session was reaped: say so and back off, unless it was told to go. */
void supply_process_gone(struct master *m, struct process *p);

/* Once a second: dismiss workers that were idle for a minute; look for fronts that serve one client each. */
void supply_tick(struct master *m, uint64_t now_usec);
