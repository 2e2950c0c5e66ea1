/* header.h - fields of a message header: taking it apart, unfolding, choosing fields. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

struct header_field {
	struct slice raw;   /* the whole field: all its lines with their line ends */
	struct slice name;  /* without colon and blanks; n is 0 for a line that is no field */
	struct slice value; /* all behind the colon, still folded, without the last line end */
};

/*
 * Take the next field off the front of a raw header; loop while it returns true.
 * A field is a line and the lines after it that begin with a blank. The empty line ends the header: it is taken off,
 * and what follows stays in *in. A line without a colon has an empty name and counts as a field of its own; so does
 * one whose name is empty or has blanks inside (blanks before the colon are allowed, RFC 5322 section 4.5).
 * Returns  false at the empty line, or when nothing is left; ret is untouched then.
 */
bool header_next(struct slice *in, struct header_field *ret_field);

/*
 * Find the first field of that name, in any case. Returns its value, still folded; p is NULL if there is none.
 */
struct slice header_find(struct slice header, struct slice name);

/* Append a folded value with its line ends left out, trimmed. RFC 5322 section 2.2.3. Returns 0 or -ENOBUFS. */
_must_check_ int header_unfold(struct slice value, struct buf *out);

/*
 * Append the fields of a raw header whose name is (or, with except, is not) among n names, with CRLF line ends.
 * With names, an empty line always follows, so that fields that were kept alone can be given; with except it follows
 * if the header has one: RFC 9051 asks for it but "in the case of a message that has no body and no blank line".
 * Lines that are no fields go with except.
 *
 * replace_nul  write 0x80 for NUL.
 * Returns      0; -ENOBUFS: out is as before.
 * RFC          9051 section 6.4.5.1: HEADER.FIELDS, HEADER.FIELDS.NOT.
 */
_must_check_ int header_select(struct slice header, const struct slice *names, size_t n, bool except,
	bool replace_nul, struct buf *out);
