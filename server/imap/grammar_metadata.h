/* grammar_metadata.h - the arguments of GETMETADATA and SETMETADATA. Pure. RFC 5464 section 5. */
#pragma once

#include "maildir/metadata.h"
#include "server/imap/grammar.h"

struct metadata_arguments {
	struct slice mailbox;           /* UTF-8; empty: the server */
	struct metadata_entry *entries; /* GETMETADATA: names only. Room for LIMIT_METADATA_ENTRIES */
	size_t n;
	bool has_maxsize;
	uint32_t maxsize_octets;
	enum metadata_depth depth;
	const unsigned *known_uses; /* of LIST: special_use_bit(), found already; else NULL */
};

/*
 * [SP options] SP mailbox SP entries. As the examples of RFC 5464 have it, options may stand behind the mailbox, and
 * entries without parentheses.
 */
_must_check_ enum parse grammar_getmetadata(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *ret_arguments);

/* SP mailbox SP entry-values. */
_must_check_ enum parse grammar_setmetadata(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *ret_arguments);

/* "(" entry *(SP entry) ")", for LIST RETURN (METADATA (...)), too: names into arguments. RFC 9590 section 5. */
_must_check_ enum parse grammar_metadata_entries(
	struct slice *in, struct grammar *grammar, struct metadata_arguments *arguments);
