/* mail.h - one user's mail, opened to be looked at: nothing is made, moved or locked. */
#pragma once

#include "maildir/store.h"
#include "maildir/tree.h"
#include "server/ctl/mail_survey.h"
#include "server/ctl/mail_task.h"

struct mail {
	const struct mail_task *task;
	struct report *report;
	struct log log;
	struct store *store;
	int root_fd;
	const struct tree_entry *entries; /* all mailboxes */
	size_t n_entries;
	struct arena arena;
};

/*
 * Open the mail of a task and read which mailboxes there are. Errors are reported.
 * Returns whether it is open; mail_close() in any case.
 */
_must_check_ bool mail_open(struct mail *mail, const struct mail_task *task, struct report *report);
void mail_close(struct mail *mail);

/*
 * Survey every mailbox that the task names, or all, and hand it over. Errors of one are reported, and the others follow.
 * Returns MAIL_DONE; MAIL_FINDINGS if each() said so; MAIL_FAILED if a mailbox could not be read, or each() said so.
 */
enum mail_status mail_each(struct mail *mail,
	enum mail_status (*each)(void *arg, struct slice name, struct survey *survey), void *arg);
