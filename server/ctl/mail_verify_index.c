#include "server/ctl/mail_verify_index.h"

#include "base/must.h"
#include "maildir/card_cache.h"
#include "maildir/card_format.h"
#include "maildir/digest_format.h"
#include "maildir/filename.h"
#include "maildir/keyword_files.h"

#include <stdlib.h>

/* What is compared: the index's list of messages with the survey's files, both by UID. */
struct comparison {
	const struct index_records *records;
	struct survey *survey;
	uint32_t number; /* of the mailbox in the index */
	struct snapshot_header header;
	struct keyword_table names;
	struct list list;
	const struct survey_file **files; /* those with a UID that counts, ascending */
	size_t n_files;
	int forwarded; /* as the files have it */
};

static void find(struct comparison *c, const char *kind, uint32_t msg_uid, struct slice detail)
{
	survey_find(c->survey, &(struct finding){ .kind = kind, .msg_uid = msg_uid, .detail = detail });
}

static void find_difference(struct comparison *c, uint32_t msg_uid, const char *what,
	const uint64_t of[2])
{
	find(c, "index-differs", msg_uid,
		survey_text(c->survey, "the index has %s %llu, the files %llu", what,
			(unsigned long long)of[0], (unsigned long long)of[1]));
}

static void compare(struct comparison *c, uint32_t msg_uid, const char *what, const uint64_t of[2])
{
	if (of[0] != of[1])
		find_difference(c, msg_uid, what, of);
}

/* Which mailbox of the index it is, and its header. */

static bool find_header(const struct index_records *records, uint32_t number,
	struct snapshot_header *ret_header, struct keyword_table *names)
{
	size_t n;
	const struct index_item *item = index_records_of(records, INDEX_HEADERS, number, &n);

	return item && index_key_number(&item->key) == 0 && !item->is_damaged &&
	       snapshot_parse_header(item->value, ret_header, names);
}

/* As the next sync will see it: snapshot.c, glance.c. Files in new/ that have no UID yet are nothing the index claims. */
static bool is_current(const struct survey *survey, const struct snapshot_header *header)
{
	const struct stamp *cur = &survey->stamps[0], *new = &survey->stamps[1],
			   *uidlist = &survey->stamps[2];
	bool any_new = false;

	for (size_t i = 0; i < survey->n_files; i++)
		any_new |= survey->files[i].in_new;
	return header->is_whole && !header->cur_young && !header->beyond_stale &&
	       header->uidvalidity == survey->header.uidvalidity && stamp_equal(cur, &header->cur) &&
	       new->ino == header->new_ino && (stamp_equal(new, &header->new) || !any_new) &&
	       uidlist->ino == header->uidlist.ino && uidlist->size == header->read_bytes &&
	       keyword_files_unchanged(survey->dir_fd, &header->keywords, &header->beyond);
}

static enum index_view look(const struct index_records *records, const struct survey *survey,
	struct snapshot_header *ret_header, struct keyword_table *names)
{
	uint32_t number = survey->has_uidlist
				  ? index_records_mailbox(records, slice_str(survey->header.guid))
				  : 0;

	if (number == 0 || !find_header(records, number, ret_header, names))
		return INDEX_VIEW_NONE;
	return is_current(survey, ret_header) ? INDEX_VIEW_CURRENT : INDEX_VIEW_BEHIND;
}

enum index_view verify_index_view(const struct index_records *records, const struct survey *survey,
	struct snapshot_header *ret_header)
{
	struct keyword_table names = { 0 };
	enum index_view view = look(records, survey, ret_header, &names);

	keyword_table_done(&names);
	return view;
}

/* Records as such. */

static void check_damage(struct comparison *c)
{
	static const char *const what[INDEX_TABLES] = {
		[INDEX_HEADERS] = "the header",
		[INDEX_MESSAGES] = "flags of messages",
		[INDEX_NAMES] = "names of messages",
		[INDEX_EXPUNGED] = "expunged messages",
		[INDEX_CARDS] = "a card",
		[INDEX_DIGESTS] = "digests of cards",
	};
	size_t n;

	for (unsigned table = INDEX_HEADERS; table < INDEX_TABLES; table++) {
		const struct index_item *items =
			index_records_of(c->records, (enum index_table)table, c->number, &n);

		for (size_t i = 0; i < n; i++)
			if (items[i].is_damaged)
				find(c, "index-record", 0,
					survey_text(c->survey,
						"the record %llu of %s does not fit its checksum; "
						"it is dropped and made anew",
						(unsigned long long)index_key_number(&items[i].key),
						what[table]));
	}
}

/* Messages. */

static int by_uid(const void *a, const void *b)
{
	const struct survey_file *const *x = a, *const *y = b;

	return ((*x)->msg_uid > (*y)->msg_uid) - ((*x)->msg_uid < (*y)->msg_uid);
}

static void collect_files(struct comparison *c)
{
	const struct survey *survey = c->survey;

	c->files = calloc(survey->n_files + 1, sizeof *c->files);
	must(c->files != NULL);
	for (size_t i = 0; i < survey->n_files; i++)
		if (survey->files[i].msg_uid != 0 && !survey->files[i].is_second)
			c->files[c->n_files++] = &survey->files[i];
	qsort(c->files, c->n_files, sizeof *c->files, by_uid);
}

/* Returns false: a record is none; it was told. */
static bool load_messages(struct comparison *c)
{
	size_t n;
	const struct index_item *items =
		index_records_of(c->records, INDEX_MESSAGES, c->number, &n);
	struct snapshot_sizes sizes, sum = { 0 };

	if (c->header.n > n * SNAPSHOT_CHUNK)
		return c->header.n == 0;
	list_restore(&c->list, c->header.hash_key, c->header.n);
	for (size_t i = 0; i < n; i++) {
		uint64_t chunk = index_key_number(&items[i].key);

		if (items[i].is_damaged || chunk > UINT32_MAX >> INDEX_CHUNK_SHIFT ||
			!snapshot_parse_sizes(items[i].value, &sizes) ||
			snapshot_restore_messages(&c->list, items[i].value, (uint32_t)chunk,
				c->header.uidnext) < 0)
			return false;
		sum.octets += sizes.octets;
		sum.unsized += sizes.unsized;
	}
	compare(c, 0, "in its header a sum of sizes of, in its records and",
		(const uint64_t[2]){ c->header.octets, sum.octets });
	compare(c, 0, "in its header a count of unknown sizes of, in its records and",
		(const uint64_t[2]){ c->header.unsized, sum.unsized });
	return c->list.n == c->header.n;
}

static bool load_names(struct comparison *c)
{
	size_t n;
	const struct index_item *items = index_records_of(c->records, INDEX_NAMES, c->number, &n);
	bool whole = true;

	for (size_t i = 0; i < n; i++)
		whole &= !items[i].is_damaged && snapshot_load_names(&c->list, items[i].value) == 0;
	for (size_t i = 0; i < c->list.n; i++)
		whole &= list_is_loaded(&c->list, i);
	return whole;
}

/* Letters and flags: mailbox_flags_from_letters() says the same of an open mailbox. */
static uint32_t flags_of(const struct comparison *c, uint32_t letters)
{
	static const struct {
		uint32_t letter, flag;
	} flags[] = {
		{ LETTER_DRAFT, FLAG_DRAFT },
		{ LETTER_FLAGGED, FLAG_FLAGGED },
		{ LETTER_FORWARDED, FLAG_FORWARDED },
		{ LETTER_ANSWERED, FLAG_ANSWERED },
		{ LETTER_SEEN, FLAG_SEEN },
		{ LETTER_DELETED, FLAG_DELETED },
	};
	uint32_t found = 0;

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (letters & flags[i].letter)
			found |= flags[i].flag;
	if (c->forwarded >= 0 && letters >> c->forwarded & 1)
		found |= FLAG_FORWARDED;
	return found;
}

static uint64_t keywords_of(const struct comparison *c, const struct survey_file *file)
{
	uint64_t keywords = (file->letters & LETTERS_KEYWORDS) | (file->keywords & ~(uint64_t)LETTERS_KEYWORDS);

	return c->forwarded >= 0 ? keywords & ~(UINT64_C(1) << c->forwarded) : keywords;
}

static void compare_date(struct comparison *c, const struct survey_file *file, int64_t date)
{
	struct stat st;

	if (date != ENTRY_DATE_UNKNOWN && survey_stat(c->survey, file, &st) == 0 &&
		st.st_mtim.tv_sec != date)
		find(c, "index-differs", file->msg_uid,
			survey_text(c->survey, "the index has the date %lld, the file %lld",
				(long long)date, (long long)st.st_mtim.tv_sec));
}

static void compare_message(struct comparison *c, size_t number, const struct survey_file *file)
{
	const struct message *message = &c->list.messages[number];
	const struct entry *entry = list_entry(&c->list, number);
	uint64_t octets;

	if (!slice_equal(list_base(&c->list, number), file->base) ||
		c->list.hashes[number] != list_hash(&c->list, file->base)) {
		find(c, "index-differs", file->msg_uid,
			survey_text(c->survey, "the index has the name %.*s, the file is %.*s",
				SLICE_FMT(list_base(&c->list, number)), SLICE_FMT(file->base)));
		return;
	}
	compare(c, file->msg_uid, "flags",
		(const uint64_t[2]){ message->flags, flags_of(c, file->letters) });
	compare(c, file->msg_uid, "keywords",
		(const uint64_t[2]){ message->keywords, keywords_of(c, file) });
	compare(c, file->msg_uid, "letters", (const uint64_t[2]){ entry->letters, file->letters });
	compare(c, file->msg_uid, "a place in new/",
		(const uint64_t[2]){ entry->in_new, file->in_new });
	if (file->octets != SURVEY_OCTETS_UNKNOWN && list_rfc822_size(&c->list, number, &octets))
		compare(c, file->msg_uid, "the size", (const uint64_t[2]){ octets, file->octets });
	if (!slice_equal(list_fields(&c->list, number), file->fields))
		find(c, "index-differs", file->msg_uid,
			SLICE("the index has other fields than the uidlist"));
	if (message->modseq > c->header.highestmodseq)
		find_difference(c, file->msg_uid, "a modseq above HIGHESTMODSEQ:",
			(const uint64_t[2]){ message->modseq, c->header.highestmodseq });
	compare_date(c, file, entry->internaldate);
}

static void compare_messages(struct comparison *c)
{
	size_t at = 0;

	for (size_t i = 0; i < c->list.n; i++) {
		uint32_t msg_uid = c->list.messages[i].msg_uid;

		for (; at < c->n_files && c->files[at]->msg_uid < msg_uid; at++)
			find(c, "index-lacks", c->files[at]->msg_uid,
				SLICE("the index does not have this message"));
		if (at < c->n_files && c->files[at]->msg_uid == msg_uid)
			compare_message(c, i, c->files[at++]);
		else if (!list_entry(&c->list, i)->orphan)
			find(c, "index-extra", msg_uid,
				SLICE("the index has a message that is not there"));
	}
	for (; at < c->n_files; at++)
		find(c, "index-lacks", c->files[at]->msg_uid,
			SLICE("the index does not have this message"));
}

static void compare_counts(struct comparison *c)
{
	uint64_t unseen = 0, deleted = 0, recent = 0;

	for (size_t i = 0; i < c->list.n; i++) {
		unseen += !(c->list.messages[i].flags & FLAG_SEEN);
		deleted += (c->list.messages[i].flags & FLAG_DELETED) != 0;
		recent += c->list.messages[i].msg_uid >= c->header.recent_from;
	}
	compare(c, 0, "UIDNEXT", (const uint64_t[2]){ c->header.uidnext, c->survey->header.uidnext });
	compare(c, 0, "a count of unseen messages of", (const uint64_t[2]){ c->header.unseen, unseen });
	compare(c, 0, "a count of \\Deleted messages of",
		(const uint64_t[2]){ c->header.deleted, deleted });
	compare(c, 0, "a count of recent messages of", (const uint64_t[2]){ c->header.recent, recent });
}

static void compare_keyword_names(struct comparison *c)
{
	for (unsigned n = 0; n < LIMIT_KEYWORDS; n++) {
		struct slice of_index = slice_str(c->names.names[n]);
		struct slice of_files = slice_str(c->survey->keywords.names[n]);

		if (!slice_equal(of_index, of_files))
			find(c, "index-differs", 0,
				survey_text(c->survey, "keyword %u is \"%.*s\" in the index, \"%.*s\" in the files",
					n, SLICE_FMT(of_index), SLICE_FMT(of_files)));
	}
}

/* A UID that was expunged is never that of a message that is there. */
static void check_log(struct comparison *c)
{
	size_t n;
	const struct index_item *items =
		index_records_of(c->records, INDEX_EXPUNGED, c->number, &n);
	uint64_t uids = 0;
	uint32_t msg_uid;

	for (size_t i = 0; i < n; i++) {
		struct slice rest = items[i].value;

		if (items[i].is_damaged || index_key_number(&items[i].key) > c->header.highestmodseq)
			continue; /* the latter is of a process that did not come to say so; it is dropped */
		uids += rest.n / sizeof msg_uid;
		for (; rest.n >= sizeof msg_uid; rest = slice_tail(rest, sizeof msg_uid)) {
			memcpy(&msg_uid, rest.p, sizeof msg_uid);
			if (list_find_uid(&c->list, msg_uid) >= 0)
				find(c, "index-differs", msg_uid,
					SLICE("the index says that it was expunged, but it is there"));
		}
	}
	compare(c, 0, "in its header a count of expunged messages of, in its records and",
		(const uint64_t[2]){ c->header.vanished_n, uids });
}

/* Cards. One of no message is left over, and goes some day; one that cannot be used is made again. */

static void check_card(struct comparison *c, uint32_t msg_uid, size_t number, struct slice record)
{
	uint64_t identity = card_identity(c->header.uidvalidity, list_base(&c->list, number)), octets;
	struct card card;

	if (!card_unpack(record, identity, &card)) {
		find(c, "index-card", msg_uid, SLICE("the card is none, or of another file; it is made anew"));
		return;
	}
	if (!(card.flags & CARD_HEADER_ONLY) && list_rfc822_size(&c->list, number, &octets))
		compare(c, msg_uid, "on the card the size", (const uint64_t[2]){ card.rfc822_size, octets });
}

/* NULL: it has none that can be used. */
static const struct index_item *find_card_of(const struct comparison *c, uint32_t msg_uid)
{
	uint64_t key = (uint64_t)msg_uid << 1 | CARD_KIND_CARD;
	size_t low = 0, n, high;
	const struct index_item *items = index_records_of(c->records, INDEX_CARDS, c->number, &n);

	for (high = n; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (index_key_number(&items[middle].key) < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && index_key_number(&items[low].key) == key && !items[low].is_damaged ? &items[low]
											     : NULL;
}

static bool is_digest_of(const struct card *digest, const struct card *card)
{
	return digest->sent_date == card->sent_date && digest->internaldate == card->internaldate &&
	       digest->sent_zone_minutes == card->sent_zone_minutes &&
	       slice_equal(digest->base_subject, card->base_subject) &&
	       slice_equal(digest->from, card->from) && slice_equal(digest->to, card->to) &&
	       slice_equal(digest->cc, card->cc) &&
	       slice_equal(digest->display_from, card->display_from) &&
	       slice_equal(digest->display_to, card->display_to);
}

/* Returns whether its message is gone. */
static bool check_digest(struct comparison *c, const struct digests *digests, size_t place)
{
	const struct digest *digest = &digests->entries[place];
	ssize_t number = list_find_uid(&c->list, digest->msg_uid);
	const struct index_item *item = find_card_of(c, digest->msg_uid);
	struct card of_digest, card;

	if (number < 0)
		return true;
	digests_card(digests, place, &of_digest);
	if (digest->hash != c->list.hashes[number])
		find(c, "index-card", digest->msg_uid, SLICE("the digest is of another file; it is made anew"));
	else if (item && card_unpack(item->value, card_identity(c->header.uidvalidity,
						 list_base(&c->list, (size_t)number)), &card) &&
		 !is_digest_of(&of_digest, &card))
		find(c, "index-card", digest->msg_uid, SLICE("the digest says something else than the card"));
	return false;
}

/* Returns how many are of messages that are gone. */
static size_t check_digests(struct comparison *c)
{
	struct digests digests = { .origin.uidvalidity = c->header.uidvalidity };
	size_t n, gone = 0;
	const struct index_item *items =
		index_records_of(c->records, INDEX_DIGESTS, c->number, &n);

	memcpy(digests.origin.hash_key, c->header.hash_key, sizeof digests.origin.hash_key);
	for (size_t i = 0; i < n; i++) {
		uint64_t chunk = index_key_number(&items[i].key);

		if (items[i].is_damaged)
			continue;
		if (chunk > UINT32_MAX >> INDEX_CHUNK_SHIFT ||
			!digests_parse(&digests, items[i].value, (uint32_t)chunk))
			find(c, "index-card", 0,
				survey_text(c->survey, "the digests %llu are none, or of other files; they are made anew",
					(unsigned long long)chunk));
		for (size_t place = 0; place < digests.n; place++)
			gone += check_digest(c, &digests, place);
		digests.n = 0;
	}
	digests_done(&digests);
	return gone;
}

static void check_cards(struct comparison *c)
{
	size_t n, gone = check_digests(c);
	const struct index_item *items = index_records_of(c->records, INDEX_CARDS, c->number, &n);

	for (size_t i = 0; i < n; i++) {
		uint64_t key = index_key_number(&items[i].key);
		ssize_t number = key >> 1 <= UINT32_MAX ? list_find_uid(&c->list, (uint32_t)(key >> 1)) : -1;

		gone += number < 0;
		if (number >= 0 && !items[i].is_damaged && (key & 1) == CARD_KIND_CARD)
			check_card(c, (uint32_t)(key >> 1), (size_t)number, items[i].value);
	}
	if (gone > 0)
		survey_find(c->survey,
			&(struct finding){
				.kind = "index-leftover",
				.is_note = true,
				.detail = survey_text(c->survey,
					"the index has %zu cards of messages that are gone; they are never used",
					gone),
			});
}

static void compare_all(struct comparison *c)
{
	int forwarded = keyword_table_find(&c->survey->keywords, SLICE("$Forwarded"));

	c->forwarded = forwarded < FILENAME_KEYWORD_LETTERS ? forwarded : -1;
	if (!load_messages(c) || !load_names(c)) {
		find(c, "index-record", 0,
			SLICE("records of messages are missing, or are none; they are made anew"));
		return;
	}
	collect_files(c);
	compare_messages(c);
	compare_counts(c);
	compare_keyword_names(c);
	check_log(c);
	check_cards(c);
}

void verify_index_mailbox(const struct index_records *records, struct survey *survey)
{
	struct comparison c = { .records = records, .survey = survey };
	enum index_view view = look(records, survey, &c.header, &c.names);

	if (survey->has_uidlist)
		c.number = index_records_mailbox(records, slice_str(survey->header.guid));
	list_init(&c.list);
	if (c.number > 0)
		check_damage(&c);
	if (view == INDEX_VIEW_CURRENT)
		compare_all(&c);
	list_done(&c.list);
	keyword_table_done(&c.names);
	free(c.files);
}
