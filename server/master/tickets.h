/* tickets.h - the keys of TLS session tickets, shared by all fronts: a random one every 12 hours, two old ones kept. */
#pragma once

#include "server/ipc/frames.h"

enum { TICKETS_ROTATE_SEC = 12 * 3600 };

struct tickets {
	uint8_t keys[TICKET_KEYS * TICKET_KEY_BYTES]; /* the current one first */
	size_t n;
};

/* Make a new current key from the kernel's random source; the oldest goes. Returns 0 or -errno. */
_must_check_ int tickets_rotate(struct tickets *tickets);

/* The frame that hands the keys out; its slice points into tickets. */
struct frame tickets_frame(const struct tickets *tickets);

/* Overwrite all keys. */
void tickets_done(struct tickets *tickets);
