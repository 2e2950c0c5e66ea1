/* card_make.h - makes the card of a message from its structure and header. Pure but for libc's converters. */
#pragma once

#include "base/arena.h"
#include "maildir/card_format.h"
#include "maildir/message/mime.h"

/* What a card is made from. */
struct card_source {
	const struct mime_part *root;
	struct slice
		header; /* raw, whole; p NULL: it is too large, the card has neither envelope nor fields */
	int64_t internaldate;
	bool header_only; /* root is of the header alone */
};

/*
 * Make a card.
 * Owns    slices are in the arena; what would not fit into CARD_MAX_BYTES has p NULL.
 * RFC     9051 section 7.5.2 (ENVELOPE, BODYSTRUCTURE, BODY), 5256, 5957.
 */
void card_make(const struct card_source *source, struct arena *arena, struct card *ret_card);
