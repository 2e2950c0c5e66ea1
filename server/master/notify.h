/* notify.h - what systemd is told: ready, reloading, stopping, a status text, and that we are alive. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct master;

struct notify {
	uint64_t watchdog_usec; /* 0: no watchdog */
	bool ready;
	char status[200];       /* the text sent last */
};

void notify_init(struct notify *notify);
void notify_ready(struct master *m);
void notify_reloading(void);
void notify_stopping(void);

/* Send the status text if it changed. */
void notify_status(struct master *m);

/* How often pools are asked for a sign of life. */
uint64_t notify_period_usec(const struct notify *notify);

/* All pools have answered in time. */
void notify_alive(const struct notify *notify);
