/* mail_rebuild.h - restantectl mailbox rebuild: a user's index is dropped and filled anew. Blocks on disk and locks. */
#pragma once

#include "server/ctl/mail_task.h"

enum {
	REBUILD_LOCK_SECONDS = 60
}; /* for which it waits for a mailbox that another program has locked */

/*
 * What a session does when it opens each mailbox, it does for all: new mail gets its UID, and the card of every message is
 * made. Not while a session has the index open. A mail_work's run; arg is the struct mail_task.
 * Returns MAIL_DONE; MAIL_FINDINGS: a mailbox could not be read, which was reported; MAIL_FAILED.
 */
enum mail_status mail_task_rebuild(void *arg, struct report *report);
