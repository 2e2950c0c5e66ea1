/* verify.h - one login judged: penalties, PAM, account. Blocks as PAM and NSS do. */
#pragma once

#include "auth/account.h"
#include "auth/penalty.h"
#include "base/log.h"
#include "conf/conf.h"
#include "server/ipc/credentials.h"

struct verify_request {
	struct address address;
	struct credentials credentials; /* the caller wipes what they lie in */
};

enum { VERIFY_CAUSE_BYTES = 400 };

struct verify_outcome {
	enum verdict verdict;
	uint64_t delay_usec;    /* for the front, counted from the start of the login; 0 with VERDICT_OK */
	struct account account; /* with VERDICT_OK */
	char cause[VERIFY_CAUSE_BYTES]; /* for the log; "" with VERDICT_OK */
};

/*
 * Judge a login and count it. Always sets *ret_outcome.
 * An address or account that is refused gets VERDICT_REFUSED without a look at the password. A name that no user may have and an
 * empty password are VERDICT_AUTHENTICATION_FAILED without asking PAM. To act for another (an authzid that is not
 * the authcid) nobody is allowed: VERDICT_AUTHORIZATION_FAILED, to who knows the password; RFC 4616 section 2.
 * now_usec  of clock_monotonic_usec().
 */
void verify_login(const struct conf *conf, struct penalty *penalty, const struct log *log, const struct verify_request *request,
	uint64_t now_usec, struct verify_outcome *ret_outcome);
