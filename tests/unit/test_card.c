#include "maildir/card.h"
#include "maildir/card_cache.h"
#include "maildir/card_make.h"
#include "maildir/message/bodystructure.h"
#include "maildir/message/envelope.h"
#include "maildir/message/header.h"
#include "maildir/message/message_id.h"
#include "maildir/reader.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "tests/unit/maildir_fixture.h"

#include "base/must.h"

#include <glob.h>

enum { IDENTITY = 0x1234567 };

static struct card example(void)
{
	return (struct card){
		.flags = CARD_IS_REPLY | CARD_HAS_ATTACHMENT,
		.sent_zone_minutes = -720,
		.sent_date = -1,
		.internaldate = INT64_MIN,
		.rfc822_size = UINT64_MAX,
		.envelope = SLICE("(env)"),
		.bodystructure = SLICE("(bs)"),
		.body = { NULL, 0 },
		.fields = SLICE(""),
		.base_subject = SLICE("SUBJECT"),
		.cc = SLICE(""),
		.from = SLICE("F"),
		.to = SLICE("T"),
		.display_from = SLICE("DF"),
		.display_to = SLICE("DT"),
		.message_id = SLICE("a@b"),
		.in_reply_to = SLICE(""),
		.references = SLICE("a\nb\n"),
	};
}

static bool same(struct slice a, struct slice b)
{
	return slice_equal(a, b) && !a.p == !b.p;
}

static bool same_cards(const struct card *a, const struct card *b)
{
	return a->flags == b->flags && a->sent_zone_minutes == b->sent_zone_minutes &&
	       a->sent_date == b->sent_date && a->internaldate == b->internaldate &&
	       a->rfc822_size == b->rfc822_size && same(a->envelope, b->envelope) &&
	       same(a->bodystructure, b->bodystructure) && same(a->body, b->body) &&
	       same(a->fields, b->fields) && same(a->base_subject, b->base_subject) &&
	       same(a->cc, b->cc) && same(a->from, b->from) && same(a->to, b->to) &&
	       same(a->display_from, b->display_from) && same(a->display_to, b->display_to) &&
	       same(a->message_id, b->message_id) && same(a->in_reply_to, b->in_reply_to) &&
	       same(a->references, b->references);
}

static void test_round_trip(void)
{
	_cleanup_buf_ struct buf record = BUF(CARD_MAX_BYTES);
	struct card card = example(), got;

	CU_ASSERT_EQUAL(card_pack(&card, IDENTITY, &record), 0);
	CU_ASSERT_FATAL(card_unpack(buf_slice(&record), IDENTITY, &got));
	CU_ASSERT(same_cards(&card, &got));
	CU_ASSERT_FALSE(card_unpack(buf_slice(&record), IDENTITY + 1, &got));
	for (size_t n = 0; n < record.n; n++)
		CHECK(!card_unpack(slice_head(buf_slice(&record), n), IDENTITY, &got), "%zu bytes", n);
	CU_ASSERT_EQUAL(buf_add_char(&record, 0), 0);
	CU_ASSERT_FALSE(card_unpack(buf_slice(&record), IDENTITY, &got));
	record.p[0] ^= 1; /* another version */
	CU_ASSERT_FALSE(card_unpack(slice_head(buf_slice(&record), record.n - 1), IDENTITY, &got));
}

/* What does not fit is left out, the items of FETCH first; the keys must fit. */
static void test_too_large(void)
{
	static char large[CARD_MAX_BYTES];
	_cleanup_buf_ struct buf record = BUF(CARD_MAX_BYTES), small = BUF(100);
	struct card card = example(), got;

	card.bodystructure = card.body = slice_from(large, CARD_MAX_BYTES / 2);
	card.envelope = slice_from(large, CARD_MAX_BYTES / 4);
	CU_ASSERT_EQUAL(card_pack(&card, IDENTITY, &record), 0);
	CU_ASSERT_FATAL(card_unpack(buf_slice(&record), IDENTITY, &got));
	CU_ASSERT_EQUAL(got.envelope.n, CARD_MAX_BYTES / 4);
	CU_ASSERT_EQUAL(got.bodystructure.n, CARD_MAX_BYTES / 2);
	CU_ASSERT_PTR_NULL(got.body.p);
	CU_ASSERT_PTR_NOT_NULL(got.fields.p);
	CU_ASSERT_EQUAL(card_pack(&card, IDENTITY, &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);

	card.references = slice_from(large, CARD_MAX_BYTES);
	buf_clear(&record);
	CU_ASSERT_EQUAL(card_pack(&card, IDENTITY, &record), -ENOBUFS);
}

/* What mail programs ask for. */
static const struct slice asked[][4] = {
	{ { "From", 4 }, { "SUBJECT", 7 }, { "date", 4 }, { "Message-Id", 10 } },
	{ { "references", 10 }, { "In-Reply-To", 11 }, { "CONTENT-TYPE", 12 }, { "X-Priority", 10 } },
	{ { "To", 2 }, { "Cc", 2 }, { "Bcc", 3 }, { "List-Id", 7 } },
	{ { "Sender", 6 }, { "Reply-To", 8 }, { "MIME-Version", 12 }, { "User-Agent", 10 } },
};

static void check_fields(const char *name, struct slice header, const struct card *card)
{
	for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
		_cleanup_buf_ struct buf fresh = BUF(1 << 22), cached = BUF(1 << 22);

		CU_ASSERT(card_has_fields(asked[i], 4));
		CU_ASSERT_EQUAL(header_select(header, asked[i], 4, false, true, &fresh), 0);
		CU_ASSERT_EQUAL(header_select(card->fields, asked[i], 4, false, true, &cached), 0);
		CHECK(slice_equal(buf_slice(&fresh), buf_slice(&cached)), "%s: fields %zu", name, i);
	}
}

/* Whether the card tells what is made of the message without one, byte for byte. */
static void check_card(const char *name, struct slice message, const struct card *card)
{
	_cleanup_buf_ struct buf envelope = BUF(1 << 22), structure = BUF(1 << 22), body = BUF(1 << 22);
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	const struct mime_part *root = mime_parse(message, &parser);
	struct slice header = slice_head(message, (size_t)root->body_offset);

	CU_ASSERT_EQUAL(envelope_format(header, &envelope), 0);
	CU_ASSERT_EQUAL(bodystructure_format(root, true, &structure), 0);
	CU_ASSERT_EQUAL(bodystructure_format(root, false, &body), 0);
	CHECK(!card->envelope.p || slice_equal(card->envelope, buf_slice(&envelope)), "%s", name);
	CHECK(!card->bodystructure.p || slice_equal(card->bodystructure, buf_slice(&structure)), "%s",
		name);
	CHECK(!card->body.p || slice_equal(card->body, buf_slice(&body)), "%s", name);
	CHECK((card->envelope.p && card->fields.p) || header.n > 32 * 1024, "%s: %zu bytes of header",
		name, header.n);
	CHECK((card->bodystructure.p && card->body.p) || structure.n > CARD_MAX_BYTES / 4, "%s", name);
	CU_ASSERT_EQUAL(card->rfc822_size, mime_octets(root));
	if (card->fields.p)
		check_fields(name, header, card);
}

static void read_whole(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (size_t n = 1; n > 0;) {
		char *at = buf_reserve(out, 65536);

		CU_ASSERT_PTR_NOT_NULL_FATAL(at);
		n = fread(at, 1, 65536, file);
		buf_grown(out, n);
	}
	fclose(file);
}

static void deliver(const struct fixture *f, const char *name, struct slice message)
{
	FILE *file = fopen(fixture_path(f, name), "w");
	struct timespec times[2] = { { .tv_sec = 1600000000 }, { .tv_sec = 1600000000 } };

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fwrite(message.p ? message.p : "", 1, message.n, file);
	fclose(file);
	utimensat(AT_FDCWD, fixture_path(f, name), times, 0);
}

static int take_card(struct fixture *f, uint32_t msg_uid, struct card *ret_card)
{
	for (;;) {
		struct work work = fixture_work(f);
		int r = mailbox_card(f->mailbox, msg_uid, &work, ret_card);

		if (r != -EINPROGRESS)
			return r;
		f->steps++;
	}
}

/* Where the header ends, found without the structure. */
static void check_header_end(struct fixture *f, uint32_t msg_uid, struct slice message)
{
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	_cleanup_buf_ struct buf header = BUF(1 << 22);
	const struct mime_part *root = mime_parse(message, &parser);
	struct reader *reader;

	CU_ASSERT_EQUAL_FATAL(reader_open(f->mailbox, msg_uid, &reader), 0);
	CU_ASSERT_EQUAL(reader_header(reader, 1 << 22, &header), 0);
	CHECK(header.n == root->body_offset, "UID %u: %zu, not %zu", msg_uid, header.n,
		(size_t)root->body_offset);
	buf_clear(&header);
	if (root->body_offset > 0)
		CU_ASSERT_EQUAL(reader_header(reader, (size_t)root->body_offset - 1, &header), -EFBIG);
	reader_close(reader);
}

/* Every message of the corpus, from its file and then from the cache. */
static void test_corpus(void)
{
	struct fixture f;
	glob_t found;
	struct card made, known;

	CU_ASSERT_EQUAL_FATAL(glob("tests/corpus/*.eml", 0, NULL, &found), 0);
	CU_ASSERT(found.gl_pathc >= 270);
	fixture_init(&f);
	f.budget = 1;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_buf_ struct buf message = BUF(1 << 22);
		char name[40];

		read_whole(found.gl_pathv[i], &message);
		snprintf(name, sizeof name, "new/%zu.a", 1000 + i);
		deliver(&f, name, buf_slice(&message));
		CU_ASSERT_EQUAL_FATAL(fixture_sync(&f), 0);
		CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, (uint32_t)i + 1, &known), -ENOENT);
		CU_ASSERT_EQUAL_FATAL(take_card(&f, (uint32_t)i + 1, &made), 0);
		CU_ASSERT_EQUAL(made.internaldate, 1600000000);
		check_card(found.gl_pathv[i], buf_slice(&message), &made);
		check_header_end(&f, (uint32_t)i + 1, buf_slice(&message));
		CU_ASSERT_EQUAL_FATAL(mailbox_card_known(f.mailbox, (uint32_t)i + 1, &known), 0);
		CHECK(same_cards(&made, &known), "%s", found.gl_pathv[i]);
	}
	globfree(&found);
	fixture_done(&f);
}

static void make_of(struct slice message, struct arena *arena, struct card *ret_card)
{
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	struct card_source source = { .root = mime_parse(message, &parser),
		.internaldate = 1600000000 };

	source.header = slice_head(message, (size_t)source.root->body_offset);
	card_make(&source, arena, ret_card);
}

/* Keys are in the compared form: ASCII in upper case. */
static const struct {
	const char *header;
	const char *from, *to, *cc, *display_from, *display_to, *base_subject;
} sort_rows[] = {
	{ "", "", "", "", "", "", "" },
	{ "From: Bob <b@example.org>\nTo: c@example.org\nCc: x@y, z@y\nSubject: Re: [list] Hello (fwd)\n",
		"B", "C", "X", "BOB", "C@EXAMPLE.ORG", "HELLO" },
	{ "From: =?utf-8?q?=C3=9Cnal?= <u@x>\n", "U", "", "", "U\xcc\x88NAL", "", "" },
	{ "From: \"\" <q@x>\nTo: <r>\n", "Q", "R", "", "Q@X", "R", "" },
	{ "From: Group: a@b, c@d;\n", "GROUP", "", "", "GROUP", "", "" },
	{ "From: one@x\nFrom: two@x\n", "ONE", "", "", "ONE@X", "", "" },
	{ "Subject: =?iso-2022-jp?B?GyRCTEBGfBsoQg==?=\n", "", "", "", "", "", "\xe6\x98\x8e\xe6\x97\xa5" },
};

static void test_sort_keys(void)
{
	for (size_t i = 0; i < sizeof sort_rows / sizeof *sort_rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct card card;

		make_of(slice_str(sort_rows[i].header), &arena, &card);
		CHECK(slice_equal(card.from, slice_str(sort_rows[i].from)), "row %zu: %.*s", i,
			SLICE_FMT(card.from));
		CHECK(slice_equal(card.to, slice_str(sort_rows[i].to)), "row %zu", i);
		CHECK(slice_equal(card.cc, slice_str(sort_rows[i].cc)), "row %zu", i);
		CHECK(slice_equal(card.display_from, slice_str(sort_rows[i].display_from)),
			"row %zu: %.*s", i, SLICE_FMT(card.display_from));
		CHECK(slice_equal(card.display_to, slice_str(sort_rows[i].display_to)), "row %zu", i);
		CHECK(slice_equal(card.base_subject, slice_str(sort_rows[i].base_subject)),
			"row %zu: %.*s", i, SLICE_FMT(card.base_subject));
	}
}

static const struct {
	const char *header;
	int64_t sent_date;
	int32_t zone;
	unsigned flags;
} date_rows[] = {
	{ "Date: Tue, 2 Jan 2024 10:00:00 +0900\n", 1704157200, 540, CARD_HAS_SENT_DATE },
	{ "Date: never\nSubject: Re: x\n", 1600000000, 0, CARD_IS_REPLY },
	{ "Subject: x (fwd)\n", 1600000000, 0, CARD_IS_REPLY },
	{ "Content-Type: application/pdf\n", 1600000000, 0, CARD_HAS_ATTACHMENT },
	{ "Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment\n", 1600000000, 0,
		CARD_HAS_ATTACHMENT },
	{ "Content-Type: text/html\nContent-Disposition: inline\n", 1600000000, 0, 0 },
	{ "Content-Type: image/png\nContent-ID: <x@y>\n", 1600000000, 0, 0 },
	{ "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na\n--b\nContent-Type: message/rfc822\n\n\n",
		1600000000, 0, CARD_HAS_ATTACHMENT },
};

static void test_dates_and_flags(void)
{
	for (size_t i = 0; i < sizeof date_rows / sizeof *date_rows; i++) {
		_cleanup_arena_ struct arena arena = { 0 };
		struct card card;

		make_of(slice_str(date_rows[i].header), &arena, &card);
		CHECK(card.sent_date == date_rows[i].sent_date, "row %zu", i);
		CHECK(card.sent_zone_minutes == date_rows[i].zone, "row %zu", i);
		CHECK(card.flags == date_rows[i].flags, "row %zu: %x", i, card.flags);
	}
}

static const struct {
	const char *value;
	const char *ids; /* each followed by LF */
} id_rows[] = {
	{ "", "" },
	{ " <a@b>\n <c@d>", "a@b\nc@d\n" },
	{ "text <a@b> (comment <no@no>) <c@d>", "a@b\nc@d\n" },
	{ "<\"a\"@b> <a\\@b> < a @\n b >", "a@b\na@b\na@b\n" },
	{ "<> <a@b", "a@b\n" },
	{ "<a@b <c@d>", "a@b\nc@d\n" },
	{ "a@b", "" },
	{ "Your message of Friday (never closed <a@b>", "" },
	{ "<a@b><c@d>,<e@f>", "a@b\nc@d\ne@f\n" },
	{ "<0123456789abcdefghij@b>", "0123456789abcdef\n" },
};

static void test_message_ids(void)
{
	for (size_t i = 0; i < sizeof id_rows / sizeof *id_rows; i++) {
		_cleanup_buf_ struct buf ids = BUF(1000);
		struct slice value = slice_str(id_rows[i].value);

		while (message_id_next(&value, 16, &ids))
			must(buf_add_char(&ids, '\n') == 0);
		CHECK(slice_equal(buf_slice(&ids), slice_str(id_rows[i].ids)), "row %zu: %.*s", i,
			SLICE_FMT(buf_slice(&ids)));
	}
}

/* Of a thread too long, the first id and the latest stay. */
static void test_many_references(void)
{
	_cleanup_buf_ struct buf header = BUF(1 << 20);
	_cleanup_arena_ struct arena arena = { 0 };
	struct card card;

	must(buf_add_str(&header, "Message-ID: <last@x>\nIn-Reply-To: <3999@x>\nReferences:") == 0);
	for (unsigned i = 0; i < 4000; i++)
		must(buf_addf(&header, "\n <%u@x>", i) == 0);
	must(buf_add_str(&header, "\n\n") == 0);
	make_of(buf_slice(&header), &arena, &card);
	CU_ASSERT(card.references.n <= CARD_REFERENCES_BYTES && card.references.n > CARD_REFERENCES_BYTES - 20);
	CU_ASSERT(slice_starts_with(card.references, SLICE("0@x\n")));
	CU_ASSERT(slice_ends_with(card.references, SLICE("\n3998@x\n3999@x\n")));
	CU_ASSERT(slice_equal(card.message_id, SLICE("last@x")));
	CU_ASSERT(slice_equal(card.in_reply_to, SLICE("3999@x")));
}

static const char TEXT[] = "From: a@b\nSubject: x\n\nbody\n";

/* A record that says nothing of this message is made again. */
static void test_damaged(void)
{
	struct fixture f;
	struct card card;
	struct slice record, text;

	fixture_init(&f);
	deliver(&f, "new/1.a", slice_str(TEXT));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), 0);
	CU_ASSERT_EQUAL_FATAL(card_cache_get(f.mailbox, CARD_KIND_CARD, 1, &record), 0);

	char cut[4096];
	size_t n = record.n - 1;

	memcpy(cut, record.p, n);
	card_cache_put(f.mailbox, CARD_KIND_CARD, 1, slice_from(cut, n));
	CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, 1, &card), -ENOENT);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), 0);
	check_card("made again", slice_str(TEXT), &card);

	struct work work = fixture_work(&f);

	card_cache_put(f.mailbox, CARD_KIND_PREVIEW, 1, SLICE("short"));
	CU_ASSERT_EQUAL(mailbox_preview_known(f.mailbox, 1, &text), -ENOENT);
	CU_ASSERT_EQUAL(mailbox_preview(f.mailbox, 1, &work, &text), 0);
	CU_ASSERT(slice_equal(text, SLICE("body")));
	CU_ASSERT_EQUAL(mailbox_preview_known(f.mailbox, 1, &text), 0);
	CU_ASSERT(slice_equal(text, SLICE("body")));
	fixture_done(&f);
}

/* With an index, cards of many messages stay, and outlive the mailbox; one that is damaged is made again. */
static void test_index(void)
{
	struct fixture f;
	struct index_settings settings = { .path = NULL };
	struct index *index;
	struct card card;

	fixture_init(&f);
	settings.path = fixture_path(&f, "cards.index");
	index = f.store->index ? f.store->index : index_open(&settings, &f.log);
	CU_ASSERT_PTR_NOT_NULL_FATAL(index);

	bool own = !f.store->index;

	f.store->index = index;
	for (unsigned i = 0; i < 40; i++) {
		char name[40];

		snprintf(name, sizeof name, "new/%u.a", 10 + i);
		deliver(&f, name, slice_str(TEXT));
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (uint32_t msg_uid = 1; msg_uid <= 40; msg_uid++)
		CU_ASSERT_EQUAL(take_card(&f, msg_uid, &card), 0);
	index_rest(index);
	mailbox_close(f.mailbox);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("INBOX"), &f.mailbox), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (uint32_t msg_uid = 1; msg_uid <= 40; msg_uid++) {
		CU_ASSERT_EQUAL_FATAL(mailbox_card_known(f.mailbox, msg_uid, &card), 0);
		check_card("indexed", slice_str(TEXT), &card);
	}

	uint32_t number = index_mailbox(index, mailbox_guid(f.mailbox), false);
	struct slice record;

	CU_ASSERT(number > 0);
	index_put(index, INDEX_CARDS, number, 7 << 1, SLICE("no card"));
	CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, 7, &card), -ENOENT);
	CU_ASSERT_EQUAL(take_card(&f, 7, &card), 0);
	check_card("made again", slice_str(TEXT), &card);

	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "cur/10.a:2,")), 0);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	store_settle(f.store);
	CU_ASSERT_EQUAL(index_get(index, INDEX_CARDS, number, 1 << 1, &record), -ENOENT);
	CU_ASSERT_EQUAL(index_get(index, INDEX_CARDS, number, 2 << 1, &record), 0);
	if (own) {
		f.store->index = NULL;
		index_close(index);
	}
	fixture_done(&f);
}

static void test_gone(void)
{
	struct fixture f;
	struct card card;

	fixture_init(&f);
	deliver(&f, "new/1.a", slice_str(TEXT));
	deliver(&f, "new/2.a", slice_str(TEXT));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(take_card(&f, 3, &card), -ENOENT);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), 0);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "cur/1.a:2,")), 0);
	CU_ASSERT_EQUAL(unlink(fixture_path(&f, "cur/2.a:2,")), 0);
	CU_ASSERT_EQUAL(take_card(&f, 2, &card), -ENOENT);
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, 1, &card), -ENOENT);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), -ENOENT);
	fixture_done(&f);
}

enum { LARGE = 12, LARGE_BYTES = 200 * 1024 };

/* More large messages than can be under way at once: all come to an end, with the smallest budget, in any order. */
static void test_many_at_once(void)
{
	static char text[LARGE_BYTES];
	struct fixture f;
	struct card card;
	bool made[LARGE] = { false };
	unsigned left = LARGE;

	memset(text, '\n', sizeof text);
	fixture_init(&f);
	for (unsigned i = 0; i < LARGE; i++) {
		char name[40];

		snprintf(name, sizeof name, "new/%u.a", 10 + i);
		deliver(&f, name, slice_from(text, sizeof text));
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (unsigned round = 0; left > 0 && round < 100000; round++) {
		uint32_t msg_uid = round % LARGE + 1;
		struct work work = { .now_usec = 1 + round, .budget = 1 };

		if (made[msg_uid - 1])
			continue;

		int r = mailbox_card(f.mailbox, msg_uid, &work, &card);

		CU_ASSERT(r == 0 || r == -EINPROGRESS);
		made[msg_uid - 1] = r == 0;
		left -= r == 0;
	}
	CU_ASSERT_EQUAL(left, 0);
	fixture_done(&f);
}

/* One that was begun and is not asked for again makes room after a while. */
static void test_abandoned(void)
{
	static char text[LARGE_BYTES];
	struct fixture f;
	struct card card;
	struct work work;
	int r = 0;

	memset(text, '\n', sizeof text);
	fixture_init(&f);
	for (unsigned i = 0; i < LARGE; i++) {
		char name[40];

		snprintf(name, sizeof name, "new/%u.a", 10 + i);
		deliver(&f, name, slice_from(text, sizeof text));
	}
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	for (uint32_t msg_uid = 1; msg_uid <= LARGE; msg_uid++) {
		work = (struct work){ .now_usec = 1000, .budget = 1 };
		r = mailbox_card(f.mailbox, msg_uid, &work, &card);
		CU_ASSERT_EQUAL(r, -EINPROGRESS);
	}
	for (unsigned i = 0; i < 1000 && r == -EINPROGRESS; i++) {
		work = (struct work){ .now_usec = 1000 + 11 * 1000 * 1000, .budget = 1 };
		r = mailbox_card(f.mailbox, LARGE, &work, &card);
	}
	CU_ASSERT_EQUAL(r, 0);
	fixture_done(&f);
}

static void test_fill(void)
{
	struct fixture f;
	uint32_t uids[] = { 1, 2, 3, 9 };
	struct card card;
	size_t done = 0;
	int r;

	fixture_init(&f);
	f.budget = 1;
	deliver(&f, "new/1.a", slice_str(TEXT));
	deliver(&f, "new/2.a", slice_str(TEXT));
	deliver(&f, "new/3.a", slice_str(TEXT));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	f.steps = 0;
	do {
		struct work work = fixture_work(&f);

		r = mailbox_cards_fill(f.mailbox, uids, 4, &done, &work);
		f.steps += r == -EINPROGRESS;
	} while (r == -EINPROGRESS);
	CU_ASSERT_EQUAL(r, 0);
	CU_ASSERT_EQUAL(done, 4);
	CU_ASSERT(f.steps > 0);
	for (uint32_t msg_uid = 1; msg_uid <= 3; msg_uid++)
		CU_ASSERT_EQUAL(mailbox_card_known(f.mailbox, msg_uid, &card), 0);
	fixture_done(&f);
}

/* A header beyond what is usual: the card has keys and structure, but neither envelope nor fields. */
static void test_large_header(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 21);
	struct fixture f;
	struct card card;

	must(buf_add_str(&message, "Subject: large\nFrom: a@b\n") == 0);
	for (unsigned i = 0; message.n < (1 << 20); i++)
		must(buf_addf(&message, "X-Field-%u: %0500u\n", i, i) == 0);
	must(buf_add_str(&message, "\nbody\n") == 0);
	fixture_init(&f);
	deliver(&f, "new/1.a", buf_slice(&message));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL_FATAL(take_card(&f, 1, &card), 0);
	CU_ASSERT_PTR_NULL(card.envelope.p);
	CU_ASSERT_PTR_NULL(card.fields.p);
	CU_ASSERT_PTR_NOT_NULL(card.bodystructure.p);
	CU_ASSERT(slice_equal(card.base_subject, SLICE("LARGE")));
	fixture_done(&f);
}

/* Of a large message only the header is read, until its structure is asked for. */
static void test_header_only(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 21);
	struct fixture f;
	struct card card;
	struct work work;
	uint64_t octets;

	must(buf_add_str(&message, "Subject: large\nFrom: a@b\n\n") == 0);
	while (message.n < 1000000)
		must(buf_add_str(&message, "a line\n") == 0);
	fixture_init(&f);
	deliver(&f, "new/1.a", buf_slice(&message));
	deliver(&f, "new/2.a", slice_str(TEXT));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	work = (struct work){ .now_usec = 1, .budget = 1 };
	CU_ASSERT_EQUAL_FATAL(mailbox_card_of_header(f.mailbox, 1, &work, &card), 0);
	CU_ASSERT(card.flags & CARD_HEADER_ONLY);
	CU_ASSERT(slice_equal(card.base_subject, SLICE("LARGE")));
	CU_ASSERT_PTR_NOT_NULL(card.envelope.p);
	CU_ASSERT(slice_equal(card.fields, SLICE("Subject: large\r\nFrom: a@b\r\n")));
	CU_ASSERT_PTR_NULL(card.bodystructure.p);
	work = (struct work){ .now_usec = 1, .budget = 1000 };
	CU_ASSERT_EQUAL(mailbox_rfc822_size(f.mailbox, 1, &work, &octets), 0);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), 0);
	CU_ASSERT_EQUAL(card.rfc822_size, octets);
	check_card("whole", buf_slice(&message), &card);
	CU_ASSERT_EQUAL(mailbox_card_of_header(f.mailbox, 1, &work, &card), 0);
	CU_ASSERT_FALSE(card.flags & CARD_HEADER_ONLY);
	CU_ASSERT_EQUAL(mailbox_card_of_header(f.mailbox, 2, &work, &card), 0);
	CU_ASSERT_FALSE(card.flags & CARD_HEADER_ONLY);
	fixture_done(&f);
}

static void test_object_ids(void)
{
	struct fixture f;
	struct card card;
	char a[OBJECTID_BYTES], b[OBJECTID_BYTES];
	struct mailbox *other;

	fixture_init(&f);
	deliver(&f, "new/1.a", SLICE("Message-ID: <1@x>\n\n"));
	deliver(&f, "new/2.a", SLICE("Message-ID: <2@x>\nReferences: <1@x> <0@x>\nIn-Reply-To: <9@x>\n\n"));
	deliver(&f, "new/3.a", SLICE("In-Reply-To: <1@x>\n\n"));
	deliver(&f, "new/4.a", SLICE("\n"));
	deliver(&f, "new/5.a", SLICE("\n"));
	CU_ASSERT_EQUAL(fixture_sync(&f), 0);
	CU_ASSERT_EQUAL(mailbox_emailid(f.mailbox, 9, a), -ENOENT);
	CU_ASSERT_EQUAL(take_card(&f, 1, &card), 0);
	CU_ASSERT_EQUAL(mailbox_threadid(f.mailbox, 1, &card, a), 0);
	CU_ASSERT_EQUAL(strlen(a), OBJECTID_BYTES - 1);
	for (uint32_t msg_uid = 2; msg_uid <= 5; msg_uid++) {
		CU_ASSERT_EQUAL(take_card(&f, msg_uid, &card), 0);
		CU_ASSERT_EQUAL(mailbox_threadid(f.mailbox, msg_uid, &card, b), 0);
		CHECK((strcmp(a, b) == 0) == (msg_uid <= 3), "UID %u", msg_uid);
	}
	CU_ASSERT_EQUAL(mailbox_threadid(f.mailbox, 4, &card, a), 0); /* b: of 5 */
	CU_ASSERT_STRING_NOT_EQUAL(a, b);

	CU_ASSERT_EQUAL(tree_create(f.store, SLICE("one")), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("one"), &other), 0);

	struct work work = fixture_work(&f);

	CU_ASSERT_EQUAL(mailbox_sync(other, &work), 0);
	mailbox_mailboxid(other, a);
	CU_ASSERT_EQUAL(strlen(a), 32);
	mailbox_mailboxid(f.mailbox, b);
	CU_ASSERT_STRING_NOT_EQUAL(a, b);
	mailbox_close(other);
	CU_ASSERT_EQUAL(tree_rename(f.store, SLICE("one"), SLICE("two")), 0);
	CU_ASSERT_EQUAL_FATAL(mailbox_open(f.store, SLICE("two"), &other), 0);
	CU_ASSERT_EQUAL(mailbox_sync(other, &work), 0);
	mailbox_mailboxid(other, b);
	CU_ASSERT_STRING_EQUAL(a, b);
	mailbox_close(other);
	fixture_done(&f);
}

static const struct unit_test tests[] = {
	{ "a record and back", test_round_trip },
	{ "more than a record may hold", test_too_large },
	{ "cards of the corpus tell what the messages do", test_corpus },
	{ "sort keys", test_sort_keys },
	{ "dates and flags", test_dates_and_flags },
	{ "message-ids", test_message_ids },
	{ "a long thread", test_many_references },
	{ "damaged records", test_damaged },
	{ "kept in the index", test_index },
	{ "messages that are gone", test_gone },
	{ "many at once", test_many_at_once },
	{ "abandoned", test_abandoned },
	{ "filling", test_fill },
	{ "a header of 1 MB", test_large_header },
	{ "a large message's header only", test_header_only },
	{ "object ids", test_object_ids },
};

UNIT_MAIN("card", tests)
