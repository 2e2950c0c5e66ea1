/* card_cache.h - where records about messages lie: in the index, and without one the last few in memory. */
#pragma once

#include "maildir/mailbox.h"

/* What a record tells of a message. Written into the index: values stay. */
enum card_kind { CARD_KIND_CARD, CARD_KIND_PREVIEW }; /* one bit of the key */

/* The index, and the mailbox's number in it; NULL: there is none, or it takes nothing. */
struct index *card_cache_index(struct mailbox *mailbox, uint32_t *ret_number);

struct card_cache;
void card_cache_free(struct card_cache *cache);

/*
 * Find the record of a message. Returns 0 or -ENOENT.
 * Valid until the next call into the mailbox, or store_rest().
 */
_must_check_ int card_cache_get(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice *ret_record);

/* Keep a record, instead of one that may be there. */
void card_cache_put(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice record);

/* A message has left the mailbox: forget what is in memory of it, and its digest. Its records go when that is saved. */
void card_cache_forget(struct mailbox *mailbox, uint32_t msg_uid);

/* For snapshot_save(): delete the records of messages with a UID from first_uid to last_uid. */
void card_cache_delete(
	struct index *index, uint32_t number, uint32_t first_uid, uint32_t last_uid);

/* The first UID from *msg_uid on that has a record; *msg_uid becomes it. Returns false if there is none. */
bool card_cache_next(struct index *index, uint32_t number, uint32_t *msg_uid);
