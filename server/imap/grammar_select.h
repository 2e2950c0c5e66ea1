/* grammar_select.h - the arguments of SELECT and EXAMINE. Pure. */
#pragma once

#include "server/imap/grammar.h"

/* What a client knows of a mailbox since it had it selected last. RFC 7162 section 3.2.5. */
struct qresync_parameter {
	uint32_t uidvalidity;
	uint64_t modseq;
	/* Sequence sets, checked and without "*"; p is NULL where one was not given. */
	struct slice known_uids;
	struct slice match_seqnums, match_uids; /* ascending; as many numbers as UIDs */
};

struct select_arguments {
	struct slice name; /* UTF-8 */
	bool condstore;
	bool qresync;
	struct qresync_parameter known; /* of qresync */
};

/*
 * SP mailbox [SP "(" select-param *(SP select-param) ")"]. CONDSTORE and QRESYNC are known, each once; whether QRESYNC may be
 * used is for the command to say.
 * RFC 9051 section 6.3.2; 4466 section 2.1; 7162 section 7. A modification sequence of 0 is taken, too.
 */
_must_check_ enum parse grammar_select_parameters(
	struct slice *in, struct grammar *grammar, struct select_arguments *ret_arguments);
