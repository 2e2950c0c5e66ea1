/* grammar_store.h - the arguments of STORE. Pure. */
#pragma once

#include "maildir/mailbox.h"
#include "server/imap/grammar.h"

struct store_arguments {
	struct slice set;
	bool conditional; /* UNCHANGEDSINCE */
	uint64_t unchangedsince;
	enum flags_operation operation;
	bool silent;
	uint32_t flags;
	const struct slice *keywords;
	size_t keywords_n;
};

/*
 * SP sequence-set [SP "(UNCHANGEDSINCE" SP number ")"] SP store-att-flags, and nothing behind. \Recent and system flags that do not exist are PARSE_BAD;
 * more than LIMIT_KEYWORDS keywords are too many. RFC 9051 section 6.4.6; 7162 section 3.1.3.
 */
_must_check_ enum parse grammar_store(
	struct slice *in, struct grammar *grammar, struct store_arguments *ret_arguments);

/*
 * flag-list / (flag *(SP flag)), into flags and keywords of *arguments, whose flags are 0 before. As above.
 * On PARSE_BAD *in may have moved.
 */
_must_check_ enum parse grammar_flags(
	struct slice *in, struct grammar *grammar, struct store_arguments *arguments);
