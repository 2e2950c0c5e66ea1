/* grammar_search.h - the arguments of SEARCH: a tree of search keys. Pure but for libc's charset converters. */
#pragma once

#include "server/imap/grammar.h"

enum search_kind {
	SEARCH_ALL,
	SEARCH_AND,     /* all children */
	SEARCH_OR,      /* one of two children */
	SEARCH_NOT,     /* not its child */
	SEARCH_SEQNUMS, /* set */
	SEARCH_UIDS,    /* set */
	SEARCH_FLAG,    /* flag, of enum message_flag */
	SEARCH_KEYWORD, /* text: its name */
	SEARCH_RECENT,
	SEARCH_INTERNALDATE, /* first_day to last_day */
	SEARCH_AGE,          /* internaldate at least (or, with younger, at most) seconds ago */
	SEARCH_SIZE,         /* larger or smaller than octets */
	SEARCH_SENT,         /* first_day to last_day */
	SEARCH_HEADER,       /* field name, text */
	SEARCH_BODY,         /* text */
	SEARCH_TEXT,         /* text */
};

struct search_key {
	enum search_kind kind;
	struct search_key *children; /* of AND (cheap ones first), OR and NOT */
	struct search_key *next;     /* of the same parent */
	struct slice set;
	uint32_t flag;
	struct slice name, text;     /* text is UTF-8 */
	int64_t first_day, last_day; /* since 1970, inclusive */
	uint64_t octets;
	bool larger;
	uint32_t seconds;
	bool younger;

	void *match; /* what search_match.c keeps for it */
};

enum search_return {
	SEARCH_RETURN_MIN = 1,
	SEARCH_RETURN_MAX = 2,
	SEARCH_RETURN_ALL = 4,
	SEARCH_RETURN_COUNT = 8
};

struct search_arguments {
	bool extended;    /* RETURN was given: the answer is ESEARCH */
	unsigned returns; /* enum search_return */
	struct search_key *key;
};

/*
 * [SP "RETURN" SP "(" ... ")"] [SP "CHARSET" SP astring] 1*(SP search-key), and nothing behind.
 * Text is converted to UTF-8; a charset that is not known, and text that is not UTF-8 where that was said, are
 * GRAMMAR_BADCHARSET and PARSE_BAD. RFC 3501 section 6.4.4, 4731 section 3.1, 5032.
 * Limits  LIMIT_SEARCH_KEYS, LIMIT_LIST_DEPTH.
 */
_must_check_ enum parse grammar_search(
	struct slice *in, struct grammar *grammar, struct search_arguments *ret_arguments);
