/* nearest.h - the edit distance, for "did you mean". Pure. */
#pragma once

#include "base/slice.h"

enum { NEAREST_MAX_BYTES = 64 };

/*
 * Count the insertions, deletions, replacements and swaps of neighbours that turn a into b; case does not count.
 * Returns  the distance; SIZE_MAX if either is longer than NEAREST_MAX_BYTES.
 */
size_t nearest_distance(struct slice a, struct slice b);

/* Say whether a distance is small enough for what was typed to be a slip of that word. */
bool nearest_is_slip(struct slice typed, size_t distance);
