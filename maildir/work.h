/* work.h - how much a step may do, and when to come back. Nothing in maildir/ sleeps or waits. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Handed to every operation that may be long. The operation takes units off budget: one a message touched, one
 * per 16 KiB read or written; it may overdraw by one unit. What it answers, beside its own errors:
 *
 *   0             done
 *   -EINPROGRESS  the budget is used up: call again, same arguments, with a fresh budget
 *   -EAGAIN       another program holds a lock: call again after retry_usec
 */
struct work {
	uint64_t now_usec; /* wall clock */
	size_t budget;
	uint64_t retry_usec; /* set with -EAGAIN */
};
