/* uidlist_file.h - dovecot-uidlist on disk, read into a mailbox's list and written from it. */
#pragma once

#include "maildir/mailbox_state.h"

/* Of the file. 100,000 messages take some 6 MB. */
enum { UIDLIST_FILE_MAX_BYTES = 1 << 30 };

/*
 * Read what is new in the file into the list: all of it, or what was appended. Records of messages not known
 * before are added behind, not shown; messages whose record is gone become orphans. Where there is no file yet,
 * Courier's is read; with neither, uidlist.header.uidvalidity stays 0 and must_rewrite becomes true.
 *
 * Returns 0; -EBADMSG: the file cannot be used, or is not the successor of what was read before: the list is not
 *         to be relied on until uidlist_file_forget(); -errno.
 */
_must_check_ int uidlist_file_refresh(struct mailbox *mailbox);

/* Forget all that was read. The list of messages becomes empty. */
void uidlist_file_forget(struct mailbox *mailbox);

/* Keep a broken file aside, under a name with the time in it. Under the lock. Returns 0, or -errno. */
_must_check_ int uidlist_file_set_aside(struct mailbox *mailbox, uint64_t now_usec);

/*
 * Write, durably, the records of messages first to n - 1: appended, or with the whole file where it must be rewritten.
 * Under the lock, after uidlist_file_refresh(). Gives the mailbox a UIDVALIDITY and a GUID if it has none.
 * Returns 0; -EAGAIN: the lock was taken from us; -errno: nothing was written that counts.
 */
_must_check_ int uidlist_file_write(struct mailbox *mailbox, size_t first, struct work *work);

/* Whether so many records are of messages gone that a rewrite is worth it. */
bool uidlist_file_is_wasteful(const struct mailbox *mailbox);
