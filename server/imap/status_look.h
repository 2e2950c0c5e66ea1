/* status_look.h - finds out what STATUS tells of one mailbox, in steps: for STATUS, LIST RETURN (STATUS ...) and NOTIFY. */
#pragma once

#include "maildir/glance.h"
#include "server/imap/command.h"

/* All zeros but items: nothing is looked at. */
struct status_look {
	unsigned items; /* enum status_item: what is asked for */
	struct mailbox *mailbox; /* NULL: none was opened, for a glance told all */
	uint64_t round;          /* of mailbox_sync_anew() */
	bool synced;
	unsigned reopened; /* by the caller: how often */
	uint32_t sized_uid; /* SIZE, DELETED-STORAGE: up to this UID sizes are added */
	uint64_t octets, deleted_bytes;
	struct glance facts; /* at the end, as far as they are asked for */
};

/* Glance at the mailbox, or open it. Returns as mailbox_open(). The caller calls status_look_end() whatever comes. */
_must_check_ int status_look_begin(struct imap *imap, struct status_look *look, struct slice name);

/*
 * Find out all that is asked for.
 * Returns RUN_DONE: *ret_r is 0, or -errno as mailbox_sync() says; RUN_STEP, RUN_RETRY: call it again then.
 */
enum run status_look_run(struct imap *imap, struct status_look *look, int *ret_r);

/* Close the mailbox; look is as at the beginning, with its items. */
void status_look_end(struct status_look *look);

/* Of the mailbox that is selected, what this client was told: its news come later with the mailbox itself. Never 0. */
uint64_t status_highestmodseq(const struct imap *imap, const struct mailbox *mailbox);

/* How many messages are unseen. */
uint32_t status_unseen(const struct mailbox *mailbox);

/* Append the STATUS response, with these of the items that were looked for. RFC 9051 section 7.3.4. */
void status_look_write(struct imap *imap, const struct status_look *look, unsigned items);
