/* log_limit.h - how many log lines one client address may cause. Pure; time comes in. */
#pragma once

#include "base/address.h"

enum {
	LOG_LIMIT_SLOTS = 256,
	LOG_LIMIT_LINES = 10,                 /* a client may cause in a window */
	LOG_LIMIT_WINDOW_USEC = 60 * 1000000, /* one minute */
};

/* All zeros is a valid start. Clients share slots by their address: a shared slot is taken over when its window ended. */
struct log_limit {
	struct log_limit_slot {
		struct address client;
		uint64_t began_usec;
		unsigned lines, suppressed;
	} slots[LOG_LIMIT_SLOTS];
};

/*
 * Ask before a line about an address is logged.
 * Returns  whether it may be; then *ret_suppressed says how many of this client's were left out since the last one.
 */
bool log_limit_allow(struct log_limit *limit, const struct address *address, uint64_t now_usec, unsigned *ret_suppressed);
