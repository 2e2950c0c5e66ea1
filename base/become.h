/* become.h - a process turns from root into the mail user, for good: a session, and restantectl before it looks at mail. */
#pragma once

#include "base/cleanup.h"
#include "base/limits.h"

#include <stdint.h>
#include <sys/types.h>

/* Whom to become. */
struct identity {
	uid_t user_uid;
	gid_t user_gid;
	gid_t groups[LIMIT_GROUPS];
	size_t n_groups;
};

/*
 * Take on the identity: groups, gids, uids, no capabilities, not dumpable. Started as an ordinary user, a process has
 * nothing to change: the identity must be its own.
 * Returns 0: all ids are the identity's, and root cannot be had back (each of both was tried, not believed);
 *         -EPERM: not root, and the uid is not our own; or some way back was left: the caller exits;
 *         another -errno.
 */
_must_check_ int become_user(const struct identity *identity);

/*
 * Make the mail directory where it does not exist yet, and what is missing of the way to it, all with mode 0700, as the
 * user that become_user() made of us. The home directory itself is never made: one that is missing is not mounted.
 * home   absolute, or "" if the account has none: then nothing but the last component is made
 * path   absolute, without "." and ".."
 * Returns 0: it exists now; -EINVAL: not absolute, or a ".." in it; -errno.
 */
_must_check_ int become_make_directory(const char *home, const char *path);
