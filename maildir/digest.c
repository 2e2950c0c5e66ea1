#include "maildir/digest.h"

#include "base/must.h"
#include "maildir/card.h"
#include "maildir/card_cache.h"
#include "maildir/index.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(DIGESTS_MAX == 1 << INDEX_CHUNK_SHIFT, "a chunk of UIDs");

/* One chunk at a time: who looks through a mailbox mostly goes from one to the next. */
struct digest_cache {
	struct digests digests;
	uint32_t chunk;
	bool is_loaded, is_changed, was_used;
	size_t next; /* where the next one is looked for first */
};

static struct digest_cache *cache_of(struct mailbox *mailbox)
{
	if (!mailbox->digests) {
		mailbox->digests = calloc(1, sizeof *mailbox->digests);
		must(mailbox->digests != NULL);
	}
	return mailbox->digests;
}

void digest_cache_free(struct digest_cache *cache)
{
	if (!cache)
		return;
	digests_done(&cache->digests);
	free(cache);
}

static struct digests_origin origin_of(const struct mailbox *mailbox)
{
	struct digests_origin origin = { .uidvalidity = mailbox->uidlist.header.uidvalidity };

	memcpy(origin.hash_key, mailbox->list.hash_key, sizeof origin.hash_key);
	return origin;
}

static bool is_loaded(
	const struct mailbox *mailbox, const struct digest_cache *cache, uint32_t chunk)
{
	struct digests_origin origin = origin_of(mailbox);

	return cache->is_loaded && cache->chunk == chunk &&
	       memcmp(&cache->digests.origin, &origin, sizeof origin) == 0;
}

static void save(struct mailbox *mailbox, struct digest_cache *cache)
{
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);
	uint32_t number;
	struct index *index = card_cache_index(mailbox, &number);

	cache->is_changed = false;
	if (!index || !is_loaded(mailbox, cache, cache->chunk) ||
		digests_format(&cache->digests, &record) < 0)
		return;
	if (cache->digests.n > 0)
		index_put(index, INDEX_DIGESTS, number, cache->chunk, buf_slice(&record));
	else
		index_delete(index, INDEX_DIGESTS, number, cache->chunk, cache->chunk);
}

static void load(struct mailbox *mailbox, struct digest_cache *cache, uint32_t chunk)
{
	struct digests_origin origin = origin_of(mailbox);
	struct slice record;
	uint32_t number;

	if (is_loaded(mailbox, cache, chunk))
		return;
	if (cache->is_changed)
		save(mailbox, cache);

	struct index *index = card_cache_index(mailbox, &number);

	digests_begin(&cache->digests, &origin);
	cache->chunk = chunk;
	cache->is_loaded = true;
	cache->next = 0;
	if (index && index_get(index, INDEX_DIGESTS, number, chunk, &record) == 0)
		cache->is_changed = !digests_parse(&cache->digests, record, chunk);
}

/* Returns whether it is there. */
static bool find(struct digest_cache *cache, uint32_t msg_uid, uint32_t hash, struct card *ret_card)
{
	const struct digests *digests = &cache->digests;
	size_t place = cache->next;

	if (place >= digests->n || digests->entries[place].msg_uid != msg_uid)
		place = digests_place(digests, msg_uid);
	if (place >= digests->n || digests->entries[place].msg_uid != msg_uid ||
		digests->entries[place].hash != hash)
		return false;
	cache->next = place + 1;
	digests_card(digests, place, ret_card);
	return true;
}

int mailbox_digest(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card)
{
	struct digest_cache *cache = cache_of(mailbox);
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);

	if (number < 0 || (size_t)number >= mailbox->list.n_shown)
		return -ENOENT;
	load(mailbox, cache, msg_uid >> INDEX_CHUNK_SHIFT);
	cache->was_used = true;
	if (find(cache, msg_uid, mailbox->list.hashes[number], ret_card))
		return 0;

	int r = mailbox_card_of_header(mailbox, msg_uid, work, ret_card);

	/* Looking for the file may have changed the list. */
	number = r == 0 ? list_find_uid(&mailbox->list, msg_uid) : -1;
	if (number < 0 || !is_loaded(mailbox, cache, msg_uid >> INDEX_CHUNK_SHIFT))
		return r;
	digests_put(&cache->digests, msg_uid, mailbox->list.hashes[number], ret_card);
	cache->is_changed = true;
	return 0;
}

void digest_rest(struct mailbox *mailbox)
{
	struct digest_cache *cache = mailbox->digests;

	if (!cache)
		return;
	if (cache->is_changed)
		save(mailbox, cache);
	if (cache->was_used) {
		cache->was_used = false;
		return;
	}
	digest_cache_free(cache);
	mailbox->digests = NULL;
}

void digest_forget(struct mailbox *mailbox, uint32_t msg_uid)
{
	struct digest_cache *cache = cache_of(mailbox);

	load(mailbox, cache, msg_uid >> INDEX_CHUNK_SHIFT);
	cache->is_changed |= digests_remove(&cache->digests, msg_uid);
}
