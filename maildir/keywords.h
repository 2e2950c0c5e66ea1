/* keywords.h - the keywords of a mailbox: numbers and names, and the text of the two files that hold them. Pure. */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

#include <stdint.h>

/*
 * Keywords 0 to 25 are the letters a to z in file names; their names stand in dovecot-keywords:
 *
 *   dovecot-keywords   = *(number SP name LF)
 *
 * File names have no letters for those beyond. Their names, and which message has which of them, stand in a file of
 * ours, changed under the lock of the uidlist:
 *
 *   restante-keywords  = "1 restante-keywords" LF *(name_line / message_line)
 *   name_line          = "K" SP number SP name LF              number: 26 to LIMIT_KEYWORDS - 1
 *   message_line       = "M" SP numbers SP base_name LF        numbers: "26,31" or "-" for none
 *
 * Lines are appended, and a later line about the same number or message counts more than an earlier one; now and
 * then the file is written anew without what is out of date. A line that is not understood is passed over; a last
 * line without LF does not count.
 */
enum { KEYWORD_FIRST_BEYOND = 26, KEYWORD_MAX_BYTES = 255 };

struct keyword_table {
	char *names[LIMIT_KEYWORDS]; /* malloc'ed, or NULL: no keyword has that number */
};

void keyword_table_done(struct keyword_table *table);

/* The first number of the table no keyword beyond has: how many a caller must look at. */
unsigned keyword_table_end(const struct keyword_table *table);

/* Name a number; a name that was there goes. name: see keyword_is_valid(); number: below LIMIT_KEYWORDS. */
void keyword_table_set(struct keyword_table *table, unsigned number, struct slice name);

/* Find a keyword in any case of letters. Returns its number, or -1. */
int keyword_table_find(const struct keyword_table *table, struct slice name);

/*
 * The number a new keyword gets: the lowest free one; a hole whose bit is set in used is not free.
 * Returns -1 if there is none.
 */
int keyword_table_free_number(const struct keyword_table *table, uint64_t used);

/* Whether a name may be that of a keyword: an atom of IMAP, at most KEYWORD_MAX_BYTES. RFC 9051 section 9, flag-keyword. */
bool keyword_is_valid(struct slice name);

/* Read dovecot-keywords into numbers 0 to 25, which are forgotten before. Total: passes over what it does not understand. */
void keywords_parse_dovecot(struct slice text, struct keyword_table *table);

/* Append numbers 0 to 25 as dovecot-keywords. Returns 0, or -ENOBUFS. */
_must_check_ int keywords_format_dovecot(const struct keyword_table *table, struct buf *out);

/* What a line of restante-keywords says. */
enum keyword_line { KEYWORD_LINE_NONE, KEYWORD_LINE_NAME, KEYWORD_LINE_MESSAGE };

struct keyword_line_values {
	unsigned number; /* KEYWORD_LINE_NAME */
	struct slice
		name; /* the keyword's, or of KEYWORD_LINE_MESSAGE the base name; points into the line */
	uint64_t keywords; /* KEYWORD_LINE_MESSAGE: bits 26 and above */
};

/* Read one line, without its LF. KEYWORD_LINE_NONE: the first line, or not understood. */
enum keyword_line keywords_parse_line(struct slice line, struct keyword_line_values *ret_values);

/* Append lines, with their LF. Return 0, or -ENOBUFS. */
_must_check_ int keywords_format_first_line(struct buf *out);
_must_check_ int keywords_format_name(unsigned number, struct slice name, struct buf *out);
_must_check_ int keywords_format_message(struct slice base, uint64_t keywords, struct buf *out);
