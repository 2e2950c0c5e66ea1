/* fetch_card.h - what FETCH takes from a message's card, kept while the response to the message is written. */
#pragma once

#include "maildir/card.h"

/* Slices point into bytes; p NULL: not on the card, to be read from the message. */
struct fetch_card {
	struct buf bytes; /* fetch_card_init() */
	bool known;
	char threadid[OBJECTID_BYTES]; /* if known */
	char emailid[OBJECTID_BYTES];  /* of the mailbox, not of the card: mailbox_emailid() */
	struct slice envelope, body, bodystructure, fields, preview;
};

/* A buf for the bytes of cards, made once for a command. */
struct buf fetch_card_buf(void);

/* Take the card of a message; without whole, perhaps of its header only. Returns as mailbox_card(). */
_must_check_ int fetch_card_take(struct fetch_card *card, struct mailbox *mailbox, uint32_t msg_uid,
	bool whole, struct work *work);

/*
 * Take the preview, after the card if there is one. only_known: RFC 8970, LAZY.
 * Returns 0: preview.p is NULL if it is not known; otherwise as mailbox_preview().
 */
_must_check_ int fetch_card_take_preview(struct fetch_card *card, struct mailbox *mailbox,
	uint32_t msg_uid, bool only_known, struct work *work);
