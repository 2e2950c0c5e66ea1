/* passed_over.h - what a command says in the end about messages that it had to leave out. */
#pragma once

#include "server/imap/command.h"

struct mailbox;

struct passed_over {
	bool expunged; /* messages were gone */
	bool failed;   /* messages could not be read */
	bool unknown_cte; /* a part's transfer encoding cannot be undone */
};

/*
 * Leave a message out, for what a step of it answered: -ENOENT: it is gone; -EOPNOTSUPP: it has an encoding that cannot be undone; another -errno is logged, with user, mailbox
 * and UID. The file of the connection is closed.
 * what     "cannot be read", ...
 */
void passed_over_add(struct passed_over *over, struct imap *imap, const struct mailbox *mailbox,
	uint32_t msg_uid, int error, const char *what);

/* Complete the command: OK; OK [EXPUNGEISSUED] if messages were gone (RFC 5530); NO [UNKNOWN-CTE] (RFC 3516 section 4.3); NO [UNAVAILABLE] if one could not be read. Returns RUN_DONE. */
enum run passed_over_finish(const struct passed_over *over, struct imap *imap);
