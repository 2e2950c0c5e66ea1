/* grammar_session.h - the arguments of ID, COMPRESS, ENABLE and UID EXPUNGE. Pure. */
#pragma once

#include "server/imap/grammar.h"

struct enable_arguments {
	const struct slice *capabilities;
	size_t n;
};

struct language_arguments {
	const struct slice *ranges;
	size_t n; /* 0: which languages there are is asked */
};

struct set_arguments {
	struct slice set;
	struct slice mailbox; /* of COPY; UTF-8 */
};

enum { ID_MAX_PAIRS = 30, ID_MAX_FIELD_BYTES = 30, ID_MAX_VALUE_BYTES = 1024, ENABLE_MAX = 100, LANGUAGE_MAX = 100 };

/* SP ("NIL" / "(" string SP nstring ... ")"), within the limits of RFC 2971 section 3.3. What it says is not kept. */
_must_check_ enum parse grammar_id(struct slice *in, struct grammar *grammar);

/* SP "DEFLATE". RFC 4978 section 5. */
_must_check_ enum parse grammar_compress(struct slice *in, struct grammar *grammar);

/* 1*(SP capability). RFC 5161 section 3.1. */
_must_check_ enum parse grammar_enable(
	struct slice *in, struct grammar *grammar, struct enable_arguments *ret_arguments);

/* *(SP lang-range-quoted), each an astring. RFC 5255 section 3.5. */
_must_check_ enum parse grammar_language(
	struct slice *in, struct grammar *grammar, struct language_arguments *ret_arguments);

/* SP sequence-set. RFC 4315 section 2.1. */
_must_check_ enum parse grammar_set(
	struct slice *in, struct grammar *grammar, struct set_arguments *ret_arguments);

/* SP sequence-set SP mailbox. RFC 9051 section 6.4.7. */
_must_check_ enum parse grammar_copy(
	struct slice *in, struct grammar *grammar, struct set_arguments *ret_arguments);
