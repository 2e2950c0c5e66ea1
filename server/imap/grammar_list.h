/* grammar_list.h - the arguments of LIST and LSUB, and what their patterns match. Pure. */
#pragma once

#include "server/imap/grammar.h"
#include "server/imap/grammar_metadata.h"

/* Selection options. REMOTE is not among them: there are no remote mailboxes, so it changes nothing. */
enum list_select {
	LIST_SELECT_SUBSCRIBED = 1 << 0,
	LIST_SELECT_SPECIAL_USE = 1 << 1, /* RFC 6154 section 5.2 */
	LIST_SELECT_RECURSIVEMATCH = 1 << 2,
	LIST_SELECT_CRITERIA = LIST_SELECT_SUBSCRIBED | LIST_SELECT_SPECIAL_USE,
};

/* Return options. CHILDREN is not among them: that is always told. */
enum list_return {
	LIST_RETURN_SUBSCRIBED = 1 << 0,
	LIST_RETURN_SPECIAL_USE = 1 << 1,
};

struct list_arguments {
	bool extended;   /* the extended syntax was used: RFC 9051 section 6.3.9 */
	unsigned select; /* enum list_select */
	unsigned returns; /* enum list_return; what a selection option implies is among them */
	struct slice reference; /* as written, but for its quotes */
	const struct slice *patterns;
	size_t patterns_n;
	unsigned status_items; /* RETURN (STATUS (...)): enum status_item; 0: not asked for */
	struct metadata_arguments metadata; /* RETURN (METADATA (...)): names only; n 0: not asked for. RFC 9590 */
};

/*
 * [SP "(" selection-options ")"] SP mailbox SP (list-mailbox / "(" list-mailbox *(SP list-mailbox) ")")
 * [SP "RETURN (" return-options ")"]. An option that is not known is PARSE_BAD.
 * Limits  LIMIT_LIST_PATTERNS, LIMIT_PATH_BYTES for each and for the reference.
 * RFC     9051 section 6.3.9; 5258 section 6; 5819; 6154 section 5; 9590.
 */
_must_check_ enum parse grammar_list(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments);

/* SP mailbox SP list-mailbox. RFC 3501 section 6.3.9. */
_must_check_ enum parse grammar_lsub(
	struct slice *in, struct grammar *grammar, struct list_arguments *ret_arguments);

/*
 * Whether name matches a pattern of LIST: "*" is any text, "%" any text without delimiter; INBOX, also as first
 * level, in any case.
 * Costs at most pattern.n * name.n. RFC 9051 section 6.3.9.
 */
bool list_matches(struct slice pattern, struct slice name, char delimiter);
