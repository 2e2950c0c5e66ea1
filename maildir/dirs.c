#include "maildir/dirs.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

enum {
	YOUNG_USEC = 2 * USEC_PER_SEC,
	YOUNG_LOCAL_USEC = 30 * USEC_PER_MSEC, /* a tick of the kernel's clock is 10 ms at most */
	READ_BYTES = 256 * 1024
};

struct stamp stamp_from_stat(const struct stat *st)
{
	return (struct stamp){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
		.ctime_sec = st->st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)st->st_ctim.tv_nsec,
	};
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_sec == b->mtime_sec &&
	       a->mtime_nsec == b->mtime_nsec && a->ctime_sec == b->ctime_sec &&
	       a->ctime_nsec == b->ctime_nsec;
}

/* Of a time before 1970, or thousands of years ahead: 0. */
static uint64_t usec_of(int64_t sec, uint32_t nsec)
{
	return sec < 0 || sec > UINT32_MAX * (int64_t)16 ? 0 : (uint64_t)sec * USEC_PER_SEC + nsec / 1000;
}

uint64_t stamp_usec(const struct stamp *stamp)
{
	uint64_t mtime = usec_of(stamp->mtime_sec, stamp->mtime_nsec);
	uint64_t ctime = usec_of(stamp->ctime_sec, stamp->ctime_nsec);

	return mtime > ctime ? mtime : ctime;
}

/* A local file system may still keep whole seconds only (ext4 with small inodes). */
bool stamp_is_young(const struct stamp *stamp, uint64_t now_usec, bool is_local)
{
	uint64_t last = stamp_usec(stamp);
	bool is_fine = is_local && (stamp->mtime_nsec != 0 || stamp->ctime_nsec != 0);
	uint64_t young = is_fine ? YOUNG_LOCAL_USEC : YOUNG_USEC;

	if (!is_fine)
		last -= last % USEC_PER_SEC;
	/* One from the future (clocks of two hosts) changes with the next change like any other. */
	return last + (is_fine ? 0 : USEC_PER_SEC) + young > now_usec && last < now_usec + YOUNG_USEC;
}

/* A file system that other hosts change too tells of our changes only; of one that is not known nothing is assumed. */
bool dirs_is_local(int dir_fd)
{
	static const unsigned long LOCAL[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC,
		OVERLAYFS_SUPER_MAGIC, 0x2fc12fc1, /* ZFS */
	};
	struct statfs fs;

	if (fstatfs(dir_fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++)
		if ((unsigned long)fs.f_type == LOCAL[i])
			return true;
	return false;
}

int dirs_stamp(int dir_fd, const char *name, struct stamp *ret_stamp)
{
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		*ret_stamp = (struct stamp){ 0 };
		return 0;
	}
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	*ret_stamp = stamp_from_stat(&st);
	return 0;
}

int dirs_stamp_fd(int fd, struct stamp *ret_stamp)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_nlink == 0)
		return -ENOENT;
	*ret_stamp = stamp_from_stat(&st);
	return 0;
}

int dirs_open(int dir_fd, const char *name, bool make)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir_fd, name, flags);

	if (fd < 0 && errno == ENOENT && make) {
		if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, name, flags);
	}
	if (fd >= 0)
		return fd;

	int error = errno;
	struct stat st;

	/* O_DIRECTORY with O_NOFOLLOW says ENOTDIR of a link. */
	if (error == ENOTDIR && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISLNK(st.st_mode))
		return -ELOOP;
	return -error;
}

static int open_regular(int dir_fd, const char *name, int flags, struct stat *ret_st)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EINVAL;
	return take_fd(&fd);
}

int dirs_open_entries(int dir_fd, const char *name, DIR **ret_dir)
{
	_cleanup_close_ int fd = dirs_open(dir_fd, name, false);

	if (fd < 0)
		return fd;

	DIR *dir = fdopendir(fd);

	if (!dir)
		return -errno;
	(void)take_fd(&fd);
	*ret_dir = dir;
	return 0;
}

int dirs_read_file(int dir_fd, const char *name, struct buf *out, struct stamp *ret_stamp)
{
	struct stat st;
	_cleanup_close_ int fd = open_regular(dir_fd, name, O_RDONLY, &st);

	if (fd < 0)
		return fd;
	if ((uint64_t)st.st_size > buf_room(out))
		return -EFBIG;

	size_t want = (size_t)st.st_size + 1;

	for (;;) {
		char *at = buf_reserve(out, want < buf_room(out) ? want : buf_room(out));

		if (!at || buf_room(out) == 0)
			return -EFBIG;

		ssize_t n = read(fd, at, want < buf_room(out) ? want : buf_room(out));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		buf_grown(out, (size_t)n);
		want = READ_BYTES; /* it grew while it was read */
	}
	*ret_stamp = stamp_from_stat(&st);
	return 0;
}

int dirs_open_append(int dir_fd, const char *name)
{
	struct stat st;

	return open_regular(dir_fd, name, O_RDWR | O_APPEND, &st);
}

ssize_t dirs_read_at(int fd, void *ret_bytes, size_t bytes, uint64_t offset)
{
	ssize_t n;

	do {
		n = pread(fd, ret_bytes, bytes, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int dirs_write(int fd, struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		s = slice_tail(s, (size_t)n);
	}
	return 0;
}

/* The file at hand could be a link someone planted: so a new one, never an old one truncated. */
static int create_temporary(int dir_fd, const char *name)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;

	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	if ((st.st_mode & 0066) && fchmod(fd, st.st_mode & 0666) < 0)
		return -errno;
	return take_fd(&fd);
}

static int write_temporary(int fd, const struct replacement *replacement)
{
	struct stat st;
	int r = dirs_write(fd, replacement->text);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (replacement->mtime_above_sec > 0 && st.st_mtim.tv_sec <= replacement->mtime_above_sec) {
		struct timespec times[2] = { { .tv_nsec = UTIME_NOW },
			{ .tv_sec = replacement->mtime_above_sec + 1 } };

		if (futimens(fd, times) < 0)
			return -errno;
	}
	return replacement->sync && fsync(fd) < 0 ? -errno : 0;
}

int dirs_replace_file(int dir_fd, const struct replacement *replacement, struct stamp *ret_stamp)
{
	_cleanup_close_ int fd = create_temporary(dir_fd, replacement->temporary_name);

	if (fd < 0)
		return fd;

	struct stat st;
	int r = write_temporary(fd, replacement);

	if (r == 0 && renameat(dir_fd, replacement->temporary_name, dir_fd, replacement->name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir_fd, replacement->temporary_name, 0);
		return r;
	}
	if (fstat(fd, &st) < 0) /* after the rename: that changed the ctime */
		return -errno;
	*ret_stamp = stamp_from_stat(&st);
	return replacement->sync && fsync(dir_fd) < 0 ? -errno : 0;
}

int dirs_rename(int from_dir_fd, const char *from, int to_dir_fd, const char *to)
{
	if (renameat2(from_dir_fd, from, to_dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(from_dir_fd, from, to_dir_fd, to, 0) < 0)
		return -errno;
	if (unlinkat(from_dir_fd, from, 0) == 0)
		return 0;

	int r = -errno;

	unlinkat(to_dir_fd, to, 0); /* else it would be there twice */
	return r;
}

static bool exists(int dir_fd, const char *name)
{
	return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Where the file system cannot refuse to rename onto a file, a look must do: link and unlink would be two steps, and
 * whoever came between them would have the file twice. A rename that is told to have failed for want of the file may
 * have been done all the same: so an NFS server answers to the repetition of a call whose answer was lost.
 */
int dirs_take(int from_dir_fd, const char *from, int to_dir_fd, const char *to)
{
	if (renameat2(from_dir_fd, from, to_dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS) {
		if (exists(to_dir_fd, to))
			return exists(from_dir_fd, from) ? -EEXIST : 0;
		if (renameat(from_dir_fd, from, to_dir_fd, to) == 0)
			return 0;
	}

	int r = -errno;

	return r == -ENOENT && exists(to_dir_fd, to) ? 0 : r;
}
