/* replace.h - REPLACE's part of the work: the message that a new one takes the place of. RFC 8508. */
#pragma once

#include "maildir/quota.h"
#include "server/imap/command.h"

struct mailbox;

enum replace_stage {
	REPLACE_REMOVE,
	REPLACE_TELL,
	REPLACE_UNDO,
	REPLACE_KEEP, /* whether the old message is there is not known: both stay */
};

/* All zeros at first. */
struct replace {
	uint32_t old_uid;
	enum replace_stage stage;
	size_t done; /* mailbox_expunge()'s cursor */
	int error;   /* why the old message stays */
};

/*
 * Find the message to be replaced, in the selected mailbox, and what its going frees of the quota.
 * Returns RUN_DONE: the command is completed if there is no such message.
 */
enum run replace_begin(struct imap *imap, struct replace *replace, struct quota_sum *ret_freed);

/*
 * What its going frees as messages are announced, in octets: the quota counts the file, which has line ends without CR.
 * A message that is gone frees nothing.
 * Returns 0, -EINPROGRESS.
 */
_must_check_ int replace_freed_octets(
	struct imap *imap, const struct replace *replace, struct quota_sum *ret_freed);

/*
 * Before the new one is added: see whether the old one is still there.
 * Returns RUN_DONE: the command is completed if it is not; RUN_STEP, RUN_RETRY.
 */
enum run replace_check(struct imap *imap, const struct replace *replace);

/*
 * The new message is durable, with that UID in target: remove the old one, tell APPENDUID and EXISTS, and complete the command;
 * EXPUNGE follows with the updates behind it (sections 3.4, 4.3). Where the old one cannot be removed, and is
 * surely there, the new one is taken away again.
 * Returns RUN_DONE: it is completed; else as a command's run.
 */
enum run replace_finish(
	struct imap *imap, struct replace *replace, struct mailbox *target, uint32_t new_uid);
