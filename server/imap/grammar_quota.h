/* grammar_quota.h - the arguments of GETQUOTA and SETQUOTA. Pure. RFC 9208 section 7. */
#pragma once

#include "server/imap/grammar.h"

struct quota_arguments {
	struct slice root;
};

/* SP quota-root-name. */
_must_check_ enum parse grammar_getquota(
	struct slice *in, struct grammar *grammar, struct quota_arguments *ret_arguments);

/* SP quota-root-name SP setquota-list; the list is checked, and not kept: no client may set a quota. */
_must_check_ enum parse grammar_setquota(
	struct slice *in, struct grammar *grammar, struct quota_arguments *ret_arguments);
