/* slots.h - which pages of the status memory are taken: fronts have the low ones, everybody else those above. Pure. */
#pragma once

#include "server/ipc/status.h"

/* All zeros: every slot is free. */
struct slots {
	uint64_t taken[STATUS_SLOTS / 64];
	uint32_t next; /* where the search for one above the fronts' goes on */
};

/* Take a free slot (1 to STATUS_FRONTS for a front, above for others). Returns it, or 0: none is free. */
uint32_t slots_take(struct slots *slots, bool front);

/* Give a slot back; it must be taken. Only when the process that used it was reaped. */
void slots_release(struct slots *slots, uint32_t slot);
