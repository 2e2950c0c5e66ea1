/* arena.h - memory for one command: many small allocations, freed at once. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

struct arena_block;

/* All zeros is a valid empty arena. */
struct arena {
	struct arena_block *blocks;
	size_t total_bytes; /* handed out since the last reset */
};

/*
 * Allocate zeroed memory, aligned for any type.
 * Valid until arena_reset() or arena_done(). Memory exhausted ends the process:
 * check any size a client chooses against a named limit first.
 */
void *arena_alloc(struct arena *a, size_t bytes);

/* As arena_alloc() for count elements of bytes each; must not overflow. */
void *arena_array(struct arena *a, size_t count, size_t bytes);

/* Copy the bytes of s into the arena. */
struct slice arena_copy(struct arena *a, struct slice s);

/* Copy into the arena as a NUL-terminated string; s must not contain a NUL. */
char *arena_str(struct arena *a, struct slice s);

/* Format into the arena. */
struct slice arena_format(struct arena *a, const char *format, ...) _printf_(2, 3);

/* Free everything handed out; one block is kept for the next command. */
void arena_reset(struct arena *a);

/* Free everything. */
void arena_done(struct arena *a);

#define _cleanup_arena_ _cleanup_(arena_done)
