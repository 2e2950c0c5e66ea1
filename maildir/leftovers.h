/* leftovers.h - files that nobody finished: of a delivery or an append that was killed. */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

/* By the Maildir convention nobody works on one file for longer. */
#define LEFTOVER_AGE_USEC (36ULL * 3600 * 1000000)

/*
 * Remove the files in a tmp/ directory whose last change (ctime) is older.
 * Returns how many were removed; -errno: the directory cannot be read.
 * Limits  Looks at LEFTOVERS_LOOKED_AT entries at most; the others are for the next time.
 */
enum { LEFTOVERS_LOOKED_AT = 10000 };
_must_check_ int leftovers_remove(int tmp_fd, uint64_t now_usec);
