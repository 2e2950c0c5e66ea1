/* dirs.h - directories and small files of a Maildir, by descriptors only; no symbolic link is ever followed. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

#include <dirent.h>
#include <stdint.h>
#include <sys/stat.h>

/* What tells one state of a file or directory from another. All zeros: it is not there. */
struct stamp {
	uint64_t ino, size;
	int64_t mtime_sec, ctime_sec;
	uint32_t mtime_nsec, ctime_nsec;
};

struct stamp stamp_from_stat(const struct stat *st);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

/*
 * Whether a file or directory with this stamp, looked at now, may be changed once more without its stamp changing:
 * its last change is too young for the clock of its file system, which is coarse unless it is_local.
 */
bool stamp_is_young(const struct stamp *stamp, uint64_t now_usec, bool is_local);

/* The later of both times, in microseconds since 1970; 0 for one that cannot be. */
uint64_t stamp_usec(const struct stamp *stamp);

/*
 * Whether a directory lies on a file system that this host alone changes: times are of the kernel's clock, and every
 * change comes as an event.
 */
bool dirs_is_local(int dir_fd);

/* The stamp of name in dir. Returns 0 (all zeros if there is none), -ELOOP: a symbolic link, or -errno. */
_must_check_ int dirs_stamp(int dir_fd, const char *name, struct stamp *ret_stamp);
/* The stamp of an open directory. Returns 0; -ENOENT: it was removed; -errno. */
_must_check_ int dirs_stamp_fd(int fd, struct stamp *ret_stamp);

/*
 * Open the directory name in dir; with make, make it first (mode 0700) if there is none.
 * Returns a descriptor; -ELOOP: a symbolic link; -ENOTDIR, -ENOENT, -errno.
 */
_must_check_ int dirs_open(int dir_fd, const char *name, bool make);

/*
 * Open the directory name in dir to read its entries, from its beginning whoever else reads it.
 * Returns 0, *ret_dir is the caller's to close; -errno as dirs_open().
 */
_must_check_ int dirs_open_entries(int dir_fd, const char *name, DIR **ret_dir);

/*
 * Read a whole file of at most max_bytes.
 * Returns 0, the text is appended to out, *ret_stamp is of what was read; -ENOENT; -ELOOP: a symbolic link;
 *         -EINVAL: not a regular file; -EFBIG; -errno.
 */
_must_check_ int dirs_read_file(
	int dir_fd, const char *name, struct buf *out, struct stamp *ret_stamp);

/*
 * Open a file for appending. Returns a descriptor; -ELOOP, -EINVAL: not a regular file, -ENOENT, -errno.
 */
_must_check_ int dirs_open_append(int dir_fd, const char *name);

/* Read at most bytes at an offset. Returns how many were there (0: the end), or -errno. */
_must_check_ ssize_t dirs_read_at(int fd, void *ret_bytes, size_t bytes, uint64_t offset);

/* Write all of s. Returns 0, or -errno; part of it may be written then. */
_must_check_ int dirs_write(int fd, struct slice s);

/* How to replace a file. */
struct replacement {
	const char *name, *temporary_name;
	struct slice text;
	bool sync;               /* the text and the directory, before the call returns */
	int64_t mtime_above_sec; /* the new file's mtime is greater; 0: whatever it is */
};

/*
 * Replace a file: write to the temporary name, then rename. The mode is the directory's, without execution.
 * Returns 0: *ret_stamp is the new file's; -errno: the old file stands.
 */
_must_check_ int dirs_replace_file(
	int dir_fd, const struct replacement *replacement, struct stamp *ret_stamp);

/*
 * Rename; never onto a file that exists. Where the file system cannot do that in one step, link and unlink.
 * Returns 0; -EEXIST; -ENOENT; -errno.
 */
_must_check_ int dirs_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to);

/*
 * Rename to a name that nobody else ever makes: of several that take one file, one alone succeeds. In one step on every
 * file system: there is no moment at which both names are there, or none.
 * Returns 0; -ENOENT: another took it, or it has another name by now; -EXDEV: not within one file system; -EEXIST; -errno.
 */
_must_check_ int dirs_take(int from_dir_fd, const char *from, int to_dir_fd, const char *to);
