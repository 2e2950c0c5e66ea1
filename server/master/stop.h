/* stop.h - ending the server: say goodbye to all clients, wait a little, end the rest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct master;

enum { STOP_GRACE_SEC = 8, STOP_KILL_SEC = 2 };

/* Not stopping, waiting for goodbyes, waiting for the killed, over. */
enum stop_state { STOP_NOT, STOP_POLITE, STOP_HARD, STOP_DONE };

struct stop {
	enum stop_state state;
	uint64_t deadline_usec;
	int exit_status;
};

/* Begin to stop; asked for again while polite, kill everything at once. */
void stop_begin(struct master *m, int exit_status);

/* Go on: let go of pools without processes, kill at the deadline, leave the event loop at the end. */
void stop_settle(struct master *m, uint64_t now_usec);
