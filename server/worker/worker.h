/* worker.h - an auth worker at work: one login at a time, credentials in; verdict, or account, out. Blocks. */
#pragma once

#include "auth/penalty.h"
#include "server/pool/pool.h"

/*
 * Tell the master READY, then answer each VERIFY until the line ends.
 * For a login that fails, the verdict is written into the channel before FAILED is sent; one that succeeds is
 * answered by ACCOUNT alone, and the session speaks first in the channel.
 * The password lies in the buffer of the channel, and where PAM keeps it, for as long as the login takes; both are wiped.
 * Returns 0 when the line ended, 1 if the master sent something else than it may. For the exit status.
 */
int worker_serve(const struct pool_child *child, struct penalty *penalty);
