/* penalty.h - failed logins counted by address and by account, in memory that all auth workers share. Time is handed in. */
#pragma once

#include "base/address.h"
#include "base/cleanup.h"
#include "base/slice.h"

/*
 * One table of fixed size, made before the workers are forked, so that it outlives each of them. An entry is kept under a keyed
 * hash of an address (address_client()) or of an account name in lower case, whether the account exists or not. It counts
 * from its first failure and is forgotten a window later. Where a row of the table is full, the entry with the fewest failures
 * goes, of these the oldest: a flood of new names does not wash out those who failed most.
 */
struct penalty;

struct penalty_limits {
	unsigned address_failures;  /* so many within the window, and the address is refused; at least 1 */
	unsigned account_failures;  /* so many within the window, and the account is refused */
	uint64_t window_usec;
	uint64_t failure_delay_usec; /* what a first failure costs */
};

/* Whose login it is. */
struct penalty_who {
	struct address address; /* of family 0: not counted */
	struct slice user;
};

enum {
	PENALTY_FREE_FAILURES = 3,               /* so many cost the plain delay; each further one twice the one before */
	PENALTY_DELAY_MAX_USEC = 15 * 1000 * 1000, /* no more than this, unless the plain delay is longer */
};

struct penalty_decision {
	bool refused;        /* address or account has failed too often: the password is not even looked at */
	uint64_t delay_usec; /* how long a failure now is to be kept waiting, from its start */
};

/* Make an empty table in memory that children share. Returns 0 or -errno. */
_must_check_ int penalty_new(struct penalty **ret_penalty);
void penalty_free(struct penalty *penalty);

/* Judge a login before its password is looked at. Counts nothing. */
struct penalty_decision penalty_check(struct penalty *penalty, const struct penalty_limits *limits,
	const struct penalty_who *who, uint64_t now_usec);

/* Count a failure of the address and of the account. Returns how long the answer to it is to be kept back. */
uint64_t penalty_failure(struct penalty *penalty, const struct penalty_limits *limits, const struct penalty_who *who,
	uint64_t now_usec);

/* Forget the failures of the account. Those of the address stay: its owner may have one account, and guess at others. */
void penalty_success(struct penalty *penalty, const struct penalty_who *who);
