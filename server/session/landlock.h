/* landlock.h - confines this process to some directories, by the kernel's Landlock. */
#pragma once

#include "base/cleanup.h"

/* REFER: without it a rename between directories, and so a Maildir, would not work. */
enum { LANDLOCK_ABI_MIN = 2 };

/* The version of Landlock's interface that this kernel offers; 0: none, or switched off. */
int landlock_abi(void);

/*
 * From now on this process can open, make, rename and remove files only beneath the given directories; nothing is executable,
 * and no device, socket, fifo or link is made anywhere. Also denied, as far as the kernel can: truncating elsewhere (ABI 3),
 * TCP (4), device ioctls (5), abstract sockets and signals to others (6). Looking at a path's stat(),
 * and watching a directory for names (inotify), are not denied: Landlock cannot.
 * Sets no_new_privs.
 * directories  n of them; one that cannot be opened gives no access and is no error.
 * Returns      0; -EOPNOTSUPP: below LANDLOCK_ABI_MIN, nothing was done; -errno.
 */
_must_check_ int landlock_confine(const char *const *directories, size_t n);
