/*
 * interpose.h - stands between a test program and libc: counts the system calls of what is tested, makes one of them
 * fail, reports each that succeeded, or lets another come in between two of them.
 *
 * A definition in the program comes before that of a shared library, so nothing needs to be preloaded. What libc calls
 * itself (inside readdir, opendir, fopen, malloc) does not pass here: of those, readdir and fdopendir have definitions
 * of their own. close() is counted, but never fails: it has closed in any case. Include it first: libc's checked
 * variants (__read_chk and the like) must not be in the way.
 */
#pragma once

#undef _FORTIFY_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { INTERPOSE_DIED = 99 }; /* the exit status of a process that die_at ended */

enum done_kind {
	DONE_CREATE, /* name in dir_fd is a new file or directory */
	DONE_LINK,   /* to_name in to_dir_fd is one more name of name in dir_fd */
	DONE_RENAME,
	DONE_UNLINK,
	DONE_WRITE,
	DONE_TRUNCATE,
	DONE_TIMES,
	DONE_SYNC,
};

/* A call that changed something, and succeeded. */
struct done {
	enum done_kind kind;
	int dir_fd, to_dir_fd;
	const char *name, *to_name;
	int fd;
	const void *bytes;
	size_t n;
	off_t offset; /* of DONE_WRITE; the size of DONE_TRUNCATE */
};

static struct {
	bool armed;
	unsigned calls;     /* made while armed */
	unsigned fail_at;   /* the number of the call that fails, from 1; 0: none */
	bool from_there_on; /* so do all calls of that name behind it */
	unsigned die_at;    /* the process ends at this call, as if killed; 0: it does not */
	unsigned meet_at;   /* before this call meet() runs, whose own calls are not counted; 0: it does not */
	void (*meet)(void);
	int error;          /* errno; 0: a write that is cut short, other calls go well */
	const char *failed; /* the call that failed; NULL: none */
	bool failed_index;  /* it was about a file of the index */
	void (*record)(const struct done *done);
	void (*read_names)(int fd, void *bytes, size_t room, ssize_t *n); /* what getdents64() read */
	bool poor; /* a file system that tells no types, and cannot refuse to rename onto a file */
	bool (*apart)(int from_fd, int to_fd); /* directories on two file systems, as far as a rename is concerned; NULL: none are */
	bool no_disk; /* syncs are only counted and reported: they would make tests wait */
} interpose;

#define REAL(name) ((__typeof__(&name))interpose_real(#name))

static inline void *interpose_real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* Whether a call is about the index: what it does with its own files must matter to nobody. */
static inline bool interpose_is_index(int fd, const char *path)
{
	char link[64], target[512];

	if (path && strstr(path, "restante.index"))
		return true;
	if (fd < 0)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);

	ssize_t n = readlink(link, target, sizeof target - 1);

	target[n > 0 ? n : 0] = '\0';
	return strstr(target, "restante.index") != NULL;
}

/* Whether this call is to fail; errno is set. */
static inline bool interpose_fails(const char *name, int fd, const char *path)
{
	if (!interpose.armed)
		return false;
	interpose.calls++;
	if (interpose.die_at > 0 && interpose.calls >= interpose.die_at)
		_exit(INTERPOSE_DIED);
	if (interpose.meet_at > 0 && interpose.calls == interpose.meet_at) {
		int saved = errno;

		interpose.armed = false;
		interpose.meet();
		interpose.armed = true;
		errno = saved;
	}
	if (interpose.fail_at == 0 || interpose.error == 0)
		return false;

	bool again =
		interpose.from_there_on && interpose.failed && strcmp(interpose.failed, name) == 0;

	if (interpose.calls != interpose.fail_at && !again)
		return false;
	if (!again)
		interpose.failed_index = interpose_is_index(fd, path);
	interpose.failed = name;
	errno = interpose.error;
	return true;
}

static inline void interpose_done(const struct done *done)
{
	int saved = errno;

	if (interpose.armed && interpose.record)
		interpose.record(done);
	errno = saved;
}

/* Cut a write short if it is its turn. */
static inline size_t interpose_shorten(size_t n)
{
	if (!interpose.armed || interpose.error != 0 || interpose.calls != interpose.fail_at ||
		n < 2)
		return n;
	interpose.failed = "short write";
	return n / 2;
}

#define INTERPOSED __attribute__((visibility("default"), used))

static inline int interpose_openat(int dir_fd, const char *path, int flags, mode_t mode)
{
	bool known =
		!(flags & O_CREAT) || REAL(faccessat)(dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	int fd = REAL(openat)(dir_fd, path, flags, mode);

	if (fd >= 0 && !known)
		interpose_done(
			&(struct done){ .kind = DONE_CREATE, .dir_fd = dir_fd, .name = path });
	return fd;
}

INTERPOSED int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list args;

	if (interpose_fails("openat", dir_fd, path))
		return -1;
	va_start(args, flags);

	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

	va_end(args);
	return interpose_openat(dir_fd, path, flags, mode);
}

INTERPOSED int open(const char *path, int flags, ...)
{
	va_list args;

	if (interpose_fails("open", AT_FDCWD, path))
		return -1;
	va_start(args, flags);

	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

	va_end(args);
	return interpose_openat(AT_FDCWD, path, flags, mode);
}

/* What the checked headers make of the same calls. */
int __openat_2(int dir_fd, const char *path, int flags);
INTERPOSED int __openat_2(int dir_fd, const char *path, int flags)
{
	return interpose_fails("openat", dir_fd, path) ? -1
						       : interpose_openat(dir_fd, path, flags, 0);
}

int __open_2(const char *path, int flags);
INTERPOSED int __open_2(const char *path, int flags)
{
	return interpose_fails("open", AT_FDCWD, path) ? -1
						       : interpose_openat(AT_FDCWD, path, flags, 0);
}

INTERPOSED ssize_t read(int fd, void *bytes, size_t n)
{
	return interpose_fails("read", fd, NULL) ? -1 : REAL(read)(fd, bytes, n);
}

ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room);
INTERPOSED ssize_t __read_chk(int fd, void *bytes, size_t n, size_t room)
{
	return n > room || interpose_fails("read", fd, NULL) ? -1 : REAL(read)(fd, bytes, n);
}

INTERPOSED ssize_t pread(int fd, void *bytes, size_t n, off_t offset)
{
	return interpose_fails("pread", fd, NULL) ? -1 : REAL(pread)(fd, bytes, n, offset);
}

ssize_t __pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t room);
INTERPOSED ssize_t __pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t room)
{
	return n > room || interpose_fails("pread", fd, NULL) ? -1
							      : REAL(pread)(fd, bytes, n, offset);
}

static inline off_t interpose_write_offset(int fd)
{
	struct stat st;

	if (!interpose.armed || !interpose.record)
		return 0;
	if (REAL(fcntl)(fd, F_GETFL) & O_APPEND)
		return REAL(fstat)(fd, &st) == 0 ? st.st_size : 0;
	return REAL(lseek)(fd, 0, SEEK_CUR);
}

INTERPOSED ssize_t write(int fd, const void *bytes, size_t n)
{
	if (interpose_fails("write", fd, NULL))
		return -1;

	off_t offset = interpose_write_offset(fd);
	ssize_t written = REAL(write)(fd, bytes, interpose_shorten(n));

	if (written > 0)
		interpose_done(&(struct done){ .kind = DONE_WRITE,
			.fd = fd,
			.bytes = bytes,
			.n = (size_t)written,
			.offset = offset });
	return written;
}

INTERPOSED ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
	if (interpose_fails("pwrite", fd, NULL))
		return -1;

	ssize_t written = REAL(pwrite)(fd, bytes, interpose_shorten(n), offset);

	if (written > 0)
		interpose_done(&(struct done){ .kind = DONE_WRITE,
			.fd = fd,
			.bytes = bytes,
			.n = (size_t)written,
			.offset = offset });
	return written;
}

/* Only the index writes so; what it holds is not modelled. */
INTERPOSED ssize_t writev(int fd, const struct iovec *iov, int n)
{
	return interpose_fails("writev", fd, NULL) ? -1 : REAL(writev)(fd, iov, n);
}

INTERPOSED ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	return interpose_fails("pwritev", fd, NULL) ? -1 : REAL(pwritev)(fd, iov, n, offset);
}

INTERPOSED void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
	if (fd >= 0 && interpose_fails("mmap", fd, NULL))
		return MAP_FAILED;
	return REAL(mmap)(at, n, protection, flags, fd, offset);
}

static inline int interpose_sync(int fd)
{
	int r = interpose.no_disk ? 0 : REAL(fsync)(fd);

	if (r == 0)
		interpose_done(&(struct done){ .kind = DONE_SYNC, .fd = fd });
	return r;
}

INTERPOSED int fsync(int fd)
{
	return interpose_fails("fsync", fd, NULL) ? -1 : interpose_sync(fd);
}

INTERPOSED int fdatasync(int fd)
{
	return interpose_fails("fdatasync", fd, NULL) ? -1 : interpose_sync(fd);
}

INTERPOSED int ftruncate(int fd, off_t size)
{
	int r = interpose_fails("ftruncate", fd, NULL) ? -1 : REAL(ftruncate)(fd, size);

	if (r == 0)
		interpose_done(&(struct done){ .kind = DONE_TRUNCATE, .fd = fd, .offset = size });
	return r;
}

INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t n)
{
	return interpose_fails("fallocate", fd, NULL) ? -1 : REAL(fallocate)(fd, mode, offset, n);
}

INTERPOSED int futimens(int fd, const struct timespec times[2])
{
	int r = interpose_fails("futimens", fd, NULL) ? -1 : REAL(futimens)(fd, times);

	if (r == 0)
		interpose_done(&(struct done){ .kind = DONE_TIMES, .fd = fd });
	return r;
}

INTERPOSED int fchmod(int fd, mode_t mode)
{
	return interpose_fails("fchmod", fd, NULL) ? -1 : REAL(fchmod)(fd, mode);
}

INTERPOSED int fstat(int fd, struct stat *st)
{
	return interpose_fails("fstat", fd, NULL) ? -1 : REAL(fstat)(fd, st);
}

INTERPOSED int fstatat(int dir_fd, const char *name, struct stat *st, int flags)
{
	return interpose_fails("fstatat", dir_fd, name) ? -1
							: REAL(fstatat)(dir_fd, name, st, flags);
}

INTERPOSED int faccessat(int dir_fd, const char *name, int mode, int flags)
{
	return interpose_fails("faccessat", dir_fd, name)
		       ? -1
		       : REAL(faccessat)(dir_fd, name, mode, flags);
}

static inline int interpose_renameat2(
	int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	int r = REAL(renameat2)(from_fd, from, to_fd, to, flags);

	if (r == 0)
		interpose_done(&(struct done){ .kind = DONE_RENAME,
			.dir_fd = from_fd,
			.name = from,
			.to_dir_fd = to_fd,
			.to_name = to });
	return r;
}

INTERPOSED int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	if (interpose_fails("renameat2", from_fd, from))
		return -1;
	if (interpose.poor && flags != 0) {
		errno = EINVAL;
		return -1;
	}
	if (interpose.armed && interpose.apart && interpose.apart(from_fd, to_fd)) {
		errno = EXDEV;
		return -1;
	}
	return interpose_renameat2(from_fd, from, to_fd, to, flags);
}

INTERPOSED int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return interpose_fails("renameat", from_fd, from)
		       ? -1
		       : interpose_renameat2(from_fd, from, to_fd, to, 0);
}

INTERPOSED int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	int r = interpose_fails("linkat", from_fd, from)
			? -1
			: REAL(linkat)(from_fd, from, to_fd, to, flags);

	if (r == 0)
		interpose_done(&(struct done){ .kind = DONE_LINK,
			.dir_fd = from_fd,
			.name = from,
			.to_dir_fd = to_fd,
			.to_name = to });
	return r;
}

INTERPOSED int unlinkat(int dir_fd, const char *name, int flags)
{
	int r = interpose_fails("unlinkat", dir_fd, name) ? -1
							  : REAL(unlinkat)(dir_fd, name, flags);

	if (r == 0)
		interpose_done(
			&(struct done){ .kind = DONE_UNLINK, .dir_fd = dir_fd, .name = name });
	return r;
}

static inline int interpose_mkdirat(int dir_fd, const char *name, mode_t mode)
{
	int r = REAL(mkdirat)(dir_fd, name, mode);

	if (r == 0)
		interpose_done(
			&(struct done){ .kind = DONE_CREATE, .dir_fd = dir_fd, .name = name });
	return r;
}

INTERPOSED int mkdirat(int dir_fd, const char *name, mode_t mode)
{
	return interpose_fails("mkdirat", dir_fd, name) ? -1
							: interpose_mkdirat(dir_fd, name, mode);
}

INTERPOSED int mkdir(const char *name, mode_t mode)
{
	return interpose_fails("mkdir", AT_FDCWD, name) ? -1
							: interpose_mkdirat(AT_FDCWD, name, mode);
}

INTERPOSED DIR *fdopendir(int fd)
{
	return interpose_fails("fdopendir", fd, NULL) ? NULL : REAL(fdopendir)(fd);
}

INTERPOSED struct dirent *readdir(DIR *dir)
{
	struct dirent *e = interpose_fails("readdir", dirfd(dir), NULL) ? NULL : REAL(readdir)(dir);

	if (e && interpose.poor)
		e->d_type = DT_UNKNOWN;
	return e;
}

INTERPOSED ssize_t getdents64(int fd, void *bytes, size_t n)
{
	ssize_t read = interpose_fails("getdents64", fd, NULL) ? -1 : REAL(getdents64)(fd, bytes, n);

	for (ssize_t at = 0; interpose.poor && at < read;) {
		struct dirent64 *e = (struct dirent64 *)((char *)bytes + at);

		e->d_type = DT_UNKNOWN;
		at += e->d_reclen;
	}
	if (interpose.armed && interpose.read_names)
		interpose.read_names(fd, bytes, n, &read);
	return read;
}

INTERPOSED ssize_t getrandom(void *bytes, size_t n, unsigned flags)
{
	return interpose_fails("getrandom", -1, NULL) ? -1 : REAL(getrandom)(bytes, n, flags);
}

INTERPOSED int close(int fd)
{
	interpose.calls += interpose.armed;
	return REAL(close)(fd);
}
