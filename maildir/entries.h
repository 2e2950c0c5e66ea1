/* entries.h - the names in a directory: read in pieces, or all of them at one moment. */
#pragma once

#include "base/cleanup.h"

#include <dirent.h>
#include <stddef.h>

/* All zeros but fd = -1 at first: ENTRIES_CLOSED. */
struct entries {
	int fd;
	char *bytes;
	size_t cap, n, at;
};
#define ENTRIES_CLOSED ((struct entries){ .fd = -1 })

enum {
	ENTRIES_PIECE_BYTES = 64 * 1024,
	ENTRIES_ROOM_BYTES = 64, /* what an entry takes beside its base name, with a long info part */
	ENTRIES_WHOLE_MAX_BYTES = 256 * 1024 * 1024,
};

/*
 * Begin to read a directory from its start, whoever else reads it.
 *
 * whole_bytes  0: in pieces. What is renamed meanwhile may be met under both names, or under neither. Else about what all
 *              entries take: they are read by one call, during which local file systems let nobody rename. Grows to
 *              ENTRIES_WHOLE_MAX_BYTES; what is beyond, and what the file system gives in pieces in any case, follows.
 * Returns      0, to be closed; -errno.
 */
_must_check_ int entries_open(struct entries *entries, int dir_fd, size_t whole_bytes);

/*
 * The next entry, "." and ".." among them.
 * Returns 1: *ret_entry is set; 0: that was all; -errno.
 * Valid   until the next call.
 */
_must_check_ int entries_next(struct entries *entries, const struct dirent64 **ret_entry);

/* Does nothing if it is not open. */
void entries_close(struct entries *entries);
