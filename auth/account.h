/* account.h - from a name that PAM vouched for to a mail account: user, groups, home, mail path. Asks NSS; the rules are pure. */
#pragma once

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/slice.h"
#include "base/verdict.h"

#include <sys/types.h>

/* Where mail lies, from the configuration. Strings are borrowed. */
struct account_rules {
	const char *mail_user;  /* "": each name is a system user; else a name, or UID:GID, to whom all mail belongs: virtual users */
	const char *mail_path;  /* a template, see auth/expand.h */
	const char *index_path; /* a template */
	uid_t minimum_uid;      /* users below are refused */
};

/* Who a session is to become, and where its mail lies. */
struct account {
	char user[LIMIT_USER_BYTES + 1]; /* of a system user: as NSS spells it */
	uid_t user_uid;
	gid_t user_gid;
	gid_t groups[LIMIT_GROUPS]; /* supplementary groups, user_gid among them */
	size_t n_groups;
	unsigned groups_left_out; /* groups beyond LIMIT_GROUPS: they are not used, which the caller logs */
	char home[LIMIT_PATH_BYTES + 1]; /* "" for virtual users */
	char mail_path[LIMIT_PATH_BYTES + 1]; /* absolute, without "." and ".." */
	char index_path[LIMIT_PATH_BYTES + 1];
};

enum { ACCOUNT_CAUSE_BYTES = 300 };

/* Have NSS load its modules now, for every process forked later. */
void account_preload(void);

/*
 * Say whether a name may be a user at all: 1 to LIMIT_USER_BYTES bytes, no control characters, no "/", no "-" in front,
 * neither "." nor "..". So it is one path component, wherever it is put. Pure.
 */
bool account_user_is_valid(struct slice user);

/*
 * Check the rules themselves, as far as they do not depend on a user: that mail_user exists, that it is not below
 * minimum_uid, that the templates can be expanded (no "~" for virtual users).
 * Returns 0, or -EINVAL: ret_cause says what is wrong with which setting, and what to do.
 */
_must_check_ int account_check_rules(const struct account_rules *rules, char ret_cause[ACCOUNT_CAUSE_BYTES]);

/*
 * Find the account of a user who has proved who they are.
 * Returns  VERDICT_OK: *ret_account is set.
 *          VERDICT_AUTHORIZATION_FAILED: not known to NSS, below minimum_uid, or a name, home or path against the rules.
 *          VERDICT_UNAVAILABLE: NSS failed, or a home that the mail path needs does not exist: it may not be mounted, and
 *          mail must not be begun anew beside the mount.
 *          With both, ret_cause says why, for the log; printable.
 * Blocks   as NSS and the file system of the home do.
 */
_must_check_ enum verdict account_find(const struct account_rules *rules, struct slice user, struct account *ret_account,
	char ret_cause[ACCOUNT_CAUSE_BYTES]);
