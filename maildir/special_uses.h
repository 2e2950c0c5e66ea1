/*
 * special_uses.h - what the mailboxes of a store are for: as their owner said (the annotation /private/specialuse),
 * else as their names tell. RFC 6154.
 */
#pragma once

#include "maildir/special_use.h"
#include "maildir/tree.h"

#define SPECIAL_USES_ENTRY "/private/specialuse"

/*
 * The uses of all mailboxes that tree_list() gave. A use that was said of one is not told of another by its name, and a
 * mailbox of which any was said, or that it has none, has no others.
 * Allocated in arena: n sets, special_use_bit(). Reads a small file of each mailbox that has annotations.
 */
const unsigned *special_uses_find(
	struct store *store, struct arena *arena, const struct tree_entry *entries, size_t n);

/*
 * Whether nothing speaks against a mailbox having these uses: none was said of another.
 * Returns 0; -EEXIST; -errno, logged.
 */
_must_check_ int special_uses_check(struct store *store, struct slice mailbox_name, unsigned uses);

/*
 * Make a mailbox that is for these uses, whole or not at all; with no uses, one whose name tells none either.
 * Returns as tree_create() and special_uses_check(); -EMLINK: a use is another mailbox's.
 */
_must_check_ int special_uses_create(struct store *store, struct slice name, unsigned uses);
