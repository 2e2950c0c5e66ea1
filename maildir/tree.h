/*
 * tree.h - the mailboxes of a store as a whole: which there are, making, removing and renaming them.
 *
 * Every mailbox is one directory in the root, and comes, goes and moves by one rename(2):
 *
 *   create   tmp/restante-created.X   made whole, then  -> .Name
 *   delete   .Name -> tmp/restante-deleted.X            then its files are removed, in steps, now or by a later delete
 *   rename   .Old -> .New                               the same for each child; what fails in between is put back
 *
 * So whatever ends the process leaves each mailbox whole, under one name. A mailbox that is deleted while its children
 * stay leaves a name that is no mailbox.
 */
#pragma once

#include "base/arena.h"
#include "maildir/store.h"

struct tree_entry {
	struct slice name; /* UTF-8, with the store's separator */
	bool exists;       /* false: no mailbox, but there are some below it */
	bool has_children;
};

/*
 * All mailboxes and the names between them, in the order of name_compare(): INBOX first, children behind their parent.
 * Reads the root directory, opens no mailbox. Symbolic links and directories without cur/ are left out.
 * Allocated in arena. Returns 0; -errno, logged.
 */
_must_check_ int tree_list(struct store *store, struct arena *arena,
	const struct tree_entry **ret_entries, size_t *ret_n);

/*
 * Make a mailbox. Its parents are not made.
 * Returns 0; -EEXIST; -EINVAL: not a name, or name_check_new(); -ENAMETOOLONG; -ENFILE: LIMIT_MAILBOXES reached;
 * -ELOOP: a symbolic link has its place; -EACCES, -ENOSPC, ...
 */
_must_check_ int tree_create(struct store *store, struct slice name);

/*
 * Take a mailbox and its messages out of the tree; children stay. Who has it open gets -ESTALE from then on. The files
 * go later, by tree_purge().
 * Returns 0; -ENOENT; -ENOTEMPTY: the name is no mailbox, but has children; -EINVAL: INBOX, or not a name;
 * -EAGAIN as struct work: another program works in the mailbox; -ELOOP, -EACCES, ...
 */
_must_check_ int tree_delete(struct store *store, struct slice name, struct work *work);

/*
 * Remove the files of mailboxes that were deleted, also by a process that did not come to it.
 * Returns 0: none are left, or they cannot be removed (logged); -EINPROGRESS as struct work.
 */
_must_check_ int tree_purge(struct store *store, struct work *work);

/*
 * Give a mailbox and all below it another name; who has one open keeps it. Subscriptions are not changed (RFC 9051
 * section 6.3.6). Not for INBOX, which stays where it is: -EINVAL.
 * Returns 0; -ENOENT; -EEXIST: the new name, or one below it, is taken; -EINVAL: the new name lies below the old one, or
 * is not allowed; -ENAMETOOLONG; -errno: all are as they were, or, if even that failed, it is logged which are not.
 */
_must_check_ int tree_rename(struct store *store, struct slice from, struct slice to);
