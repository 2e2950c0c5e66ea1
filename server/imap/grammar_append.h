/* grammar_append.h - the arguments of APPEND, as far as they come before the message. Pure. */
#pragma once

#include "server/imap/grammar.h"

struct append_arguments {
	struct slice mailbox; /* UTF-8; as long as the arena */
	uint32_t flags;
	const struct slice *keywords; /* as long as what was parsed */
	size_t keywords_n;
	bool has_date;
	int64_t internaldate; /* seconds since 1970 */
};

/*
 * SP mailbox [SP flag-list] [SP date-time] SP literal, where the literal is announced, but its octets did not come yet.
 * Returns PARSE_OK; PARSE_MORE: what is announced is the literal that names the mailbox; PARSE_BAD: also where there is
 *         no literal, and for a literal8: it has no place here without BINARY (RFC 3516).
 * RFC     9051 section 6.3.12.
 */
_must_check_ enum parse grammar_append(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments);

/*
 * What stands before a further message: [SP flag-list] [SP date-time] SP literal. The mailbox stays as it is.
 * RFC 3502 section 6.3.11.
 */
_must_check_ enum parse grammar_append_next(
	struct slice *in, struct grammar *grammar, struct append_arguments *arguments);
