#include "maildir/card_cache.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/card_format.h"
#include "maildir/digest.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT = 16, KEPT_BYTES = 8 * 1024 };

/*
 * What was made last is kept here as well: an index takes nothing, or loses what it took, at any moment, and a record must
 * be there when it was just put.
 */
struct card_cache {
	uint32_t number; /* of the mailbox in the index; 0: not known */
	unsigned losses; /* of the index, when number was found */
	struct {
		uint64_t key; /* 0: unused; no UID is 0 */
		struct buf record;
	} kept[KEPT];
	size_t next; /* the oldest */
};

static uint64_t key_of(enum card_kind kind, uint32_t msg_uid)
{
	return (uint64_t)msg_uid << 1 | kind;
}

void card_cache_free(struct card_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < KEPT; i++)
		buf_done(&cache->kept[i].record);
	free(cache);
}

static struct card_cache *cache_of(struct mailbox *mailbox)
{
	if (!mailbox->card_cache) {
		mailbox->card_cache = calloc(1, sizeof *mailbox->card_cache);
		must(mailbox->card_cache != NULL);
	}
	return mailbox->card_cache;
}

struct index *card_cache_index(struct mailbox *mailbox, uint32_t *ret_number)
{
	struct index *index = mailbox->store->index;
	struct card_cache *cache = cache_of(mailbox);

	if (!index || !index_works(index))
		return NULL;
	if (cache->number == 0 || cache->losses != index_losses(index)) {
		cache->number = index_mailbox(index, mailbox_guid(mailbox), true);
		cache->losses = index_losses(index);
	}
	*ret_number = cache->number;
	return cache->number > 0 ? index : NULL;
}

int card_cache_get(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice *ret_record)
{
	const struct card_cache *cache = cache_of(mailbox);
	uint32_t number;
	struct index *index = card_cache_index(mailbox, &number);

	if (index && index_get(index, INDEX_CARDS, number, key_of(kind, msg_uid), ret_record) == 0)
		return 0;
	for (size_t i = 0; i < KEPT; i++)
		if (cache->kept[i].key == key_of(kind, msg_uid)) {
			*ret_record = buf_slice(&cache->kept[i].record);
			return 0;
		}
	return -ENOENT;
}

static void keep(struct card_cache *cache, uint64_t key, struct slice record)
{
	size_t at = cache->next;

	for (size_t i = 0; i < KEPT; i++)
		if (cache->kept[i].key == key)
			at = i;
	if (at == cache->next)
		cache->next = (cache->next + 1) % KEPT;
	buf_shrink(&cache->kept[at].record, KEPT_BYTES);
	cache->kept[at].record.max_bytes = CARD_MAX_BYTES;
	cache->kept[at].key = key;
	must(buf_add(&cache->kept[at].record, record) == 0);
}

void card_cache_put(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice record)
{
	uint64_t key = key_of(kind, msg_uid);
	uint32_t number;
	struct index *index = card_cache_index(mailbox, &number);

	keep(cache_of(mailbox), key, record);
	if (index)
		index_put(index, INDEX_CARDS, number, key, record);
}

void card_cache_forget(struct mailbox *mailbox, uint32_t msg_uid)
{
	uint64_t first = key_of(CARD_KIND_CARD, msg_uid), last = key_of(CARD_KIND_PREVIEW, msg_uid);
	struct card_cache *cache = cache_of(mailbox);

	for (size_t i = 0; i < KEPT; i++)
		if (cache->kept[i].key >= first && cache->kept[i].key <= last)
			cache->kept[i].key = 0;
	digest_forget(mailbox, msg_uid);
}

void card_cache_delete(
	struct index *index, uint32_t number, uint32_t first_uid, uint32_t last_uid)
{
	index_delete(index, INDEX_CARDS, number, key_of(CARD_KIND_CARD, first_uid),
		key_of(CARD_KIND_PREVIEW, last_uid));
}

bool card_cache_next(struct index *index, uint32_t number, uint32_t *msg_uid)
{
	uint64_t key = key_of(CARD_KIND_CARD, *msg_uid);
	struct slice record;

	if (index_next(index, INDEX_CARDS, number, &key, &record) < 0 || key >> 1 > UINT32_MAX)
		return false;
	*msg_uid = (uint32_t)(key >> 1);
	return true;
}
