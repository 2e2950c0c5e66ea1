/* mime_fields.h - reads the Content-* fields of one part into it, and chooses fields for ENVELOPE; used by mime.c. Pure. */
#pragma once

#include "maildir/message/mime.h"

/*
 * Set kind, type and all that comes from fields. Of a field that comes twice the first counts.
 *
 * fields  the raw Content-* fields of the part's header.
 * keep    false: only what the tree needs (type, subtype, boundary).
 * Owns    all slices are copies in the arena.
 * RFC     2045 section 5 (with 5.2: what cannot be read is text/plain), 2183, 3282, 1864, 2557 section 4.
 */
void mime_fields_parse(struct mime_part *part, struct slice fields, struct arena *arena, bool keep);

/* Whether a field of that name is kept in envelope_fields. */
bool mime_fields_of_envelope(struct slice name);
