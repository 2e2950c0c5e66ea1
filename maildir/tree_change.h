/* tree_change.h - what tree_change.c and tree_purge.c share; of no use to anyone else. */
#pragma once

#include "maildir/store.h"

/* Names in tmp/ of mailboxes that are not yet or no longer in the tree. */
#define TREE_CREATED_PREFIX "restante-created."
#define TREE_DELETED_PREFIX "restante-deleted."
#define TREE_DELETED_UNCOUNTED_PREFIX "restante-deleted.uncounted." /* it is in no quota */

enum { TREE_TEMPORARY_BYTES = 80 };

/* A file that a mailbox has from its first moment. */
struct tree_file {
	const char *name;
	struct slice text;
};

/* As tree_create(); file may be NULL. */
_must_check_ int tree_create_with(
	struct store *store, struct slice name, const struct tree_file *file);

/* Remove a directory in tmp/ with all that is in it. Returns as struct work; -errno. */
_must_check_ int tree_remove_directory(int parent_fd, const char *name, struct work *work);
