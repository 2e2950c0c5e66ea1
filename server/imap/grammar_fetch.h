/* grammar_fetch.h - the arguments of FETCH. Pure. */
#pragma once

#include "maildir/message/section.h"
#include "server/imap/grammar.h"
#include "server/imap/grammar_partial.h"

enum fetch_kind {
	FETCH_FLAGS,
	FETCH_UID,
	FETCH_INTERNALDATE,
	FETCH_RFC822_SIZE,
	FETCH_MODSEQ,
	FETCH_ENVELOPE,
	FETCH_BODY, /* the structure without extension data */
	FETCH_BODYSTRUCTURE,
	FETCH_SECTION, /* BODY[...], BODY.PEEK[...], RFC822, RFC822.HEADER, RFC822.TEXT */
	FETCH_BINARY,  /* BINARY[...], BINARY.PEEK[...] (RFC 3516) */
	FETCH_BINARY_SIZE,
	FETCH_EMAILID,  /* RFC 8474 */
	FETCH_THREADID,
	FETCH_SAVEDATE, /* RFC 8514 */
	FETCH_PREVIEW,  /* RFC 8970 */
};

enum section_fields { FIELDS_ALL, FIELDS_THESE, FIELDS_NOT_THESE };

/* section-spec. Part numbers as mime_find() takes them. */
struct section {
	const uint32_t *numbers;
	size_t n;
	enum section_kind kind;
	enum section_fields fields; /* of SECTION_HEADER only */
	const struct slice *names;
	size_t names_n;
};

struct fetch_item {
	enum fetch_kind kind;
	struct slice label;     /* how the response names it, without a partial's origin */
	struct section section; /* of FETCH_SECTION; of FETCH_BINARY and FETCH_BINARY_SIZE numbers only */
	bool sets_seen;
	bool lazy; /* of FETCH_PREVIEW: only if it is known */
	bool partial;
	uint64_t first_octet, octets; /* of a partial */
};

struct fetch_arguments {
	struct slice set; /* sequence-set, checked */
	const struct fetch_item *items;
	size_t n;
	struct partial partial; /* first is 0: none (RFC 9394 section 3.3) */
	bool changed_only; /* CHANGEDSINCE: MODSEQ is among the items then */
	uint64_t changedsince;
	bool vanished;
};

enum {
	FETCH_MAX_ITEMS = 1000,
	FETCH_MAX_NAMES = 1000,                   /* of HEADER.FIELDS */
	FETCH_MAX_NUMBERS = 2 * LIMIT_MIME_DEPTH, /* of a section-part */
};

/* section-spec, and the "]" behind it. RFC 9051 section 9. */
_must_check_ enum parse grammar_section(
	struct slice *in, struct grammar *grammar, struct section *ret_section);

/*
 * SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")"), then
 * perhaps SP "(" fetch-modifier *(SP fetch-modifier) ")", and nothing behind. An item that comes twice is answered
 * twice. Whether VANISHED may be used (after ENABLE QRESYNC, and by UID only) is for the command to say.
 * RFC 3501 section 9, fetch; 9051 section 6.4.5; 3516 section 7; 4466 section 2.4; 7162 section 7. CHANGEDSINCE 0 is taken, too.
 */
_must_check_ enum parse grammar_fetch(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *ret_arguments);

/* "(" fetch-att *(SP fetch-att) ")": what NOTIFY wants to be told of new messages. RFC 5465 section 8. */
_must_check_ enum parse grammar_fetch_items(
	struct slice *in, struct grammar *grammar, struct fetch_arguments *ret_arguments);
