/* digest.h - what SORT and SEARCH mostly look at of a message: kept for many messages in one record of the index. */
#pragma once

#include "maildir/digest_format.h"
#include "maildir/mailbox.h"

/*
 * Made from cards by whoever asks for them first, a chunk of messages at a time. Like cards they are a cache; where there
 * is none, the card is looked at.
 */

/*
 * The card of a message as far as its digest has it: numbers and sort keys; of the fields those of digest_has_field(), or
 * NULL, as all else may be. With CARD_HEADER_ONLY the size is not known: mailbox_card() knows it.
 * Returns as mailbox_card_of_header().
 * Valid   until the next call into the mailbox, or store_rest().
 */
_must_check_ int mailbox_digest(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card);

/* Write what was made; forget what was not used since the last time. Before index_rest(). */
void digest_rest(struct mailbox *mailbox);

/* A message has left the mailbox: forget what is known of it. */
void digest_forget(struct mailbox *mailbox, uint32_t msg_uid);

struct digest_cache;
void digest_cache_free(struct digest_cache *cache);
