/*
 * frames.c says who may send a kind at all; this says when. Rows allow what may cross a frame of ours on its way:
 * a front that was told to stop may have sent LOGIN before.
 */
#include "server/master/permits.h"

#define IN(state) (1u << (state))

enum {
	AT_WORK = IN(PROCESS_READY) | IN(PROCESS_DRAINING) | IN(PROCESS_STOPPING),
	ADOPTED = IN(PROCESS_BUSY) | IN(PROCESS_STOPPING),
	KNOWN = IN(PROCESS_STARTING) | IN(PROCESS_READY) | IN(PROCESS_BUSY) | IN(PROCESS_DRAINING) | IN(PROCESS_STOPPING),
	/* STOPPING: the session was told to stop while it became ready. */
	BECOMES_READY = IN(PROCESS_STARTING) | IN(PROCESS_STOPPING),
};

static const unsigned from_process[FRAME_KIND_COUNT][ROLE_COUNT] = {
	[FRAME_READY] = { [ROLE_FRONT] = BECOMES_READY, [ROLE_WORKER] = BECOMES_READY, [ROLE_SESSION] = BECOMES_READY },
	[FRAME_LOG] = { [ROLE_FRONT] = KNOWN, [ROLE_WORKER] = KNOWN, [ROLE_SESSION] = KNOWN },
	[FRAME_LOGIN] = { [ROLE_FRONT] = AT_WORK },
	[FRAME_CANCEL] = { [ROLE_FRONT] = AT_WORK },
	[FRAME_ACCOUNT] = { [ROLE_WORKER] = IN(PROCESS_BUSY) },
	[FRAME_FAILED] = { [ROLE_WORKER] = IN(PROCESS_BUSY) },
	[FRAME_RETIRE] = { [ROLE_SESSION] = ADOPTED },
	[FRAME_CLOSED] = { [ROLE_SESSION] = ADOPTED },
	[FRAME_WHO_ENTRY] = { [ROLE_SESSION] = ADOPTED },
	[FRAME_WHO_END] = { [ROLE_SESSION] = ADOPTED },
};

enum {
	ALIVE = IN(POOL_CONFIGURING) | IN(POOL_READY) | IN(POOL_RECONFIGURING),
	ASKED = IN(POOL_CONFIGURING) | IN(POOL_RECONFIGURING),
	/* ENDING: it is being read to its end. */
	HAS_CHILDREN = IN(POOL_READY) | IN(POOL_RECONFIGURING) | IN(POOL_ENDING),
};

static const unsigned from_pool[FRAME_KIND_COUNT] = {
	[FRAME_READY] = ASKED,
	[FRAME_PROBLEM] = ASKED,
	[FRAME_CONFIG_BAD] = ASKED,
	[FRAME_CERTIFICATE] = ASKED,
	[FRAME_SPAWNED] = HAS_CHILDREN,
	[FRAME_EXITED] = HAS_CHILDREN,
	[FRAME_PONG] = ALIVE | IN(POOL_ENDING),
	[FRAME_LOG] = ALIVE | IN(POOL_ENDING),
};

bool permits_process(enum role role, enum process_state state, enum frame_kind kind)
{
	return role < ROLE_COUNT && kind < FRAME_KIND_COUNT && from_process[kind][role] & IN(state);
}

bool permits_pool(enum pool_state state, enum frame_kind kind)
{
	return kind < FRAME_KIND_COUNT && from_pool[kind] & IN(state);
}
