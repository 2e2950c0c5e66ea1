/* courier_keywords.h - the text in which Courier keeps keywords, directory courierimapkeywords/. Pure. */
#pragma once

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

/*
 *   :list      = *(name LF) LF *(base_name ":" [number *(SP number)] LF)      number: of a name, from 0
 *   .N.BASE    the keywords of one message since, a name a line; the highest N counts most
 *   BASE       the same, and the last change of all
 *
 * A last line of :list without its LF does not count.
 */
enum { COURIER_NAMES_MAX = 1000 }; /* different keywords: those beyond are not looked at */

struct courier_list {
	struct slice *names; /* an element may be no name that IMAP allows */
	size_t n;
	struct slice lines; /* of messages: courier_list_next() */
};

/* Read the names. Made in arena; slices point into text. Total. */
struct courier_list courier_list_parse(struct slice text, struct arena *arena);

struct courier_message {
	struct slice base;
	struct slice numbers; /* courier_number_next() */
};

/* Take the next message off the front of *lines; lines that are none are passed over. Returns false at the end. */
bool courier_list_next(struct slice *lines, struct courier_message *ret_message);

/* Take the next number below end; what is none is passed over. Returns false at the end. */
bool courier_number_next(struct slice *numbers, size_t end, size_t *ret_number);

/*
 * Whether the name of a file is that of a change, and of which message.
 * ret_turn  grows with each change of a message; UINT64_MAX for the last.
 */
bool courier_change_parse(struct slice file_name, uint64_t *ret_turn, struct slice *ret_base);
