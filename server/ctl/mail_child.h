/* mail_child.h - a process that becomes the mail user for good, and only then looks at mail. */
#pragma once

#include "auth/account.h"
#include "server/ctl/mail_report.h"

/*
 * Exit status of the mailbox verbs. MAIL_FINDINGS: it was done, but something is not as it should be: verify found
 * disagreements, export had to leave something out.
 */
enum mail_status { MAIL_DONE = 0, MAIL_FINDINGS = 1, MAIL_FAILED = 2 };

struct mail_work {
	enum mail_status (*run)(void *arg, struct report *report); /* in the child */
	void *arg;
	const struct account *account;
	bool progress; /* show it on standard error */
	int out_fd;    /* where bytes go, as standard output of the child; -1: nowhere */
};

/*
 * Fork a child that takes on the account's identity (groups, gid, uid, no way back), without a terminal, and let it run.
 * ret_reply  what it reported, for reply_parse(); incomplete if it died.
 * Returns    the exit status; MAIL_FAILED also where the child died, which an error in ret_reply tells. Blocks.
 */
_must_check_ enum mail_status mail_child_run(const struct mail_work *work, struct buf *ret_reply);
