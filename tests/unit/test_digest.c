/* Digests: records of them, and that they tell what the cards tell, whatever happened in between. */
#include "maildir/card.h"
#include "maildir/card_cache.h"
#include "maildir/digest.h"
#include "maildir/index.h"
#include "maildir/store_state.h"
#include "tests/unit/maildir_fixture.h"

enum { FIRST = 250, MESSAGES = 20 }; /* UIDs 250 to 269: two chunks */

static struct digests *new_digests(uint32_t uidvalidity)
{
	struct digests *digests = calloc(1, sizeof *digests);

	CU_ASSERT_PTR_NOT_NULL_FATAL(digests);
	digests_begin(digests, &(struct digests_origin){ .uidvalidity = uidvalidity });
	return digests;
}

static void free_digests(struct digests *digests)
{
	digests_done(digests);
	free(digests);
}

static struct card example(uint32_t msg_uid)
{
	return (struct card){
		.flags = CARD_HAS_SENT_DATE | (msg_uid % 2 ? CARD_IS_REPLY : 0),
		.sent_zone_minutes = -720,
		.sent_date = -(int64_t)msg_uid,
		.internaldate = INT64_MIN + msg_uid,
		.rfc822_size = UINT64_MAX - msg_uid,
		.base_subject = SLICE("SUBJECT"),
		.cc = SLICE(""),
		.from = SLICE("F"),
		.to = SLICE("T\0T"),
		.display_from = SLICE("DF"),
		.display_to = SLICE("DT"),
		.message_id = SLICE("a@b"),
		.fields = SLICE("Received: x\r\nSUBJECT: a\r\n b\r\nFrom: f\r\nDate: d\r\nTo: t\r\ncc: c\r\nBcc: b\r\nSubject: 2\r\n\r\n"),
	};
}

static const char FIELDS[] = "SUBJECT: a\r\n b\r\nFrom: f\r\nTo: t\r\ncc: c\r\nBcc: b\r\nSubject: 2\r\n\r\n";

static bool same_keys(const struct card *a, const struct card *b)
{
	return a->flags == b->flags && a->sent_zone_minutes == b->sent_zone_minutes &&
	       a->sent_date == b->sent_date && a->internaldate == b->internaldate &&
	       a->rfc822_size == b->rfc822_size && slice_equal(a->base_subject, b->base_subject) &&
	       slice_equal(a->cc, b->cc) && slice_equal(a->from, b->from) && slice_equal(a->to, b->to) &&
	       slice_equal(a->display_from, b->display_from) &&
	       slice_equal(a->display_to, b->display_to) && a->cc.p && a->to.p;
}

static void put(struct digests *digests, uint32_t msg_uid)
{
	struct card card = example(msg_uid);

	digests_put(digests, msg_uid, ~msg_uid, &card);
}

static void check_at(const struct digests *digests, size_t place, uint32_t msg_uid)
{
	struct card card = example(msg_uid), got;

	CU_ASSERT_EQUAL(digests->entries[place].msg_uid, msg_uid);
	CU_ASSERT_EQUAL(digests->entries[place].hash, ~msg_uid);
	digests_card(digests, place, &got);
	CU_ASSERT(same_keys(&card, &got));
	CU_ASSERT(slice_equal(got.fields, slice_str(FIELDS)));
	CU_ASSERT_PTR_NULL(got.envelope.p);
	CU_ASSERT_PTR_NULL(got.message_id.p);
}

/* In any order, some twice. */
static void test_put(void)
{
	static const uint32_t uids[] = { 513, 600, 512, 767, 600, 514, 513 }, sorted[] = { 512, 513, 514, 600, 767 };
	struct digests *digests = new_digests(1), *read = new_digests(1);
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);

	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++)
		put(digests, uids[i]);
	CU_ASSERT_EQUAL_FATAL(digests->n, 5);
	CU_ASSERT_EQUAL(digests_format(digests, &record), 0);
	CU_ASSERT_FATAL(digests_parse(read, buf_slice(&record), 2));
	CU_ASSERT_EQUAL_FATAL(read->n, 5);
	for (size_t i = 0; i < 5; i++) {
		check_at(digests, i, sorted[i]);
		check_at(read, i, sorted[i]);
		CU_ASSERT_EQUAL(digests_place(read, sorted[i]), i);
	}
	CU_ASSERT_EQUAL(digests_place(read, 515), 3);
	CU_ASSERT_EQUAL(digests_place(read, 768), 5);
	CU_ASSERT(read->bytes.n < digests->bytes.n); /* what was replaced is left out */
	free_digests(digests);
	free_digests(read);
}

static void test_full(void)
{
	struct digests *digests = new_digests(1), *read = new_digests(1);
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);

	for (uint32_t msg_uid = 256; msg_uid < 512; msg_uid++)
		put(digests, msg_uid);
	CU_ASSERT_EQUAL(digests_format(digests, &record), 0);
	CU_ASSERT_FATAL(digests_parse(read, buf_slice(&record), 1));
	CU_ASSERT_EQUAL_FATAL(read->n, 256);
	check_at(read, 255, 511);
	free_digests(digests);
	free_digests(read);
}

/* Fields are left out before a digest is; what was known of the message before does not stay. */
static void test_too_long(void)
{
	static char text[DIGEST_TEXT_BYTES * 2] = "To: ";
	struct digests *digests = new_digests(1);
	struct card card = example(1), got;

	memset(text + 4, 'x', sizeof text - 4);
	card.fields = slice_from(text, DIGEST_TEXT_BYTES);
	digests_put(digests, 1, 1, &card);
	CU_ASSERT_EQUAL_FATAL(digests->n, 1);
	digests_card(digests, 0, &got);
	CU_ASSERT(same_keys(&card, &got));
	CU_ASSERT_PTR_NULL(got.fields.p);
	card.fields = (struct slice){ NULL, 0 };
	digests_put(digests, 1, 1, &card);
	digests_card(digests, 0, &got);
	CU_ASSERT_PTR_NULL(got.fields.p);
	card.to = slice_from(text, DIGEST_TEXT_BYTES);
	digests_put(digests, 1, 1, &card);
	CU_ASSERT_EQUAL(digests->n, 0);
	free_digests(digests);
}

/* Cut, longer, of another version, chunk or origin, or not in order: nothing of it is taken. */
static void test_none(void)
{
	struct digests *digests = new_digests(1), *other = new_digests(2);
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);

	put(digests, 7);
	put(digests, 9);
	CU_ASSERT_EQUAL(digests_format(digests, &record), 0);
	CU_ASSERT_FALSE(digests_parse(other, buf_slice(&record), 0));
	CU_ASSERT_FALSE(digests_parse(digests, buf_slice(&record), 1));
	CU_ASSERT_EQUAL(digests->n, 0);
	for (size_t n = 0; n < record.n; n++)
		CHECK(!digests_parse(digests, slice_head(buf_slice(&record), n), 0), "%zu bytes", n);
	CU_ASSERT_EQUAL(buf_add_char(&record, 0), 0);
	CU_ASSERT_FALSE(digests_parse(digests, buf_slice(&record), 0));
	record.n--;
	for (size_t at = 0; at < 32; at++) { /* the head */
		record.p[at] ^= 1;
		CHECK(!digests_parse(digests, buf_slice(&record), 0), "byte %zu", at);
		record.p[at] ^= 1;
	}
	record.p[32] = 9; /* the first UID */
	CU_ASSERT_FALSE(digests_parse(digests, buf_slice(&record), 0));
	CU_ASSERT_EQUAL(digests->n, 0);
	record.p[32] = 7;
	CU_ASSERT(digests_parse(digests, buf_slice(&record), 0));
	free_digests(digests);
	free_digests(other);
}

static void test_field_names(void)
{
	static const char *const has[] = { "From", "TO", "cc", "Bcc", "subject" };
	static const char *const has_not[] = { "Date", "Message-ID", "Fro", "Subjects", "" };

	for (size_t i = 0; i < 5; i++) {
		CHECK(digest_has_field(slice_str(has[i])), "%s", has[i]);
		CHECK(!digest_has_field(slice_str(has_not[i])), "%s", has_not[i]);
	}
}

/* A mailbox. */

static void deliver(const struct fixture *f, unsigned number, const char *subject)
{
	char name[40];

	snprintf(name, sizeof name, "new/%u.a", number);

	FILE *file = fopen(fixture_path(f, name), "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fprintf(file, "From: a%u@b\nTo: c@d\nSubject: %s %u\nDate: Mon, 1 Jan 2024 10:00:%02u +0100\n\nx\n", number,
		subject, number, number % 60);
	fclose(file);
}

static int take(struct fixture *f, uint32_t msg_uid, bool digest, struct card *ret_card)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = digest ? mailbox_digest(f->mailbox, msg_uid, &work, ret_card)
			       : mailbox_card(f->mailbox, msg_uid, &work, ret_card);

		if (r != -EINPROGRESS)
			return r;
	}
}

/* The index stays, as in the same boot. */
static void reopen(struct fixture *f)
{
	const struct store_settings settings = {
		.path = f->path,
		.index_path = fixture_path(f, "restante.index"),
		.boot_id = "boot",
		.hierarchy_separator = '/',
		.fsync = FSYNC_NEVER,
		.hostname = "test.example.org",
		.uidl_format = "%08Xu%08Xv",
	};

	fixture_close(f);
	CU_ASSERT_EQUAL_FATAL(store_open(&settings, &f->log, &f->store), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f->store, SLICE("INBOX"), &f->mailbox), 0);
}

static void init_mailbox(struct fixture *f)
{
	fixture_init(f);
	reopen(f);
	for (unsigned number = 1; number < FIRST; number++)
		deliver(f, 1000 + number, "early");
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
	for (unsigned number = FIRST; number < FIRST + MESSAGES; number++)
		deliver(f, 1000 + number, "late");
	CU_ASSERT_EQUAL(fixture_sync(f), 0);
}

/* Whether digests tell what the cards tell. */
static void check_all(struct fixture *f)
{
	for (uint32_t msg_uid = FIRST; msg_uid < FIRST + MESSAGES; msg_uid++) {
		_cleanup_buf_ struct buf keys = BUF(10000);
		struct card digest, card;
		int r = take(f, msg_uid, true, &digest);

		if (r == 0)
			CU_ASSERT_EQUAL(buf_add(&keys, digest.base_subject), 0);
		CU_ASSERT_EQUAL(take(f, msg_uid, false, &card), r);
		if (r == 0) {
			CHECK(slice_equal(buf_slice(&keys), card.base_subject), "UID %u", msg_uid);
			CHECK(digest.sent_date == card.sent_date && card.sent_date > 0 &&
					digest.internaldate == card.internaldate &&
					digest.rfc822_size == card.rfc822_size,
				"UID %u", msg_uid);
		}
	}
}

static size_t count_records(struct fixture *f)
{
	struct index *index = f->store->index;
	uint32_t number = index_mailbox(index, mailbox_guid(f->mailbox), false);
	struct slice record;
	size_t n = 0;

	for (uint64_t key = 0; index_next(index, INDEX_DIGESTS, number, &key, &record) == 0; key++)
		n++;
	return n;
}

/* With no card left, digests are answered from the index; messages that came later are added. */
static void test_kept(void)
{
	struct fixture f;
	struct card card;

	init_mailbox(&f);
	check_all(&f);
	(void)store_rest(f.store);
	CU_ASSERT_EQUAL(count_records(&f), 2);
	reopen(&f);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	index_delete(f.store->index, INDEX_CARDS,
		index_mailbox(f.store->index, mailbox_guid(f.mailbox), false), 0, UINT64_MAX);
	CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, FIRST, &card), -ENOENT);
	for (uint32_t msg_uid = FIRST; msg_uid < FIRST + MESSAGES; msg_uid++) {
		CU_ASSERT_EQUAL_FATAL(take(&f, msg_uid, true, &card), 0);
		CU_ASSERT(slice_starts_with_nocase(card.base_subject, SLICE("late ")));
		CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, msg_uid, &card), -ENOENT);
	}
	deliver(&f, 2000, "late");
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(take(&f, FIRST + MESSAGES, true, &card), 0);
	CU_ASSERT(slice_equal(card.base_subject, SLICE("LATE 2000")));
	CU_ASSERT_EQUAL(take(&f, FIRST + MESSAGES + 1, true, &card), -ENOENT);
	reopen(&f); /* closed with what is not written yet */
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	index_delete(f.store->index, INDEX_CARDS,
		index_mailbox(f.store->index, mailbox_guid(f.mailbox), false), 0, UINT64_MAX);
	CU_ASSERT_EQUAL(take(&f, FIRST + MESSAGES, true, &card), 0);
	CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, FIRST + MESSAGES, &card), -ENOENT);
	check_all(&f);
	fixture_done(&f);
}

/* Whether a record has such bytes. */
static bool is_in_records(struct fixture *f, const char *text)
{
	struct index *index = f->store->index;
	uint32_t number = index_mailbox(index, mailbox_guid(f->mailbox), false);
	struct slice record;

	for (uint64_t key = 0; index_next(index, INDEX_DIGESTS, number, &key, &record) == 0; key++)
		if (memmem(record.p, record.n, text, strlen(text)))
			return true;
	return false;
}

static void remove_file(struct fixture *f, unsigned number)
{
	char name[40];

	snprintf(name, sizeof name, "cur/%u.a:2,", 1000 + number);
	CU_ASSERT_EQUAL(unlink(fixture_path(f, name)), 0);
}

/* Nothing of an expunged message stays, by whoever it was removed; what was known of the others does. */
static void test_gone(void)
{
	struct fixture f;
	struct card card;

	init_mailbox(&f);
	check_all(&f);
	(void)store_rest(f.store);
	CU_ASSERT(is_in_records(&f, "late 1260"));
	CU_ASSERT_EQUAL(take(&f, 260, true, &card), 0); /* and in memory */
	remove_file(&f, 260);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(take(&f, 260, true, &card), -ENOENT);
	(void)store_rest(f.store);
	CU_ASSERT_FALSE(is_in_records(&f, "late 1260"));
	CU_ASSERT(is_in_records(&f, "late 1261"));
	check_all(&f);
	remove_file(&f, 250);
	remove_file(&f, 255);
	remove_file(&f, 256);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	(void)store_rest(f.store);
	CU_ASSERT_FALSE(is_in_records(&f, "late 1250"));
	CU_ASSERT(is_in_records(&f, "late 1251"));
	CU_ASSERT_FALSE(is_in_records(&f, "LATE 1256"));
	for (unsigned number = 256; number < FIRST + MESSAGES; number++)
		if (number != 256 && number != 260)
			remove_file(&f, number);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	(void)store_rest(f.store);
	CU_ASSERT_EQUAL(count_records(&f), 1);
	check_all(&f);
	fixture_done(&f);
}

/* What cannot be used makes place for what is known, also when nothing is. */
static void test_replaced(void)
{
	struct fixture f;
	struct card card;

	init_mailbox(&f);
	CU_ASSERT_EQUAL(take(&f, 257, true, &card), 0);
	(void)store_rest(f.store);
	index_put(f.store->index, INDEX_DIGESTS,
		index_mailbox(f.store->index, mailbox_guid(f.mailbox), false), 0, SLICE("late 1255"));
	CU_ASSERT_EQUAL(count_records(&f), 2);
	remove_file(&f, 255);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	(void)store_rest(f.store);
	CU_ASSERT_EQUAL(count_records(&f), 1);
	CU_ASSERT_FALSE(is_in_records(&f, "late 1255"));
	fixture_done(&f);
}

/* What another file's digest says is not believed, nor what is no record; without an index they are made all the same. */
static void test_strange(void)
{
	struct fixture f;
	struct card card;

	init_mailbox(&f);
	check_all(&f);
	(void)store_rest(f.store);

	uint32_t number = index_mailbox(f.store->index, mailbox_guid(f.mailbox), false);
	struct digests *digests = calloc(1, sizeof *digests);
	_cleanup_buf_ struct buf record = BUF(DIGESTS_MAX_BYTES);
	struct digests_origin origin = { .uidvalidity = mailbox_uidvalidity(f.mailbox) };

	CU_ASSERT_PTR_NOT_NULL_FATAL(digests);
	memcpy(origin.hash_key, f.mailbox->list.hash_key, sizeof origin.hash_key);
	digests_begin(digests, &origin);
	put(digests, 257);
	CU_ASSERT_EQUAL(digests_format(digests, &record), 0);
	free_digests(digests);
	for (int i = 0; i < 2; i++) {
		reopen(&f);
		CU_ASSERT_EQUAL(fixture_sync(&f), 0);
		index_put(f.store->index, INDEX_DIGESTS, number, 1, i ? SLICE("none") : buf_slice(&record));
		CU_ASSERT_EQUAL(take(&f, 257, true, &card), 0);
		CU_ASSERT(slice_equal(card.base_subject, SLICE("LATE 1257")));
		check_all(&f);
	}

	struct index *index = f.store->index;

	reopen(&f);
	index = f.store->index;
	f.store->index = NULL;
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	check_all(&f);
	check_all(&f);
	f.store->index = index;
	fixture_done(&f);
}

/* A mailbox that is read anew has other hashes: its digests are made again. */
static void test_read_anew(void)
{
	struct fixture f;

	init_mailbox(&f);
	check_all(&f);

	uint32_t number = index_mailbox(f.store->index, mailbox_guid(f.mailbox), false);

	reopen(&f);
	index_delete(f.store->index, INDEX_HEADERS, number, 0, 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(count_records(&f), 0);
	check_all(&f);
	for (uint64_t usec; (usec = store_rest(f.store)) != UINT64_MAX;)
		usleep((useconds_t)usec);
	check_all(&f);
	(void)store_rest(f.store);
	CU_ASSERT_EQUAL(count_records(&f), 2);
	check_all(&f);
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "put and read", test_put },
	{ "a whole chunk", test_full },
	{ "too long", test_too_long },
	{ "no records", test_none },
	{ "fields", test_field_names },
	{ "kept in the index", test_kept },
	{ "messages that are gone", test_gone },
	{ "records that are none", test_replaced },
	{ "records of others", test_strange },
	{ "a mailbox that is read anew", test_read_anew },
};

UNIT_MAIN("digest", tests)
