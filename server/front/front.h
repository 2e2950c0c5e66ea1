/* front.h - one front process: its loop, its line to the master, what all its connections share. */
#pragma once

#include "base/log.h"
#include "server/front/listeners.h"
#include "server/front/log_limit.h"
#include "server/front/sandbox.h"
#include "server/front/tls_context.h"
#include "server/ipc/line.h"
#include "server/ipc/status.h"
#include "server/pool/pool.h"

#include <ev.h>

struct connection;

/* What the pool prepares, and every front inherits. */
struct front_state {
	struct tls_contexts *tls;
	struct sandbox sandbox;
};

enum front_phase {
	FRONT_SERVING,  /* accepts */
	FRONT_DRAINING, /* a newer generation accepts; ends with its last connection */
	FRONT_STOPPING, /* goodbyes go out; ends with its last connection, or FRONT_STOP_USEC later */
};

enum { FRONT_STOP_USEC = 5 * 1000000 };

/* The one of a process. */
struct front {
	struct ev_loop *loop;
	const struct conf *conf;
	struct tls_contexts *tls;
	struct line line;
	ev_io line_watch;
	struct log log;
	struct log_limit log_limit;
	struct status status;
	enum front_phase phase;
	struct listeners listeners;
	struct connection *connections; /* a list */
	unsigned n_connections, n_refusing;
	uint64_t last_login_id;
	ev_timer stop_timer;
};

/* Be a front until it is over: struct pool_type's child. Returns the exit status. */
int front_run(void *front_state, const struct pool_child *child);

/*
 * Send a frame to the master. A master that is gone makes the front stop, as soon as the loop is reached again.
 * fds as in line_send().
 */
void front_send(struct front *front, const struct frame *frame, const int *fds);

/* Log a line that a client's address caused: at most LOG_LIMIT_LINES a minute of each address. */
void front_log_client(struct front *front, enum log_priority priority, const struct address *address, const char *format, ...)
	_printf_(4, 5);

/* A connection is gone: accept again, or end if it was the last one. */
void front_connection_ended(struct front *front);
