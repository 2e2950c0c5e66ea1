/* tar.h - the headers of a tar archive: ustar, with pax records where a name or a number is too large for it. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

enum { TAR_BLOCK_BYTES = 512 };

struct tar_member {
	struct slice path; /* relative, without a slash at its end; any bytes but NUL */
	bool is_directory; /* else a regular file */
	uint32_t mode;     /* the permission bits */
	uint32_t user_uid, user_gid;
	uint64_t bytes; /* of the content */
	int64_t mtime;  /* seconds since 1970; before that it is written as 0 */
};

/* Append what comes before a member's content. Returns 0, or -ENOBUFS. IEEE 1003.1 pax. */
_must_check_ int tar_add_header(struct buf *out, const struct tar_member *member);

/* How many zeros follow so many bytes of content. */
static inline size_t tar_padding(uint64_t bytes)
{
	return (size_t)(-bytes % TAR_BLOCK_BYTES);
}

/* Append the end of the archive. Returns 0, or -ENOBUFS. */
_must_check_ int tar_add_end(struct buf *out);
