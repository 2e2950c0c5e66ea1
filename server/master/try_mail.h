/* try_mail.h - sample mail for --try: plain, HTML with an attachment, Japanese in two encodings, a large attachment. */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

struct try_mailbox {
	const char *path;    /* of the Maildir; must not exist */
	const char *address; /* of its owner, "alice@example.org" */
	uid_t user_uid;      /* who owns the files; (uid_t)-1: whoever makes them */
	gid_t user_gid;
	uint64_t now_usec;   /* wall clock; the messages are of the days before */
};

/* Make a Maildir with the sample mail in it. Returns 0 or -errno. */
_must_check_ int try_mail_make(const struct try_mailbox *mailbox);
