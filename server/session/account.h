/* account.h - the one account that a session serves: who it is, where its mail lies, and getting there. */
#pragma once

#include "maildir/store.h"
#include "server/ipc/frames.h"
#include "base/become.h"
#include "server/session/session.h"

/* Strings are its own. */
struct account {
	char *user; /* for logs, escaped */
	char *home, *mail_path, *index_path;
	bool drop_index; /* the user's last session died in a way that may have spoilt it */
	struct identity identity;
};

struct account *account_new(const struct frame_adopt *adopt);
void account_free(struct account *account);

/* Whether a further ADOPT names the account that this session has become: the same uid and mail path. */
bool account_matches(const struct account *account, const struct frame_adopt *adopt);

/*
 * Become the account's user, make its mail directory if it is missing, and enter the sandbox. For good.
 * Returns 0, or the exit status of a session that must not go on: 70, 77. Everything is logged.
 *         *ret_may_serve: false if, started as an ordinary user, we are not this one: every login is to be refused.
 */
_must_check_ int account_enter(const struct account *account,
	const struct session_settings *settings, const struct log *log, bool *ret_may_serve);

/* Open the account's mail. Returns NULL, logged with a remedy, if that fails. It refers to account and settings. */
struct store *account_open_store(const struct account *account,
	const struct session_settings *settings, const struct log *log);
