/*
 * metadata_file.h - annotations on disk: restante-metadata in the directory of each mailbox, and for the server
 * restante-metadata.server in the root. They move and go with their mailbox, and are no part of the index.
 */
#pragma once

#include "base/arena.h"
#include "maildir/metadata.h"
#include "maildir/store.h"

#define METADATA_NAME "restante-metadata"

/*
 * Read the annotations of a mailbox (UTF-8), or with an empty name those of the server.
 * Returns 0: made in arena; -ENOENT: no such mailbox; -EBADMSG: the file is not one of ours; -EFBIG, -errno.
 */
_must_check_ int metadata_read(struct store *store, struct slice mailbox_name, struct arena *arena,
	struct metadata *ret_metadata);

/* What is set at once: all or nothing. */
struct metadata_changes {
	struct slice mailbox_name; /* empty: the server */
	const struct metadata_entry *entries;
	size_t n;
};

/*
 * Set and remove annotations, durably (but with fsync = never), under the lock of the mailbox's uidlist.
 * Returns 0; -EMSGSIZE: a value is above LIMIT_METADATA_VALUE_BYTES; -E2BIG: there would be more than
 * LIMIT_METADATA_ENTRIES, or more than LIMIT_METADATA_BYTES; -EAGAIN as struct work; or as metadata_read().
 */
_must_check_ int metadata_change(
	struct store *store, const struct metadata_changes *changes, struct work *work);
