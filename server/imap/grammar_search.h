/* grammar_search.h - the arguments of SEARCH, SORT, THREAD and ESEARCH. Pure but for libc's charset converters. */
#pragma once

#include "server/imap/grammar_fetch.h"
#include "server/imap/grammar_mailboxes.h"
#include "server/imap/grammar_partial.h"
#include "server/imap/grammar_search_key.h"
#include "server/imap/thread.h"

enum search_return {
	SEARCH_RETURN_MIN = 1 << 0,
	SEARCH_RETURN_MAX = 1 << 1,
	SEARCH_RETURN_ALL = 1 << 2,
	SEARCH_RETURN_COUNT = 1 << 3,
	SEARCH_RETURN_PARTIAL = 1 << 4,
	SEARCH_RETURN_SAVE = 1 << 5,    /* RFC 5182 */
	SEARCH_RETURN_UPDATE = 1 << 6,  /* RFC 5267 section 4.3, 5465 section 7 */
	SEARCH_RETURN_CONTEXT = 1 << 7, /* RFC 5267 section 4.2: a hint, of which nothing is made */
};

/* sort-key: RFC 5256 section 5, 5957 section 4. */
enum sort_by {
	SORT_ARRIVAL,
	SORT_CC,
	SORT_DATE,
	SORT_FROM,
	SORT_SIZE,
	SORT_SUBJECT,
	SORT_TO,
	SORT_DISPLAYFROM,
	SORT_DISPLAYTO,
};

struct sort_criterion {
	enum sort_by by;
	bool reverse;
};

struct search_arguments {
	bool extended;    /* RETURN was given: the answer is ESEARCH */
	unsigned returns; /* enum search_return */
	struct partial partial;
	struct slice update_fetch; /* of UPDATE: "(" fetch-att ... ")" as it came, checked; n 0: none (RFC 5465 section 7) */
	struct search_key *key;
	bool has_modseq; /* as struct search_grammar */
	struct slice program, charset; /* the search keys as they came, to be parsed again; as struct search_grammar */

	const struct sort_criterion *criteria; /* of SORT */
	size_t criteria_n;
	enum thread_algorithm algorithm; /* of THREAD */
	const struct mailbox_filter *filters; /* of ESEARCH; NULL: the selected mailbox */
};

/*
 * SEARCH   [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP astring] 1*(SP search-key), and nothing behind.
 *          RFC 3501 section 6.4.4; 4731 section 3.1; 5182; 5267; 5465 section 7; 9394.
 * SORT     [SP "RETURN" ...] SP "(" ... ")" SP charset 1*(SP search-key). RFC 5256 section 3; 5267 section 3.
 * THREAD   SP thread-alg SP charset 1*(SP search-key). RFC 5256 section 3.
 * ESEARCH  [SP "IN" SP "(" ... ")"], then as SEARCH. RFC 7377.
 *
 * A command that wanted its result saved and is refused with NO: grammar->saves says so (RFC 5182 section 2.1).
 * Limits   LIMIT_SEARCH_KEYS, LIMIT_LIST_DEPTH, LIMIT_SORT_CRITERIA.
 */
_must_check_ enum parse grammar_search(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments);
_must_check_ enum parse grammar_sort(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments);
_must_check_ enum parse grammar_thread(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments);
_must_check_ enum parse grammar_multisearch(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments);

/* CANCELUPDATE: 1*(SP quoted), and nothing behind. RFC 5267 section 4.3.5. */
struct cancel_arguments {
	struct slice *tags;
	size_t n;
};
_must_check_ enum parse grammar_cancelupdate(
	struct slice *in, struct grammar *grammar, struct cancel_arguments *ret_arguments);
