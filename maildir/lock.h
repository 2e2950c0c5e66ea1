/* lock.h - lock files as Dovecot uses them: NAME.lock, holding PID:HOST. Never waits. */
#pragma once

#include "maildir/dirs.h"
#include "maildir/work.h"

/*
 * A lock file is stale, and taken over, when it was not changed for LOCK_STALE_USEC, or when it names a process
 * of this host that does not exist (any more).
 */
#define LOCK_STALE_USEC (120 * 1000000ULL)
#define LOCK_RETRY_FIRST_USEC (1000ULL)
#define LOCK_RETRY_USEC (50 * 1000ULL)

/* One lock, held or watched while another holds it. All zeros and fd = -1 at first: LOCK_INIT. */
struct lock {
	int fd;                /* of our lock file; -1: not held */
	struct stamp foreign;  /* the other's lock file as first seen */
	uint64_t foreign_usec; /* when */
	uint64_t touched_usec;
};
#define LOCK_INIT ((struct lock){ .fd = -1 })

/*
 * Try to take the lock file name in dir.
 * Returns 0; -EAGAIN: another holds it, work->retry_usec is set, between the two above; -errno.
 */
_must_check_ int lock_take(
	struct lock *lock, int dir_fd, const char *name, const char *hostname, struct work *work);

/* Whether the lock file is still ours: nobody took it for stale. */
bool lock_is_ours(const struct lock *lock, int dir_fd, const char *name);

/* Show that we still work, if a while has gone by. */
void lock_touch(struct lock *lock, uint64_t now_usec);

/* Give it back; if it is not held, nothing happens. */
void lock_release(struct lock *lock, int dir_fd, const char *name);
