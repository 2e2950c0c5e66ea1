/* lexer.h - one line of restante.conf at a time: a section header, a setting, nothing, or why it is none of these. Pure. */
#pragma once

#include "base/slice.h"

enum conf_line_kind {
	CONF_LINE_BLANK,   /* nothing, or a comment */
	CONF_LINE_SECTION, /* name, argument */
	CONF_LINE_SETTING, /* name, value */
	CONF_LINE_BAD,     /* reason */
};

/* Slices point into the text. */
struct conf_line {
	enum conf_line_kind kind;
	struct slice name;     /* of the section or the key */
	struct slice argument; /* "NAME" of [tls NAME]; empty if there is none */
	struct slice value;    /* without blanks at its ends and without the comment; may be empty */
	const char *reason;    /* what is wrong, and what to do */
};

/*
 * Take the next line off the front of *text.
 *
 *   line    = [blanks] [section / setting] [blanks] [comment] LF
 *   section = "[" name [blanks argument] "]"
 *   setting = name [blanks] "=" [blanks] value
 *   comment = (";" / "#") anything ; at the start of a line, or after a blank, but not in quotes
 *
 * A value, or an item of a list, may stand in double quotes; they are left to whoever reads the value.
 *
 * Returns  false at the end of the text. Total over all bytes; a CR before the LF is a blank.
 */
bool conf_line_next(struct slice *text, struct conf_line *ret_line);
