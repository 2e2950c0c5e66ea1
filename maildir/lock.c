#include "maildir/lock.h"

#include "base/clock.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>

enum { LOCK_TEXT_BYTES = 512, LOCK_NAME_BYTES = 256 };
#define RELEASED_TEXT "0:"

static bool same_file(const struct stamp *a, const struct stamp *b)
{
	return a->ino == b->ino && a->mtime_sec == b->mtime_sec && a->mtime_nsec == b->mtime_nsec;
}

static int write_holder(int fd, const char *hostname)
{
	char text[LOCK_TEXT_BYTES];
	int n = snprintf(text, sizeof text, "%d:%s", (int)getpid(), hostname);

	return dirs_write(
		fd, slice_from(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

static int create_exclusively(int dir_fd, const char *name, const char *hostname)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;

	int r = write_holder(fd, hostname);

	if (r < 0) { /* a full disk: an empty lock file would lock everybody out for two minutes */
		unlinkat(dir_fd, name, 0);
		return r;
	}
	return take_fd(&fd);
}

static int create_in_place(struct lock *lock, int dir_fd, const char *name, const char *hostname)
{
	int r = create_exclusively(dir_fd, name, hostname);

	if (r < 0)
		return r;
	lock->fd = r;
	return 0;
}

/*
 * The lock file must name its holder from the first moment: one that is empty, because its maker was killed, would
 * stand for two minutes. So it is written in tmp/, then linked; where there is no tmp/ or links cannot be made, it is
 * not. The name in tmp/ is random: on another host that shares the directory a process may have our number.
 */
static int create_lock(struct lock *lock, int dir_fd, const char *name, const char *hostname)
{
	char temporary[LOCK_NAME_BYTES];
	uint32_t number = 0;

	(void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
	snprintf(temporary, sizeof temporary, "tmp/%s.%d.%08x", name, (int)getpid(), number);
	if (faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;

	int r = create_exclusively(dir_fd, temporary, hostname);

	if (r == -ENOENT || r == -ENOTDIR)
		return create_in_place(lock, dir_fd, name, hostname);
	if (r < 0)
		return r;

	_cleanup_close_ int fd = r;

	r = linkat(dir_fd, temporary, dir_fd, name, 0) < 0 ? -errno : 0;
	unlinkat(dir_fd, temporary, 0);
	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS || r == -EMLINK || r == -EXDEV)
		return create_in_place(lock, dir_fd, name, hostname);
	if (r == 0)
		lock->fd = take_fd(&fd);
	return r;
}

/*
 * One that cannot be removed says that nobody holds it: else our own number in it would lock us out for two minutes.
 * Where even that fails, it is so.
 */
static void mark_released(int fd)
{
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, RELEASED_TEXT, sizeof RELEASED_TEXT - 1, 0);
}

/* Whether the text names a process of this host that is gone, or no process. */
static bool holder_is_dead(struct slice text, const char *hostname)
{
	struct slice pid, host = slice_trim(text);
	uint64_t value;

	if (slice_equal(host, SLICE(RELEASED_TEXT)))
		return true;
	if (!slice_split(&host, ':', &pid) || !slice_equal(host, slice_str(hostname)) ||
		!slice_number(pid, INT32_MAX, &value) || value == 0)
		return false;
	return (pid_t)value != getpid() && kill((pid_t)value, 0) < 0 && errno == ESRCH;
}

static bool is_old(const struct stamp *stamp, uint64_t now_usec)
{
	int64_t last = stamp->mtime_sec > stamp->ctime_sec ? stamp->mtime_sec : stamp->ctime_sec;

	return last >= 0 && ((uint64_t)last + 1) * USEC_PER_SEC + LOCK_STALE_USEC <= now_usec;
}

static bool is_stale(struct lock *lock, const struct stamp *stamp, struct slice text,
	const char *hostname, uint64_t now_usec)
{
	if (!same_file(&lock->foreign, stamp)) {
		lock->foreign = *stamp;
		lock->foreign_usec = now_usec;
	}
	return is_old(stamp, now_usec) || lock->foreign_usec + LOCK_STALE_USEC <= now_usec ||
	       holder_is_dead(text, hostname);
}

/*
 * Another process may judge the same lock stale at the same time, remove it and make its own, which must not
 * be removed by us: so it is moved aside first, looked at, and put back if it is not the one that was judged.
 */
static int break_lock(int dir_fd, const char *name, const struct stamp *judged)
{
	char aside[LOCK_NAME_BYTES];
	uint32_t number = 0;
	struct stamp stamp;

	(void)!getrandom(&number, sizeof number, GRND_NONBLOCK);
	snprintf(aside, sizeof aside, "%s.%d.%08x", name, (int)getpid(), number);
	if (renameat(dir_fd, name, dir_fd, aside) < 0)
		return errno == ENOENT ? 0 : -errno;

	int r = dirs_stamp(dir_fd, aside, &stamp);

	if ((r < 0 || !same_file(&stamp, judged)) && linkat(dir_fd, aside, dir_fd, name, 0) < 0 &&
		errno != EEXIST)
		r = r < 0 ? r : -errno;
	unlinkat(dir_fd, aside, 0);
	return r;
}

/* Most locks are held for a moment: as long again as it was seen to be held, within bounds. */
static uint64_t retry_after(const struct lock *lock, uint64_t now_usec)
{
	uint64_t held_usec = now_usec > lock->foreign_usec ? now_usec - lock->foreign_usec : 0;

	if (held_usec < LOCK_RETRY_FIRST_USEC)
		return LOCK_RETRY_FIRST_USEC;
	return held_usec < LOCK_RETRY_USEC ? held_usec : LOCK_RETRY_USEC;
}

int lock_take(
	struct lock *lock, int dir_fd, const char *name, const char *hostname, struct work *work)
{
	must(lock->fd < 0);
	for (int tries = 0; tries < 3; tries++) {
		_cleanup_buf_ struct buf text = BUF(LOCK_TEXT_BYTES);
		struct stamp stamp;
		int r = create_lock(lock, dir_fd, name, hostname);

		if (r != -EEXIST) {
			lock->touched_usec = work->now_usec;
			return r;
		}
		r = dirs_read_file(dir_fd, name, &text, &stamp);
		if (r == -ENOENT)
			continue;
		if (r == -ELOOP || r == -EINVAL || r == -EFBIG ||
			r == -EACCES) /* no lock file at all, but in the way */
			r = dirs_stamp(dir_fd, name, &stamp);
		if (r < 0)
			return r;
		if (!is_stale(lock, &stamp, buf_slice(&text), hostname, work->now_usec))
			break;
		r = break_lock(dir_fd, name, &stamp);
		if (r < 0)
			return r;
	}
	work->retry_usec = retry_after(lock, work->now_usec);
	return -EAGAIN;
}

bool lock_is_ours(const struct lock *lock, int dir_fd, const char *name)
{
	struct stat ours, there;

	return lock->fd >= 0 && fstat(lock->fd, &ours) == 0 &&
	       fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

void lock_touch(struct lock *lock, uint64_t now_usec)
{
	if (lock->fd < 0 || now_usec < lock->touched_usec + LOCK_STALE_USEC / 4)
		return;
	futimens(lock->fd, NULL);
	lock->touched_usec = now_usec;
}

void lock_release(struct lock *lock, int dir_fd, const char *name)
{
	if (lock->fd < 0)
		return;
	if (!lock_is_ours(lock, dir_fd, name) || unlinkat(dir_fd, name, 0) < 0)
		mark_released(lock->fd);
	close(lock->fd);
	*lock = LOCK_INIT;
}
