/*
 * Writing
 *   The log of expunged messages comes first, each record of it with the removal of their cards, chunks of messages
 *   next, the header last: a header that is_whole tells of a state of which every record is in the index, and no card of
 *   another message; where that is not known, because there was no such header, all cards are looked through. Where this takes more than one transaction, a header that is
 *   not is written with the first: after a kill in between, the mailbox is read from its files.
 *   What changed since a save is lost by a kill, and found again in the files: they are the truth.
 *
 * Restoring
 *   The header's stamps are compared with cur/, new/ and the files by the sync that follows, as always. An inode number
 *   means the same file only while it is held open, so of the uidlist the first line and the last bytes read must
 *   be the same as well; then what was appended is read, else all of it.
 *
 * Modification sequences
 *   A client may have been told a modseq that no save recorded. It came from the clock, or was the last plus one; and
 *   the change it stands for touched cur/ or the uidlist. So where the stamps are not those of the header, and where
 *   there is no header, the next one is above the mtimes and a second. One that has run further ahead of the clock
 *   (which was set back) is written down as the mtime of the uidlist.
 */
#include "maildir/snapshot.h"

#include "base/checksum.h"
#include "base/clock.h"
#include "base/must.h"
#include "maildir/snapshot_found.h"
#include "maildir/store_state.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

static struct index *index_of(const struct mailbox *mailbox)
{
	return mailbox->store->index;
}

uint64_t snapshot_tail(struct mailbox *mailbox)
{
	struct snapshot *snapshot = &mailbox->snapshot;
	const struct uidlist_state *uidlist = &mailbox->uidlist;

	if (snapshot->tail.ino == uidlist->stamp.ino && snapshot->tail.bytes == uidlist->read_bytes)
		return snapshot->tail.sum;
	snapshot->tail.ino = uidlist->stamp.ino;
	snapshot->tail.bytes = uidlist->read_bytes;
	if (uidlist->fd < 0 || !snapshot_read_tail(uidlist->fd, uidlist->read_bytes, &snapshot->tail.sum))
		snapshot->tail.sum = 0;
	return snapshot->tail.sum;
}

static void raise_modseq(struct mailbox *mailbox, uint64_t modseq)
{
	if (mailbox->highestmodseq < modseq)
		mailbox->highestmodseq = modseq;
}

static void raise_above(struct mailbox *mailbox, const struct stamp *stamp)
{
	uint64_t usec = stamp_usec(stamp);

	if (usec > 0)
		raise_modseq(mailbox, usec + USEC_PER_SEC);
}

/* What the mtimes say of the modification sequences that were given out. */
static void raise_above_files(struct mailbox *mailbox)
{
	struct stamp stamp;

	if (dirs_stamp_fd(mailbox->cur_fd, &stamp) == 0)
		raise_above(mailbox, &stamp);
	if (dirs_stamp(mailbox->dir_fd, UIDLIST_NAME, &stamp) == 0)
		raise_above(mailbox, &stamp);
}

/* The same directories as then: else it is a copy that was put in their place. */
static bool is_same_place(const struct mailbox *mailbox, const struct snapshot_header *header,
	bool *ret_unchanged)
{
	struct stamp cur, new;

	if (dirs_stamp_fd(mailbox->cur_fd, &cur) < 0 || dirs_stamp_fd(mailbox->new_fd, &new) < 0)
		return false;
	*ret_unchanged = stamp_equal(&cur, &header->cur);
	return cur.ino == header->cur.ino && new.ino == header->new_ino;
}

static bool restore_messages(struct mailbox *mailbox, struct snapshot_header *header)
{
	struct snapshot_sizes sizes;
	struct slice record;

	header->octets = header->unsized = 0; /* a chunk that was lost while it was not needed took its part along */
	list_restore(&mailbox->list, header->hash_key, header->n);
	for (uint64_t key = 0; mailbox->list.n < header->n; key++) {
		if (index_next(index_of(mailbox), INDEX_MESSAGES, mailbox->snapshot.number, &key,
			    &record) < 0 ||
			key > UINT32_MAX >> INDEX_CHUNK_SHIFT ||
			!snapshot_parse_sizes(record, &sizes) ||
			snapshot_restore_messages(
				&mailbox->list, record, (uint32_t)key, header->uidnext) < 0)
			return false;
		header->octets += sizes.octets;
		header->unsized += sizes.unsized;
	}
	return true;
}

/* As one that another program may have renamed: a scan tells. With UID 0 it is one the uidlist does not have. */
static void stand_in(struct mailbox *mailbox, size_t number, const struct uidlist_record *record)
{
	struct list *list = &mailbox->list;
	const struct message *message = &list->messages[number];
	struct entry entry = {
		.letters = mailbox_letters_from_flags(mailbox, message->flags, message->keywords, 0),
		.rfc822_size = ENTRY_SIZE_UNKNOWN,
		.internaldate = ENTRY_DATE_UNKNOWN,
		.orphan = record->msg_uid == 0,
	};
	const struct slice parts[3] = { record->base, record->fields, { NULL, 0 } };

	list->hashes[number] = list_hash(list, record->base);
	must(list_load(list, number, &entry, parts));
	list_touch(list, number);
}

/* Take names from the uidlist, as far as they are not loaded. Returns whether it could be read. */
static bool names_from_uidlist(struct mailbox *mailbox)
{
	_cleanup_buf_ struct buf text = BUF(UIDLIST_FILE_MAX_BYTES);
	struct uidlist_header header;
	struct uidlist_record record;
	struct stamp stamp;
	struct slice rest, line;

	if (dirs_read_file(mailbox->dir_fd, UIDLIST_NAME, &text, &stamp) < 0)
		return false;
	rest = buf_slice(&text);
	if (!slice_split(&rest, '\n', &line) || !uidlist_parse_header(line, &header) ||
		header.uidvalidity != mailbox->uidlist.header.uidvalidity)
		return false;
	while (slice_find(rest, '\n') >= 0 && slice_split(&rest, '\n', &line)) {
		if (!uidlist_parse_record(header.version, line, &record))
			return false;

		ssize_t number = list_find_uid(&mailbox->list, record.msg_uid);

		if (number >= 0 && !list_is_loaded(&mailbox->list, (size_t)number))
			stand_in(mailbox, (size_t)number, &record);
	}
	return true;
}

/*
 * The index has lost names while the mailbox is open. They are taken from the uidlist, which has every UID that was ever
 * shown; a message that it has not is an orphan, under a name no file has. If the uidlist cannot be read either, the
 * mailbox must be opened anew.
 */
static void mend_names(struct mailbox *mailbox)
{
	struct list *list = &mailbox->list;
	char name[32];

	mailbox_log(mailbox, LOG_PRIORITY_WARNING, "the index has lost names: they are read again");
	if (!names_from_uidlist(mailbox))
		mailbox->replaced = true;
	for (size_t i = 0; i < list->n; i++) {
		if (list_is_loaded(list, i))
			continue;
		snprintf(name, sizeof name, ".gone-%u", (unsigned)list->messages[i].msg_uid);
		stand_in(mailbox, i, &(struct uidlist_record){ .base = slice_str(name) });
	}
	mailbox->must_scan = true;
}

static void load_names(void *arg, size_t number)
{
	struct mailbox *mailbox = arg;
	struct snapshot *snapshot = &mailbox->snapshot;
	struct list *list = &mailbox->list;
	uint32_t chunk = list->messages[number].msg_uid >> INDEX_CHUNK_SHIFT;
	struct slice record;
	size_t i = list_lower_bound(list, chunk << INDEX_CHUNK_SHIFT);
	int r = -ENOENT;

	if (snapshot->losses == index_losses(index_of(mailbox)))
		r = index_get(index_of(mailbox), INDEX_NAMES, snapshot->number, chunk, &record);
	if (r == 0)
		r = snapshot_load_names(list, record);
	while (r == 0 && i < list->n && list->messages[i].msg_uid >> INDEX_CHUNK_SHIFT == chunk)
		r = list_is_loaded(list, i++) ? 0 : -ENOENT;
	if (r < 0)
		mend_names(mailbox);
}

static void restore_uidlist(struct mailbox *mailbox, struct snapshot_found *found)
{
	const struct snapshot_header *header = &found->header;
	struct uidlist_state *uidlist = &mailbox->uidlist;

	uidlist->header = found->uidlist;
	uidlist->header.uidnext = header->uidlist_uidnext;
	uidlist->must_rewrite = header->must_rewrite;
	uidlist->records = header->records;
	uidlist->read_bytes = header->read_bytes;
	if (!found->is_same_file)
		return; /* it is opened and read as a whole by the sync, since there is no stamp */
	uidlist->fd = take_fd(&found->fd);
	uidlist->stamp = found->stamp;
	if (found->stamp.size != header->read_bytes)
		uidlist->stamp.size = 0;
}

static void restore_keywords(struct mailbox *mailbox, const struct snapshot_header *header)
{
	struct keyword_state *keywords = &mailbox->keywords;

	keywords->stamp = header->keywords;
	keywords->beyond_stamp = header->beyond;
	keywords->letters_seen = header->letters_seen;
	keywords->forwarded = header->forwarded;
	keywords->beyond_stale = header->beyond_stale;
	keywords->beyond_lines = header->beyond_lines;
}

static void restore_rest(struct mailbox *mailbox, struct snapshot_found *found, bool unchanged)
{
	const struct snapshot_header *header = &found->header;
	struct snapshot *snapshot = &mailbox->snapshot;

	mailbox->list.load = load_names;
	mailbox->list.load_arg = mailbox;
	restore_uidlist(mailbox, found);
	restore_keywords(mailbox, header);
	mailbox->uidnext = header->uidnext;
	mailbox->n_in_new = header->n_in_new;
	mailbox->cur_stamp = header->cur;
	mailbox->new_stamp = header->new;
	mailbox->must_scan = header->cur_young; /* by a watch, which is not there any more, it may have been known */
	mailbox->sync.scan = 1;
	if (!unchanged || !found->is_same_file || mailbox->must_scan)
		raise_above_files(mailbox);
	vanished_reset(&mailbox->vanished, header->highestmodseq);
	snapshot->vanished_from = header->vanished_from;
	snapshot->vanished_to = header->highestmodseq;
	snapshot->vanished_n = header->vanished_n;
	snapshot->header = *header;
	snapshot->is_based = snapshot->is_saved = snapshot->is_restored = true;
	snapshot->names = snapshot_names(mailbox);
	snapshot_drop_stray_log(mailbox);
	mailbox->synced = true;
	/* Those in new/ are counted by looking at the entries. */
	for (size_t i = 0; mailbox->n_in_new > 0 && i < mailbox->list.n; i++)
		(void)list_entry(&mailbox->list, i);
	mailbox_note_members(mailbox);
}

static void forget_keywords(struct mailbox *mailbox)
{
	keyword_table_done(&mailbox->keywords.table);
	mailbox->keywords = (struct keyword_state){ .forwarded = -1 };
}

static bool restore(struct mailbox *mailbox, struct snapshot_found *found)
{
	bool unchanged;

	mailbox->snapshot.losses = index_losses(index_of(mailbox));
	if (!snapshot_find(index_of(mailbox), mailbox->dir_fd, &mailbox->keywords.table, found))
		return false;
	mailbox->snapshot.number = found->number;
	mailbox->highestmodseq = found->header.highestmodseq;
	mailbox->recent_from = found->header.recent_from;
	if (!found->header.is_whole || !is_same_place(mailbox, &found->header, &unchanged))
		return false;
	if (restore_messages(mailbox, &found->header)) {
		restore_rest(mailbox, found, unchanged);
		return true;
	}
	list_done(&mailbox->list);
	list_init(&mailbox->list);
	return false;
}

/* A list that is read anew has another key for its hashes: what was made under the old one is of no use any more. */
static void drop_digests(struct mailbox *mailbox, uint32_t number)
{
	if (number > 0)
		index_delete(index_of(mailbox), INDEX_DIGESTS, number, 0, UINT64_MAX);
}

void snapshot_restore(struct mailbox *mailbox)
{
	struct snapshot_found found = { .fd = -1 };

	if (mailbox->snapshot.is_tried)
		return;
	mailbox->snapshot.is_tried = true;
	if (!index_works(index_of(mailbox)) || !restore(mailbox, &found)) {
		drop_digests(mailbox, found.number);
		forget_keywords(mailbox);
		raise_above_files(mailbox);
	}
	if (found.fd >= 0)
		close(found.fd);
}

void snapshot_forget(struct mailbox *mailbox)
{
	must(mailbox->snapshot.is_restored);
	drop_digests(mailbox, mailbox->snapshot.number);
	mailbox->snapshot = (struct snapshot){ .is_tried = true };
	forget_keywords(mailbox);
	vanished_reset(&mailbox->vanished, 0);
	mailbox->cur_stamp = mailbox->new_stamp = (struct stamp){ 0 };
	mailbox->uidnext = 0;
	mailbox->synced = false;
	raise_above_files(mailbox);
}
