/* index_file.h - the files of an index around LMDB's: directory, lock, mark, and whether data.mdb can be mapped at all. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

#define INDEX_DATA_NAME "data.mdb"

enum { INDEX_FORMAT = 1, INDEX_BOOT_MAX_BYTES = 64 };

/* What DIR/mark says: index.h. */
struct index_mark {
	char boot[INDEX_BOOT_MAX_BYTES + 1]; /* "-": not known */
	uint64_t durable_txn;                /* 0: none */
};

/* Open the directory, made (0700) if it is not there. Returns a descriptor; -ELOOP: a symbolic link; -errno. */
_must_check_ int index_file_open_directory(const char *path);

/* Take the lock; it is held as long as the descriptor is open. Returns it; -EAGAIN: another process holds it; -errno. */
_must_check_ int index_file_lock(int dir_fd);

/* Read the mark. Returns 0; -ENOENT: there is none; -EBADMSG: of another format, or not a mark; -errno. */
_must_check_ int index_file_read_mark(int dir_fd, struct index_mark *ret_mark);
/* Replace the mark, durably if sync. Returns 0, or -errno. */
_must_check_ int index_file_write_mark(int dir_fd, const struct index_mark *mark, bool sync);

/*
 * Look whether data.mdb is whole as far as LMDB relies on it unseen: both meta pages are LMDB's, and the file has the
 * pages they speak of.
 * Returns 0: *ret_txn is its last transaction; -ENOENT: there is none; -EBADMSG; -ELOOP, -EINVAL: no file; -errno.
 */
_must_check_ int index_file_check_data(int dir_fd, uint64_t *ret_txn);
