/* events.h - what happens to processes and pools, turned into calls of those who are concerned. */
#pragma once

#include "server/master/peer.h"

struct master;

/* For peer_watch(); the owner is a struct process, a struct pool. */
extern const struct peer_calls events_of_process;
extern const struct peer_calls events_of_pool;

/* Draw the consequences of every process that was lost or reaped since the last call. */
void events_settle(struct master *m);

/* SIGCHLD: reap pools, and processes whose pool is dead. */
void events_reap(struct master *m);
