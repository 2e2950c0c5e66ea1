/* clock.h - the two clocks, read by whoever owns an event loop and handed down as now_usec. */
#pragma once

#include <stdint.h>
#include <time.h>

#define USEC_PER_SEC 1000000ULL
#define USEC_PER_MSEC 1000ULL

static inline uint64_t clock_usec(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* Wall clock, for what is written down. */
static inline uint64_t clock_realtime_usec(void)
{
	return clock_usec(CLOCK_REALTIME);
}

/* For timeouts: never set back. */
static inline uint64_t clock_monotonic_usec(void)
{
	return clock_usec(CLOCK_MONOTONIC);
}
