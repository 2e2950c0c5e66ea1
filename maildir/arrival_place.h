/* arrival_place.h - the files of an arrival on their way into cur/, and back. For arrival.c alone. */
#pragma once

#include "maildir/arrival.h"

/* One arrival_commit(), from the time the lock is taken until it is given back. */
struct committing {
	struct arrival *arrival;
	struct mailbox *mailbox;
	struct work *work;           /* of this step */
	int numbers[LIMIT_KEYWORDS]; /* of the arrival's keywords in the mailbox; -1: it has none */
	size_t placed;               /* files that lie in cur/, but for those that are missed */
	size_t left;                 /* of these, those whose messages are off the source's list */
};

/* The keywords of a message as the mailbox numbers them. */
uint64_t arrival_keywords_here(const struct committing *c, const struct arriving *file);

/* The name that a file has in cur/. */
void arrival_format_name(const struct committing *c, const struct arriving *file,
	char ret_name[FILE_NAME_MAX_BYTES + 1]);

/*
 * Rename files into cur/, and make that durable behind the last. What is not in the source any more, or not as it was
 * described, is missed.
 * Returns 0; -EINPROGRESS; -EXDEV: the source is on another file system; -errno.
 */
_must_check_ int arrival_place_files(struct committing *c);

/* Take those placed since the last time off the source's list, and count them among arrival.taken. */
void arrival_leave_source(struct committing *c);

/* Rename all back. Of tmp/'s, one that cannot go back is removed; of a source's, it stays, and is logged. */
void arrival_take_files_back(struct committing *c);
