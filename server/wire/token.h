/* token.h - the words of an IMAP command: atoms, strings, numbers, flags. Pure; the input is one whole command. */
#pragma once

#include "base/arena.h"
#include "base/parse.h"
#include "base/slice.h"

/*
 * Every function takes its token off the front of *in and answers PARSE_OK, or PARSE_BAD with *in untouched; never
 * PARSE_MORE. Tokens are slices of *in where they stand there as such; else they are made in the arena. Bytes
 * beyond 7 bits: in literals any, in quoted strings valid UTF-8, elsewhere none. NUL: nowhere.
 * RFC 9051 section 9, under the names used here.
 */

/* Whether c may stand in an atom, an astring without quotes, a pattern of LIST. */
bool token_is_atom_char(char c);
bool token_is_astring_char(char c);
bool token_is_list_char(char c);

/* One space, no more and no less. */
_must_check_ enum parse token_space(struct slice *in);
/* "(" and ")". */
_must_check_ enum parse token_open(struct slice *in);
_must_check_ enum parse token_close(struct slice *in);
/* Nothing is left: the command ends here. */
_must_check_ enum parse token_end(const struct slice *in);

_must_check_ enum parse token_tag(struct slice *in, struct slice *ret_tag);
_must_check_ enum parse token_atom(struct slice *in, struct slice *ret_atom);
/* An atom that is this word, in any case, and no longer one. */
_must_check_ enum parse token_word(struct slice *in, struct slice word);

/* A quoted string or a literal ({n}, {n+}; its line end and octets follow in *in). */
_must_check_ enum parse token_string(
	struct slice *in, struct arena *arena, struct slice *ret_string);
/* literal8: "~" and a literal, which may hold NUL. RFC 3516 section 4.4. */
_must_check_ enum parse token_literal8(struct slice *in, struct slice *ret_string);
_must_check_ enum parse token_astring(
	struct slice *in, struct arena *arena, struct slice *ret_string);
/* NIL gives a slice whose p is NULL. */
_must_check_ enum parse token_nstring(
	struct slice *in, struct arena *arena, struct slice *ret_string);
/* list-mailbox: a pattern with % and *. */
_must_check_ enum parse token_list_mailbox(
	struct slice *in, struct arena *arena, struct slice *ret_pattern);

_must_check_ enum parse token_number(struct slice *in, uint32_t *ret_number);
_must_check_ enum parse token_nz_number(struct slice *in, uint32_t *ret_number);
_must_check_ enum parse token_number64(struct slice *in, uint64_t *ret_number); /* up to 63 bits */

/* A flag: an atom with or without "\" before it. "\*" is not one. */
_must_check_ enum parse token_flag(struct slice *in, struct slice *ret_flag);

/*
 * The text of a sequence-set: checked as a whole, to be read by seqset_cut_saved() and seqset_next().
 */
_must_check_ enum parse token_sequence_set(struct slice *in, struct slice *ret_set);
