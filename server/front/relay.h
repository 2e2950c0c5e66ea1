/* relay.h - a connection that is logged in: bytes between TLS and the channel, both ways, each side no faster than the other. */
#pragma once

#include "server/front/connection.h"

enum {
	RELAY_TURN_BYTES = 128 * 1024,       /* to the client, before others have their turn */
	RELAY_GOODBYE_USEC = 30 * 1000000,   /* for the session, after TIMEOUT or STOP */
	RELAY_EOF_USEC = 60 * 1000000,       /* for the session, after the client's end */
	RELAY_INFLATE_BYTES = 64 * 1024,     /* inflated at once, and what a client may have in flight there */
	RELAY_OUT_BYTES = 256 * 1024,        /* of c->out with compression: what one frame becomes, at worst */
	RELAY_REST_USEC = 2 * 1000000,       /* quiet for so long, a connection gives the memory of compression back */
	RELAY_RETRY_USEC = 1000000,          /* when the channel had no room for one of these */
};

/* Begin: the verdict was VERDICT_OK and has been answered into out. The state becomes RELAY. */
void relay_start(struct connection *c);

/* Free what the relay holds; it may never have begun. */
void relay_done(struct connection *c);

/* The front ends: the next step tells the session, which says goodbye to the client. */
void relay_stop(struct connection *c);

/* The step of RELAY, what it waits for, and when it is due. */
void relay_step(struct connection *c, unsigned events);
unsigned relay_waits(const struct connection *c);
uint64_t relay_due_usec(const struct connection *c);
