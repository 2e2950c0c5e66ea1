/* mail_task.h - what a mailbox verb is to do. */
#pragma once

#include "conf/conf.h"
#include "server/ctl/mail_child.h"

enum mail_format { MAIL_FORMAT_MBOX, MAIL_FORMAT_TAR };

/* What was asked for. Strings are borrowed. */
struct mail_task {
	const struct account *account;
	const struct conf *conf;
	const char *hostname;
	char *const *mailboxes; /* named ones; none: all */
	size_t n_mailboxes;
	bool counts; /* list: messages and unseen ones, too */
	bool quick;  /* verify: read no message */
	bool strict; /* verify: notes are findings as well */
	enum mail_format format;
};
