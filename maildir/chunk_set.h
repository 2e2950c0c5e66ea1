/* chunk_set.h - a set of small numbers: which chunks of 256 UIDs of a mailbox differ from what the index has. Pure. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros is an empty set. One bit a number: up to 2 MiB for the highest UIDs there are. */
struct chunk_set {
	uint64_t *words;
	size_t n_words, n; /* n: how many numbers are in it */
};

void chunk_set_done(struct chunk_set *set);
void chunk_set_add(struct chunk_set *set, uint32_t chunk);
void chunk_set_remove(struct chunk_set *set, uint32_t chunk);

/* The lowest number that is in the set and not below *chunk. Returns whether there is one. */
bool chunk_set_next(const struct chunk_set *set, uint32_t *chunk);
