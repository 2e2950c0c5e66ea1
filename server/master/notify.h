/* notify.h - what systemd is told: ready, reloading, stopping, a status text, and that we are alive. Never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct master;

enum { NOTIFY_TEXT_BYTES = 200, NOTIFY_QUEUE = 8 };

struct notify {
	int fd;                 /* -1: nobody is there to be told */
	uint64_t watchdog_usec; /* 0: no watchdog */
	char status[NOTIFY_TEXT_BYTES];             /* the text sent last */
	char queue[NOTIFY_QUEUE][NOTIFY_TEXT_BYTES]; /* states that found no room, oldest first */
	unsigned n_queued;
};

/* Take NOTIFY_SOCKET and WATCHDOG_USEC out of the environment. */
void notify_init(struct notify *notify);
void notify_done(struct notify *notify);

/* The start, or a reload, is over. */
void notify_ready(struct master *m);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

/* Once a second: send what found no room, and the status text if it changed. */
void notify_tick(struct master *m);

/* How often pools are asked for a sign of life. */
uint64_t notify_period_usec(const struct notify *notify);

/* All pools have answered in time. */
void notify_alive(struct notify *notify);
