/* children.h - the living children of a pool: which pid has which slot. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct child {
	uint32_t pid, slot;
};

/* All zeros is an empty list. */
struct children {
	struct child *items;
	size_t n, cap;
};

void children_add(struct children *children, struct child child);

/* Take a child out by pid. Returns false if it is not ours. */
bool children_remove(struct children *children, uint32_t pid, struct child *ret_child);

/* Whether pid is a living child: one that was not reaped yet, so its number cannot belong to anybody else. */
bool children_has(const struct children *children, uint32_t pid);

void children_done(struct children *children);
