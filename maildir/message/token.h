/* token.h - the lexical parts of structured header fields: blanks and comments, tokens, quoted strings. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

/*
 * Step over blanks, line ends and comments (nested, with quoted pairs; one that does not end takes all the rest).
 * RFC 5322 section 3.2.2, CFWS.
 */
void token_skip_cfws(struct slice *in);

/* As token_skip_cfws(), and append the text of the comments met to comment, which keeps only the last. */
_must_check_ int token_take_cfws(struct slice *in, struct buf *last_comment);

/* Take a MIME token (RFC 2045 section 5.1); 8-bit bytes count as part of it. Returns it; n is 0 if none begins here. */
struct slice token_take_mime(struct slice *in);

/*
 * Take an atom (RFC 5322 section 3.2.3; 8-bit bytes too), or a run of raw ISO-2022-JP from escape to escape.
 * Returns it; n is 0 if none begins here.
 */
struct slice token_take_atom(struct slice *in);

/*
 * Take a quoted string, which begins at *in with '"', and append what it means to out: quoted pairs undone, line ends
 * of folding left out. Returns 0; -EINVAL: it does not end: the rest was taken; -ENOBUFS.
 */
_must_check_ int token_take_quoted(struct slice *in, struct buf *out);
