/* grammar_search_key.h - search keys, as all commands that search have them: a tree. Pure but for libc's charset converters. */
#pragma once

#include "server/imap/grammar.h"

enum search_kind {
	SEARCH_ALL,
	SEARCH_AND,     /* all children */
	SEARCH_OR,      /* one of two children */
	SEARCH_NOT,     /* not its child */
	SEARCH_SEQNUMS, /* set; "$" may be in it */
	SEARCH_UIDS,    /* the same */
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
	SEARCH_MODSEQ,       /* modseq or above */
	SEARCH_SAVEDATE,     /* first_day to last_day */
	SEARCH_EMAILID,      /* text */
	SEARCH_THREADID,     /* text */
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
	uint64_t modseq;

	void *match; /* what search_match.c keeps for it */
};

/* What is parsed: the charset of its text, and what came up. */
struct search_grammar {
	struct grammar *grammar;
	struct slice charset; /* n is 0: UTF-8 */
	unsigned keys;        /* how many */
	bool has_modseq;      /* MODSEQ is among them */
	bool unknown_charset; /* text was not looked at: refuse the command when it has been read */
};

/*
 * An astring that names a charset. One that is not known is noted: a command that is not the grammar either is BAD, not
 * NO.
 */
_must_check_ enum parse search_grammar_charset(struct slice *in, struct search_grammar *g);

/*
 * 1*(search-key), separated by SP: one key, that all of them match; cheap ones come first.
 * Text is converted to UTF-8; text that is not UTF-8 where that was said is PARSE_BAD.
 * RFC 3501 section 6.4.4; 9051 section 6.4.4; 5032; 5182; 7162 section 3.1.5; 8474 section 6; 8514 section 4.3.
 * Limits  LIMIT_SEARCH_KEYS, LIMIT_LIST_DEPTH.
 */
_must_check_ enum parse search_grammar_keys(
	struct slice *in, struct search_grammar *g, struct search_key **ret_key);
