/* control.h - the control socket: at most CONTROL_CLIENTS of root's (or our own user's) requests at a time, each bounded in time. */
#pragma once

#include "base/buf.h"
#include "server/ipc/control.h"

#include <ev.h>

struct master;

enum { CONTROL_CLIENTS = 8, CONTROL_REQUEST_SEC = 10, CONTROL_REPLY_SEC = 60, CONTROL_WHO_MSEC = 2000, CONTROL_ARGUMENTS = 8 };

/* READING ──a line──▶ WAITING (for sessions, or a reload) ──▶ WRITING ──▶ (closed); verbs that know at once skip WAITING. */
enum control_state { CONTROL_FREE, CONTROL_READING, CONTROL_WAITING, CONTROL_WRITING };

enum control_wait { CONTROL_WAIT_WHO, CONTROL_WAIT_RELOAD };

struct control_client {
	enum control_state state;
	enum control_wait wait;
	uint64_t wait_for;  /* RELOAD: that many rounds must have ended */
	uint64_t deadline_usec;
	int fd;
	struct ev_io watcher;
	struct master *master;
	bool overflow;      /* the reply did not fit */
	struct buf in, out;
};

struct control {
	int fd;             /* listening; -1: none */
	char path[108];     /* of the socket, removed at the end */
	struct ev_io watcher;
	struct control_client clients[CONTROL_CLIENTS];
	uint64_t who_serial; /* of the round under way or the last one */
	size_t who_open;     /* sessions that have not answered it */
	uint64_t who_deadline_usec;
};

/*
 * Make the socket, mode 0600. A stale one is replaced; a missing parent directory is made.
 * Returns 0; -EADDRINUSE: another server answers there; -ENAMETOOLONG; or -errno.
 */
_must_check_ int control_listen(const char *path, int *ret_fd);

/* Serve requests on a socket of control_listen(); an older one is closed. */
void control_start(struct master *m, int fd, const char *path);

/* Answer what can be answered by now. */
void control_settle(struct master *m, uint64_t now_usec);

/* A session has answered WHO, or is gone. */
void control_who_answered(struct master *m, uint64_t serial);

/* Close all and remove the socket. */
void control_done(struct master *m);
