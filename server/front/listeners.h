/* listeners.h - the listening sockets of a front: when to accept, and what to do with too many. */
#pragma once

#include "base/service.h"
#include "server/ipc/frames.h"

#include <ev.h>

struct front;
struct pool_child;

struct listener {
	struct front *front;
	ev_io watch;
	enum service service;
};

/*
 * Every front listens on every socket. One that has more than its share of all connections, or as many as
 * connections-per-process allows, does not listen for a while; so does one that is out of descriptors.
 */
struct listeners {
	struct listener items[FRAME_MAX_FDS];
	size_t n;
	bool listening;
	bool resting;       /* until rest_timer fires */
	ev_timer rest_timer;
	int reserve_fd;     /* given up for a moment when descriptors run out */
	unsigned max_connections; /* of this process, by its descriptors and by the configuration */
	unsigned n_fronts;        /* that share all connections */
};

/* Take the sockets of child over and start to accept. */
void listeners_start(struct front *front, const struct pool_child *child);

/* Close all sockets. They stay open in other processes: the event loop is made to forget them. */
void listeners_close(struct front *front);

/* Accept or not, as things stand now. Call when a connection came or went. */
void listeners_update(struct front *front);
