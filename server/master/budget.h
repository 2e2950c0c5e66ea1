/* budget.h - how many log lines a peer may still write: a bucket that fills steadily. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BUDGET_BURST = 500, BUDGET_PER_SEC = 50 };

/* All zeros is a full bucket. */
struct budget {
	bool started;
	uint64_t filled_usec; /* when it was filled last */
	uint64_t tokens_usec; /* one token is 1 s / BUDGET_PER_SEC */
	uint64_t dropped;     /* lines refused since the last budget_take_dropped() */
};

/* Take a token. Returns whether there was one; if not, the line is counted as dropped. */
bool budget_spend(struct budget *budget, uint64_t now_usec);

/* How many lines were dropped; the count starts again. */
uint64_t budget_take_dropped(struct budget *budget);
