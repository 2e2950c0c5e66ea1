/* mail_account.h - whose mail restantectl is to look at, where it lies, and who to become for that. */
#pragma once

#include "auth/account.h"
#include "conf/conf.h"

enum { MAIL_CAUSE_BYTES = 800 };

struct mail_account {
	struct conf *conf; /* mail_account_done() frees it */
	struct account account;
};

/*
 * Find the account of a user as a login would, by the configuration and the user database; or, with a path, the
 * mail that lies there.
 * config   the configuration; NULL: the standard one. It may be missing, if that is the standard one, for a path.
 * user     NULL: there is a path.
 * path     an absolute directory, or one below the working directory. Root becomes its owner; a symbolic link, and
 *          a directory of root, are refused.
 * Returns  0; -1: ret_cause says why not, and what to do.
 */
_must_check_ int mail_account_find(const char *config, const char *user, const char *path,
	struct mail_account *ret_account, char ret_cause[MAIL_CAUSE_BYTES]);
void mail_account_done(struct mail_account *account);
