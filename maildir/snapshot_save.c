#include "base/checksum.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "maildir/card_cache.h"
#include "maildir/store_state.h"

#include <errno.h>

enum {
	CARDS_AT_ONCE = 4096, /* of messages that are gone, in one time slice */
	QUIET_USEC = 100 * USEC_PER_MSEC, /* no change for so long: it has come to rest */
	DIRTY_USEC = 10 * USEC_PER_SEC,   /* a mailbox that never rests is saved all the same */
	AGING_USEC = 40 * USEC_PER_MSEC,  /* a stamp that is young is not any more */
	CHUNKS_AT_ONCE = 48,              /* in one time slice */
	LOG_RECORD_MAX_BYTES = LIMIT_EXPUNGE_LOG * 2 * sizeof(uint32_t),
};

static struct index *index_of(const struct mailbox *mailbox)
{
	return mailbox->store->index;
}

uint64_t snapshot_names(const struct mailbox *mailbox)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++)
		if (mailbox->keywords.table.names[n])
			sum = checksum(sum + n, slice_str(mailbox->keywords.table.names[n]));
	return sum;
}

/* Between two syncs, and shown. */
static bool can_be_saved(const struct mailbox *mailbox)
{
	return index_works(index_of(mailbox)) && mailbox->synced && !mailbox->replaced &&
	       !mailbox->snapshot.is_restored && mailbox->sync.phase == SYNC_LOOK &&
	       mailbox->list.n == mailbox->list.n_shown && mailbox->lock_count == 0 &&
	       mailbox->uidlist.fd >= 0 && mailbox->uidlist.header.guid[0] != '\0';
}

/* With a watch what others changed is known, unless it was within the same tick of the clock. */
static bool cur_is_young(const struct mailbox *mailbox, uint64_t now_usec)
{
	if (mailbox->must_scan)
		return true;
	return mailbox->watched ? stamp_is_young(&mailbox->cur_stamp, now_usec, mailbox->is_local)
				: mailbox->cur_young;
}

static void count_messages(const struct mailbox *mailbox, struct snapshot_header *header)
{
	header->unseen = header->deleted = header->recent = 0;
	for (size_t i = 0; i < mailbox->list.n; i++) {
		const struct message *message = &mailbox->list.messages[i];

		header->unseen += !(message->flags & FLAG_SEEN);
		header->deleted += (message->flags & FLAG_DELETED) != 0;
		header->recent += message->msg_uid >= mailbox->recent_from;
	}
}

static void describe_files(struct mailbox *mailbox, struct snapshot_header *header)
{
	const struct uidlist_state *uidlist = &mailbox->uidlist;
	const struct keyword_state *keywords = &mailbox->keywords;

	header->cur = mailbox->cur_stamp;
	header->new = mailbox->new_stamp;
	header->new_ino = mailbox->new_ino;
	header->uidlist = uidlist->stamp;
	header->uidlist.size = uidlist->read_bytes;
	header->read_bytes = uidlist->read_bytes;
	header->records = uidlist->records;
	header->tail = snapshot_tail(mailbox);
	header->must_rewrite = uidlist->must_rewrite;
	header->uidvalidity = uidlist->header.uidvalidity;
	header->uidlist_uidnext = uidlist->header.uidnext;
	memcpy(header->guid, uidlist->header.guid, sizeof header->guid);
	header->keywords = keywords->stamp;
	header->beyond = keywords->beyond_stamp;
	header->letters_seen = keywords->letters_seen;
	header->beyond_lines = keywords->beyond_lines;
	header->beyond_stale = keywords->beyond_stale;
	header->forwarded = keywords->forwarded;
}

static struct snapshot_header make_header(struct mailbox *mailbox, uint64_t now_usec)
{
	const struct snapshot *snapshot = &mailbox->snapshot;
	struct snapshot_header header;

	memset(&header, 0, sizeof header);
	header.format = SNAPSHOT_FORMAT;
	describe_files(mailbox, &header);
	header.highestmodseq = mailbox->highestmodseq;
	header.vanished_from = snapshot->vanished_from;
	header.vanished_n = snapshot->vanished_n;
	header.n = mailbox->list.n;
	header.n_in_new = mailbox->n_in_new;
	header.uidnext = mailbox->uidnext;
	header.recent_from = mailbox->recent_from;
	header.unseen = snapshot->header.unseen;
	header.deleted = snapshot->header.deleted;
	header.recent = snapshot->header.recent;
	header.octets = snapshot->header.octets;
	header.unsized = snapshot->header.unsized;
	header.is_whole = true;
	header.cur_young = cur_is_young(mailbox, now_usec);
	memcpy(header.hash_key, mailbox->list.hash_key, sizeof header.hash_key);
	return header;
}

static void put_header(struct mailbox *mailbox, const struct snapshot_header *header)
{
	_cleanup_buf_ struct buf record = BUF(SNAPSHOT_HEADER_MAX_BYTES);

	must(snapshot_format_header(header, &mailbox->keywords.table, &record) == 0);
	index_put(index_of(mailbox), INDEX_HEADERS, mailbox->snapshot.number, 0,
		buf_slice(&record));
}

static void delete_all(struct mailbox *mailbox, enum index_table table)
{
	index_delete(index_of(mailbox), table, mailbox->snapshot.number, 0, UINT64_MAX);
}

/* Which messages went is not known for all that time: every card is asked whose it is. */
static void begin_sweep(struct mailbox *mailbox)
{
	mailbox->snapshot.must_sweep = true;
	mailbox->snapshot.sweep_from = 0;
	mailbox->snapshot.uncarded = 0;
}

/* The index has nothing of this mailbox that is of use but cards, and digests of its list as it is: all else is written. */
static void begin_anew(struct mailbox *mailbox)
{
	struct snapshot *snapshot = &mailbox->snapshot;

	delete_all(mailbox, INDEX_HEADERS);
	delete_all(mailbox, INDEX_MESSAGES);
	delete_all(mailbox, INDEX_NAMES);
	delete_all(mailbox, INDEX_EXPUNGED);
	list_touch_all(&mailbox->list);
	begin_sweep(mailbox);
	snapshot->vanished_from = snapshot->vanished_to = mailbox->vanished.complete_from;
	snapshot->vanished_n = 0;
	snapshot->header.octets = snapshot->header.unsized = 0;
	snapshot->is_saved = false;
	snapshot->is_based = true;
}

/* Returns whether the mailbox has a number in the index as it is now. */
static bool have_number(struct mailbox *mailbox)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	unsigned losses = index_losses(index_of(mailbox));

	if (snapshot->losses != losses) {
		snapshot->is_based = snapshot->is_saved = false;
		snapshot->number = 0;
		snapshot->losses = losses;
	}
	if (snapshot->number == 0)
		snapshot->number = index_mailbox(
			index_of(mailbox), slice_str(mailbox->uidlist.header.guid), true);
	return snapshot->number != 0;
}

/* The sums in the header are of what the chunks say: by how much this one's part of them changes. */
static void add_sizes(struct mailbox *mailbox, uint32_t chunk, struct slice messages)
{
	struct snapshot_header *header = &mailbox->snapshot.header;
	struct snapshot_sizes old = { 0 }, new = { 0 };
	struct slice record;

	if (index_get(index_of(mailbox), INDEX_MESSAGES, mailbox->snapshot.number, chunk, &record) ==
		0)
		(void)snapshot_parse_sizes(record, &old);
	(void)snapshot_parse_sizes(messages, &new);
	header->octets += new.octets - old.octets;
	header->unsized += new.unsized - old.unsized;
}

/* Loads its messages. Returns how many there are. */
static size_t find_chunk(const struct list *list, uint32_t chunk, size_t *ret_first)
{
	size_t first = list_lower_bound(list, chunk << INDEX_CHUNK_SHIFT), n = 0;

	while (first + n < list->n &&
		list->messages[first + n].msg_uid >> INDEX_CHUNK_SHIFT == chunk)
		(void)list_entry(list, first + n++);
	must(n <= SNAPSHOT_CHUNK);
	*ret_first = first;
	return n;
}

static void put_chunk(
	struct mailbox *mailbox, enum index_table table, uint32_t chunk, struct slice record)
{
	uint32_t number = mailbox->snapshot.number;

	if (record.n > 0)
		index_put(index_of(mailbox), table, number, chunk, record);
	else
		index_delete(index_of(mailbox), table, number, chunk, chunk);
}

static void save_messages(struct mailbox *mailbox, uint32_t chunk)
{
	_cleanup_buf_ struct buf messages = BUF(SNAPSHOT_CHUNK_MAX_BYTES);
	size_t first, n = find_chunk(&mailbox->list, chunk, &first);

	if (n > 0)
		must(snapshot_format_messages(&mailbox->list, first, n, &messages) == 0);
	add_sizes(mailbox, chunk, buf_slice(&messages));
	put_chunk(mailbox, INDEX_MESSAGES, chunk, buf_slice(&messages));
}

static void save_names(struct mailbox *mailbox, uint32_t chunk)
{
	_cleanup_buf_ struct buf names = BUF(SNAPSHOT_CHUNK_MAX_BYTES);
	size_t first, n = find_chunk(&mailbox->list, chunk, &first);

	must(snapshot_format_names(&mailbox->list, first, n, &names) == 0);
	put_chunk(mailbox, INDEX_NAMES, chunk, buf_slice(&names));
}

/*
 * Messages first, then names: each lie together in the file, where all messages, but mostly no names, are read when the
 * mailbox is opened.
 */
static void save_some(struct mailbox *mailbox)
{
	struct chunk_set *changed = &mailbox->list.changed;
	uint32_t chunks[CHUNKS_AT_ONCE], chunk = 0;
	size_t n = 0;

	for (; n < CHUNKS_AT_ONCE && chunk_set_next(changed, &chunk); n++) {
		chunk_set_remove(changed, chunk);
		chunks[n] = chunk;
	}
	for (size_t i = 0; i < n; i++)
		save_messages(mailbox, chunks[i]);
	for (size_t i = 0; i < n; i++)
		save_names(mailbox, chunks[i]);
}

/* Returns whether all are written. */
static bool save_chunks(struct mailbox *mailbox, bool finish)
{
	const struct chunk_set *changed = &mailbox->list.changed;

	do
		save_some(mailbox);
	while (finish && changed->n > 0);
	return changed->n == 0;
}

static void put_log_record(struct mailbox *mailbox, const struct vanished_entry *entries, size_t n)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	_cleanup_buf_ struct buf uids = BUF(LOG_RECORD_MAX_BYTES);

	for (size_t i = 0; i < n; i++)
		must(buf_add(&uids, slice_from(&entries[i].msg_uid, sizeof entries[i].msg_uid)) == 0);
	index_put(index_of(mailbox), INDEX_EXPUNGED, snapshot->number, entries->modseq,
		buf_slice(&uids));
	snapshot->vanished_to = entries->modseq;
	snapshot->vanished_n += n;
	snapshot->uncarded = 0;
}

/*
 * What is in memory and not in the index yet: a record for each modseq, with which the cards go. Returns whether all is
 * written.
 */
static bool save_log(struct mailbox *mailbox, size_t most)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	const struct vanished *log = &mailbox->vanished;

	if (log->complete_from > snapshot->vanished_to) { /* there is a gap between the two */
		delete_all(mailbox, INDEX_EXPUNGED);
		snapshot->vanished_from = snapshot->vanished_to = log->complete_from;
		snapshot->vanished_n = 0;
		begin_sweep(mailbox);
	}
	for (size_t first = 0, end; first < log->n; first = end) {
		const struct vanished_entry *entries = &log->entries[first];

		for (end = first + 1; end < log->n && log->entries[end].modseq == entries->modseq;)
			end++;
		if (entries->modseq <= snapshot->vanished_to)
			continue;
		for (; snapshot->uncarded < end - first; snapshot->uncarded++, most--) {
			uint32_t msg_uid = entries[snapshot->uncarded].msg_uid;

			if (most == 0)
				return false;
			card_cache_delete(index_of(mailbox), snapshot->number, msg_uid, msg_uid);
		}
		put_log_record(mailbox, entries, end - first);
	}
	return true;
}

/* The number of the last message of those from number on whose UIDs have no gap between them. */
static size_t last_of_run(const struct list *list, size_t number)
{
	const struct message *messages = list->messages;

	while (number + 1 < list->n && messages[number + 1].msg_uid == messages[number].msg_uid + 1)
		number++;
	return number;
}

/* Returns whether all cards are looked through. */
static bool sweep_cards(struct mailbox *mailbox, size_t most)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	const struct list *list = &mailbox->list;

	while (snapshot->must_sweep) {
		uint32_t msg_uid = snapshot->sweep_from, last;

		if (most == 0)
			return false;
		if (!card_cache_next(index_of(mailbox), snapshot->number, &msg_uid))
			break;

		size_t number = list_lower_bound(list, msg_uid);
		uint32_t next = number < list->n ? list->messages[number].msg_uid : UINT32_MAX;

		if (next == msg_uid) {
			snapshot->sweep_from = list->messages[last_of_run(list, number)].msg_uid + 1;
			most--;
			continue;
		}
		last = next - msg_uid > most ? msg_uid + (uint32_t)most - 1 : next - 1;
		card_cache_delete(index_of(mailbox), snapshot->number, msg_uid, last);
		snapshot->sweep_from = last + 1;
		most -= last + 1 - msg_uid;
	}
	snapshot->must_sweep = false;
	return true;
}

/* How far the log must be cut so that half of what is allowed is left. Returns the highest modseq to go; 0: nothing. */
static uint64_t find_cut(struct mailbox *mailbox)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	struct slice record;
	uint64_t cut = 0;

	if (snapshot->vanished_n <= LIMIT_EXPUNGE_LOG)
		return 0;
	for (uint64_t key = 0; snapshot->vanished_n > LIMIT_EXPUNGE_LOG / 2; key++) {
		if (index_next(index_of(mailbox), INDEX_EXPUNGED, snapshot->number, &key, &record) <
			0) {
			snapshot->vanished_n = 0;
			return UINT64_MAX;
		}
		snapshot->vanished_n -= record.n / sizeof(uint32_t);
		cut = key;
	}
	return cut;
}

static void save_header(struct mailbox *mailbox, uint64_t now_usec)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	uint64_t cut = find_cut(mailbox);

	if (cut > 0)
		snapshot->vanished_from = cut < mailbox->highestmodseq ? cut : mailbox->highestmodseq;

	struct snapshot_header header = make_header(mailbox, now_usec);

	count_messages(mailbox, &header);
	put_header(mailbox, &header);
	if (cut > 0)
		index_delete(index_of(mailbox), INDEX_EXPUNGED, snapshot->number, 0, cut);
	snapshot->header = header;
	snapshot->names = snapshot_names(mailbox);
	snapshot->is_saved = true;
}

/* Returns whether all is written. */
static bool save(struct mailbox *mailbox, bool finish)
{
	struct snapshot *snapshot = &mailbox->snapshot;

	if (!have_number(mailbox))
		return true; /* there is no index any more */
	store_watch_drain(mailbox->store); /* what others changed up to now is known, where there is a watch */
	if (!snapshot->is_based)
		begin_anew(mailbox);
	if (!save_log(mailbox, CARDS_AT_ONCE))
		return false;
	if (mailbox->list.changed.n > CHUNKS_AT_ONCE && snapshot->is_saved) {
		struct snapshot_header header = snapshot->header;

		header.is_whole = false;
		put_header(mailbox, &header);
		snapshot->is_saved = false;
	}
	if (!save_chunks(mailbox, finish) || !sweep_cards(mailbox, CARDS_AT_ONCE))
		return false;
	save_header(mailbox, clock_realtime_usec());
	return snapshot->losses == index_losses(index_of(mailbox));
}

void snapshot_note_modseq(struct mailbox *mailbox, uint64_t now_usec)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	uint64_t modseq = mailbox->highestmodseq;
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (time_t)(modseq / USEC_PER_SEC + 1) },
	};

	if (mailbox->uidlist.fd < 0 || modseq <= now_usec + USEC_PER_SEC ||
		modseq <= snapshot->noted_modseq)
		return;
	/* Some way ahead, so as not to do it for every change. */
	times[1].tv_sec += 60;
	if (futimens(mailbox->uidlist.fd, times) == 0)
		snapshot->noted_modseq = modseq + 60 * USEC_PER_SEC;
}

static uint64_t mark_of(const struct mailbox *mailbox, const struct snapshot_header *header)
{
	return checksum(mailbox->list.changed.n, slice_from(header, sizeof *header));
}

/* Returns 0: it is time; else how long to wait. */
static uint64_t wait_for_rest(struct mailbox *mailbox, uint64_t mark)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	uint64_t now_usec = clock_monotonic_usec();

	if (snapshot->dirty_usec == 0)
		snapshot->dirty_usec = now_usec;
	if (snapshot->mark != mark) {
		snapshot->mark = mark;
		snapshot->changed_usec = now_usec;
	}
	if (now_usec - snapshot->changed_usec >= QUIET_USEC ||
		now_usec - snapshot->dirty_usec >= DIRTY_USEC)
		return 0;
	return QUIET_USEC - (now_usec - snapshot->changed_usec);
}

static bool is_dirty(const struct mailbox *mailbox, const struct snapshot_header *header)
{
	const struct snapshot *snapshot = &mailbox->snapshot;

	return !snapshot->is_saved || snapshot->must_sweep ||
	       snapshot->losses != index_losses(index_of(mailbox)) ||
	       mailbox->list.changed.n > 0 || memcmp(header, &snapshot->header, sizeof *header) != 0 ||
	       snapshot->names != snapshot_names(mailbox);
}

uint64_t snapshot_save(struct mailbox *mailbox, bool finish)
{
	uint64_t now_usec = clock_realtime_usec(), wait_usec;

	snapshot_note_modseq(mailbox, now_usec);
	if (!can_be_saved(mailbox))
		return UINT64_MAX;

	struct snapshot_header header = make_header(mailbox, now_usec);

	if (!is_dirty(mailbox, &header)) {
		mailbox->snapshot.dirty_usec = 0;
		return header.cur_young && mailbox->watched && !mailbox->must_scan ? AGING_USEC
										   : UINT64_MAX;
	}
	wait_usec = finish ? 0 : wait_for_rest(mailbox, mark_of(mailbox, &header));
	if (wait_usec > 0)
		return wait_usec;
	if (!save(mailbox, finish))
		return 0;
	mailbox->snapshot.dirty_usec = 0;
	return mailbox->snapshot.header.cur_young && mailbox->watched && !mailbox->must_scan
		       ? AGING_USEC
		       : UINT64_MAX;
}

void snapshot_drop_stray_log(struct mailbox *mailbox)
{
	uint64_t key = mailbox->snapshot.vanished_to + 1;
	uint32_t number = mailbox->snapshot.number;
	struct slice record;

	if (index_next(index_of(mailbox), INDEX_EXPUNGED, number, &key, &record) == 0)
		index_delete(index_of(mailbox), INDEX_EXPUNGED, number, key, UINT64_MAX);
}

/* All of the log in the index is looked at: a record that was damaged shows by the number of UIDs. */
static int read_log(struct mailbox *mailbox, uint64_t modseq, struct vanished *out)
{
	const struct snapshot *snapshot = &mailbox->snapshot;
	struct slice record;
	uint64_t n = 0;
	uint32_t msg_uid;

	for (uint64_t key = 0;; key++) {
		if (key > snapshot->vanished_to || index_next(index_of(mailbox), INDEX_EXPUNGED,
							   snapshot->number, &key, &record) < 0 ||
			key > snapshot->vanished_to)
			break;
		n += record.n / sizeof msg_uid;
		for (; key > modseq && record.n >= sizeof msg_uid;
			record = slice_tail(record, sizeof msg_uid)) {
			memcpy(&msg_uid, record.p, sizeof msg_uid);
			vanished_add(out, msg_uid);
		}
	}
	return n == snapshot->vanished_n ? 0 : -ENODATA;
}

int snapshot_vanished(struct mailbox *mailbox, uint64_t modseq, struct arena *arena,
	const uint32_t **ret_uids, size_t *ret_n)
{
	const struct snapshot *snapshot = &mailbox->snapshot;
	struct vanished all = { 0 };
	int r;

	if (!snapshot->is_based || snapshot->losses != index_losses(index_of(mailbox)) ||
		modseq < snapshot->vanished_from ||
		mailbox->vanished.complete_from > snapshot->vanished_to)
		return -ENODATA;
	r = read_log(mailbox, modseq, &all);
	for (size_t i = 0; r == 0 && i < mailbox->vanished.n; i++)
		if (mailbox->vanished.entries[i].modseq > modseq)
			vanished_add(&all, mailbox->vanished.entries[i].msg_uid);
	if (r == 0) {
		vanished_stamp(&all, UINT64_MAX - 1, SIZE_MAX);
		r = vanished_since(&all, 0, arena, ret_uids, ret_n);
	}
	vanished_done(&all);
	return r;
}
