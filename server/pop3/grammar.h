/* grammar.h - POP3 commands: the keyword, and arguments as typed values. Pure. */
#pragma once

#include "base/parse.h"
#include "base/slice.h"

/* What a command may be given; which fields are set is the business of its parse function. */
struct pop3_arguments {
	bool has_msgno;
	uint32_t msgno;        /* 1 or more */
	uint32_t lines;        /* of TOP */
	struct slice language; /* of LANG; empty: none given */
};

/* Reads all that follows the keyword; PARSE_BAD if it is not what the command takes. Never PARSE_MORE. */
typedef enum parse pop3_parse_arguments(struct slice in, struct pop3_arguments *ret_arguments);

pop3_parse_arguments pop3_parse_none;           /* RFC 1939 section 5: NOOP, RSET, STAT, QUIT */
pop3_parse_arguments pop3_parse_msgno;          /* RETR, DELE */
pop3_parse_arguments pop3_parse_optional_msgno; /* LIST, UIDL */
pop3_parse_arguments pop3_parse_msgno_lines;    /* TOP. RFC 1939 section 7 */
pop3_parse_arguments pop3_parse_language;       /* LANG. RFC 6856 section 3, RFC 4647 section 2.1 */
pop3_parse_arguments pop3_parse_any;            /* commands refused whatever follows */

/*
 * Take the keyword off the front of a line.
 * Returns PARSE_OK: *ret_keyword is set (1 to 8 letters or digits, in the client's case), *line is what follows, its
 *         leading space with it; PARSE_BAD: no keyword.
 * RFC 2449 section 3, command.
 */
enum parse pop3_parse_keyword(struct slice *line, struct slice *ret_keyword);
