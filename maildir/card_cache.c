#include "maildir/card_cache.h"

#include "base/limits.h"
#include "base/must.h"
#include "maildir/card_format.h"
#include "maildir/mailbox_state.h"

#include <errno.h>
#include <stdlib.h>

enum { KEPT = 16, KEPT_BYTES = 8 * 1024 };

struct card_cache {
	struct {
		uint64_t key; /* 0: unused; no UID is 0 */
		struct buf record;
	} kept[KEPT];
	size_t next; /* the oldest */
};

static uint64_t key_of(enum card_kind kind, uint32_t msg_uid)
{
	return (uint64_t)kind << 32 | msg_uid;
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

int card_cache_get(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice *ret_record)
{
	const struct card_cache *cache = mailbox->card_cache;

	for (size_t i = 0; cache && i < KEPT; i++)
		if (cache->kept[i].key == key_of(kind, msg_uid)) {
			*ret_record = buf_slice(&cache->kept[i].record);
			return 0;
		}
	return -ENOENT;
}

void card_cache_put(
	struct mailbox *mailbox, enum card_kind kind, uint32_t msg_uid, struct slice record)
{
	struct card_cache *cache = cache_of(mailbox);
	uint64_t key = key_of(kind, msg_uid);
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

void card_cache_forget(struct mailbox *mailbox, uint32_t msg_uid)
{
	struct card_cache *cache = mailbox->card_cache;

	for (size_t i = 0; cache && i < KEPT; i++)
		if ((uint32_t)cache->kept[i].key == msg_uid)
			cache->kept[i].key = 0;
}
