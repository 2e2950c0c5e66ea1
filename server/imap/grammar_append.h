/* grammar_append.h - the arguments of APPEND, as far as they come before the message. Pure. */
#pragma once

#include "server/imap/grammar.h"

struct append_arguments {
	struct slice mailbox; /* UTF-8; as long as the arena */
	uint32_t flags;
	const struct slice *keywords; /* as long as what was parsed */
	size_t keywords_n;
	bool utf8; /* "UTF8 (" stands before it, so ")" must follow the message */
	bool has_date;
	int64_t internaldate; /* seconds since 1970 */
};

/*
 * SP mailbox [SP flag-list] [SP date-time] SP (literal / "UTF8" SP "(" literal8), where the literal is announced, but its
 * octets did not come yet. UTF8 needs ENABLE UTF8=ACCEPT.
 * Returns PARSE_OK; PARSE_MORE: what is announced is the literal that names the mailbox; PARSE_BAD: also where there is
 *         no literal, and for a literal8: it has no place here without BINARY (RFC 3516).
 * RFC     9051 section 6.3.12; 6855 section 4. A message whose header has 8-bit characters is taken without ENABLE
 *         UTF8=ACCEPT, too, where RFC 6855 asks for NO: clients that move old mail here would lose it.
 */
_must_check_ enum parse grammar_append(
	struct slice *in, struct grammar *grammar, struct append_arguments *ret_arguments);

/*
 * What stands before a further message: [SP flag-list] [SP date-time] SP literal. The mailbox stays as it is.
 * RFC 3502 section 6.3.11.
 */
_must_check_ enum parse grammar_append_next(
	struct slice *in, struct grammar *grammar, struct append_arguments *arguments);
