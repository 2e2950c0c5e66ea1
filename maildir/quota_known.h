/* quota_known.h - maildirsize as it stands; shared by quota_file.c, which counts, and quota_note.c, which adds changes. */
#pragma once

#include "maildir/dirs.h"
#include "maildir/quota.h"
#include "maildir/store.h"

#define QUOTA_FILE_NAME "maildirsize"

struct quota_known {
	bool exists, reliable; /* reliable: what is used can be told from it */
	struct quota_text text;
	struct stamp stamp;
};

/* Returns 0, also where there is no file; -errno. */
_must_check_ int quota_known_read(const struct store *store, struct quota_known *ret_known);

/* Open the file. Returns a descriptor; -ENOENT; -EINVAL: not a regular file; -errno. */
_must_check_ int quota_known_open(const struct store *store, int flags);

struct quota_limits quota_limits_of_settings(const struct store *store);

/* Log a fault with the file. */
void quota_complain(const struct store *store, const char *what, int error);
