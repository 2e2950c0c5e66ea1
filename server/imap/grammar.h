/* grammar.h - what all argument grammars share: where values are made, why a command was refused, mailbox names. Pure. */
#pragma once

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/slice.h"

/* Why PARSE_BAD: which answer the client gets. */
enum grammar_fault {
	GRAMMAR_SYNTAX,     /* BAD */
	GRAMMAR_LIMIT,      /* NO [LIMIT]: right, but more than we take */
	GRAMMAR_BADCHARSET, /* NO [BADCHARSET (...)] */
	GRAMMAR_UIDREQUIRED, /* BAD [UIDREQUIRED]: sequence numbers, and UIDONLY is enabled */
};

/* Handed to every parse function; values live in arena as long as the command. */
struct grammar {
	struct arena *arena;
	unsigned enabled; /* enum imap_enabled, of the connection */
	bool saves;       /* the result of a search was to be saved: it is empty if the answer is NO (RFC 5182 section 2.1) */
	enum grammar_fault fault;
	const char *why; /* a text for the client, NULL: "Syntax error in arguments" */
	bool seqnums;    /* set where a command by UID takes sequence numbers, too: they must not shift while it runs */
	unsigned depth;  /* of parentheses, NOT and OR around what is parsed now */
};

/* Note why, the first time, and answer PARSE_BAD. */
enum parse grammar_bad(struct grammar *grammar, enum grammar_fault fault, const char *why);

/*
 * A mailbox name as UTF-8: INBOX in any case becomes "INBOX", modified UTF-7 is decoded (RFC 3501 section 5.1.3), and
 * valid UTF-8 in quotes or a literal is taken as it is (RFC 9051 section 5.1). With ENABLED_UTF8_NAMES there is no
 * modified UTF-7: "&" stands for itself.
 * Returns PARSE_BAD for what is neither, and for names with control characters.
 */
_must_check_ enum parse grammar_mailbox(
	struct slice *in, struct grammar *grammar, struct slice *ret_name);

/* No arguments: the command must end here. */
_must_check_ enum parse grammar_nothing(struct slice *in, struct grammar *grammar);
