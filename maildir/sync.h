/* sync.h - mailbox_sync() in steps: what its files share. The diagram and the rules are at the head of sync.c. */
#pragma once

#include "maildir/mailbox_state.h"

/* Begin with nothing known. */
void sync_init(struct sync_state *sync);

/* Stop where it stands: give the lock back, forget what was found but not shown. */
void sync_abort(struct mailbox *mailbox);

void sync_files_clear(struct sync_files *files);
/* Keep a file's name. Returns false if there are 4 GiB of them. */
bool sync_files_add(struct sync_files *files, struct slice name, bool in_new);
static inline struct slice sync_files_name(const struct sync_files *files, size_t i)
{
	return slice_from(files->names.p + files->files[i].name_at, files->files[i].name_bytes);
}

/* sync_scan.c: begin reading the directories anew. */
void sync_scan_begin(struct mailbox *mailbox);
/* The same once more, so that a file counts as gone only if this scan misses it too. */
void sync_scan_confirm(struct mailbox *mailbox);
/* Read one directory. Returns 0, -EINPROGRESS, -errno. */
_must_check_ int sync_scan_dir(struct mailbox *mailbox, bool in_new, struct work *work);
/* Whether any message's file was not met by the scan, so far as it went. */
bool sync_scan_missed_any(const struct mailbox *mailbox);
/* Whether the file of a message was not met by a scan that must have met it. */
bool sync_scan_missed(const struct mailbox *mailbox, size_t number);

/* sync_assign.c: the steps under the lock. */
_must_check_ int sync_take_lock(struct mailbox *mailbox, struct work *work);
_must_check_ int sync_assign_uids(struct mailbox *mailbox, struct work *work);
_must_check_ int sync_move_new(struct mailbox *mailbox, struct work *work);
_must_check_ int sync_part_duplicates(struct mailbox *mailbox, struct work *work);
