/* backoff.h - how long to wait before starting again what died young: 100 ms, doubling up to 30 s. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* All zeros: nothing died yet. */
struct backoff {
	uint64_t delay_usec; /* the last one; 0: none */
	uint64_t until_usec; /* start nothing before */
};

enum { BACKOFF_YOUNG_SEC = 5, BACKOFF_MIN_MSEC = 100, BACKOFF_MAX_MSEC = 30 * 1000 };

/*
 * Count the death of a process that lived for lived_usec.
 * One that lived for BACKOFF_YOUNG_SEC ends the back-off. Several that die in the same wait count once:
 * when somebody kills all of a role, that is one event.
 */
void backoff_died(struct backoff *backoff, uint64_t lived_usec, uint64_t now_usec);

/* Whether something may be started now. */
static inline bool backoff_over(const struct backoff *backoff, uint64_t now_usec)
{
	return now_usec >= backoff->until_usec;
}
