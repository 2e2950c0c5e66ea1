/* grammar_append.h - the arguments of APPEND and REPLACE: what stands around the octets of messages, element after element. Pure. */
#pragma once

#include "server/imap/grammar.h"

struct append_arguments {
	struct slice mailbox; /* UTF-8; as long as the arena */
	uint32_t replaced;    /* of REPLACE: a sequence number, or a UID; else 0 */
	size_t left;          /* bytes behind the mailbox, when they were parsed: the messages begin there */
};

enum append_element_kind {
	APPEND_MESSAGE,     /* one begins, with flags and date */
	APPEND_LITERAL,     /* octets of it: a literal is announced, the last thing there is */
	APPEND_URL,         /* octets of it: what an IMAP URL names */
	APPEND_MESSAGE_END, /* it is whole */
	APPEND_END,         /* the command is */
};

struct append_element {
	enum append_element_kind kind;
	uint32_t flags; /* of APPEND_MESSAGE */
	const struct slice *keywords; /* as long as what was parsed */
	size_t keywords_n;
	bool has_date;
	int64_t internaldate; /* seconds since 1970 */
	bool literal8;        /* of APPEND_LITERAL: it may hold NUL */
	struct slice url;     /* of APPEND_URL: as it came; as long as the arena */
};

enum append_place {
	APPEND_AT_MESSAGE,
	APPEND_AT_LITERAL,
	APPEND_BEHIND_LITERAL,
	APPEND_AT_PART, /* of CATENATE: the first one */
	APPEND_BEHIND_PART,
	APPEND_BEHIND_MESSAGE,
};

/* All zeros at the first message but single. */
struct append_grammar {
	enum append_place place;
	bool single;    /* one message, as REPLACE takes it (RFC 8508 section 5) */
	bool catenates; /* the message is put together of parts */
	bool utf8;      /* "UTF8 (" stood before the literal: ")" must follow it */
};

enum { APPEND_URL_BYTES = 8 * 1024 }; /* a longer URL is refused */

/*
 * SP mailbox 1*append-message, as far as they came: up to the announcement of a message's literal, or to the end of the command.
 * Returns PARSE_OK; PARSE_MORE: what is announced is a literal that names the mailbox or a URL; PARSE_BAD.
 * RFC     9051 section 6.3.12; 3502; 4466 section 2.5; 3516 section 7; 4469 section 5; 6855 section 4, whose UTF8 needs ENABLE.
 *         A message whose header has 8-bit characters is taken without it, too, where RFC 6855 asks for NO: clients
 *         that move old mail here would lose it.
 */
_must_check_ enum parse grammar_append(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments);

/* The same with SP nz-number before it, and for one message. RFC 8508 section 5. */
_must_check_ enum parse grammar_replace(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments);

/*
 * Take the next element. *in is what came behind the one before, up to the announcement of a literal, or to the end of
 * the command: then, and only then, it may be empty.
 * Returns PARSE_OK; PARSE_MORE: what is announced is the literal of a URL: once that came, try again; PARSE_BAD. *in and *place
 *         move with PARSE_OK only.
 */
_must_check_ enum parse grammar_append_next(struct slice *in, struct grammar *grammar,
	struct append_grammar *place, struct append_element *ret_element);
