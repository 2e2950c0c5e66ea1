/* permits.h - which frame may come from whom in which state: what is not in the table ends the peer. Pure. */
#pragma once

#include "server/master/pools.h"
#include "server/master/processes.h"

/* Whether a front, worker or session in this state may send this kind. */
bool permits_process(enum role role, enum process_state state, enum frame_kind kind);

/* Whether a pool in this state may send this kind. */
bool permits_pool(enum pool_state state, enum frame_kind kind);
