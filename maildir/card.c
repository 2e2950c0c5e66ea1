#include "maildir/card.h"

#include "base/must.h"
#include "base/utf8.h"
#include "maildir/card_cache.h"
#include "maildir/card_make.h"
#include "maildir/message/preview.h"
#include "maildir/reader.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdlib.h>

/* Of a message whose header is longer the card has no fields: they are not what is usual. */
enum {
	CARD_HEADER_BYTES = 64 * 1024,
	WHOLE_BYTES = 64 * 1024,
	MAKING = 8,
	ABANDONED_USEC = 10 * 1000 * 1000,
	CHUNK_BYTES = 16 * 1024
};

/*
 * A message under way: several, so that connections do not undo each other's work. One whose connection has gone is
 * given up after a while.
 */
struct card_making {
	uint32_t msg_uid; /* 0: unused */
	bool header_only; /* wanted: does not share a slot with those who want the whole */
	uint64_t used_usec;
	struct reader *reader;
	const struct mime_part *root;
	struct preview *preview;      /* NULL: not begun */
	const struct mime_part *part; /* the preview's */
	uint64_t offset;              /* in its body */
};

struct card_makings {
	struct card_making slots[MAKING];
};

static void end_making(struct card_making *making)
{
	if (making->reader)
		reader_close(making->reader);
	preview_free(making->preview);
	*making = (struct card_making){ 0 };
}

void card_makings_free(struct card_makings *makings)
{
	for (size_t i = 0; makings && i < MAKING; i++)
		end_making(&makings->slots[i]);
	free(makings);
}

static struct card_makings *makings_of(struct mailbox *mailbox)
{
	if (!mailbox->card_makings) {
		mailbox->card_makings = calloc(1, sizeof *mailbox->card_makings);
		must(mailbox->card_makings != NULL);
	}
	return mailbox->card_makings;
}

static ssize_t find_shown(const struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);

	return number >= 0 && (size_t)number < mailbox->list.n_shown ? number : -1;
}

static uint64_t identity_of(const struct mailbox *mailbox, size_t number)
{
	return card_identity(
		mailbox->uidlist.header.uidvalidity, list_base(&mailbox->list, number));
}

/* The slot in which a message is under way, or one for it; NULL: all are in use. */
static struct card_making *find_making(
	struct card_makings *makings, uint32_t msg_uid, bool header_only, uint64_t now_usec)
{
	struct card_making *free_one = NULL;

	for (size_t i = 0; i < MAKING; i++) {
		struct card_making *m = &makings->slots[i];

		if (m->msg_uid == msg_uid && m->header_only == header_only)
			return m;
		if (m->msg_uid > 0 && now_usec - m->used_usec > ABANDONED_USEC)
			end_making(m);
		if (m->msg_uid == 0 && !free_one)
			free_one = m;
	}
	return free_one;
}

/* Open the message. Returns 0, -EINPROGRESS (*ret_making may be NULL), or -errno. */
static int open_making(struct mailbox *mailbox, uint32_t msg_uid, bool header_only,
	struct work *work, struct card_making **ret_making)
{
	struct card_making *m =
		find_making(makings_of(mailbox), msg_uid, header_only, work->now_usec);

	*ret_making = m;
	if (!m || work->budget == 0) {
		work->budget = 0; /* of no use before the others have gone on */
		return -EINPROGRESS;
	}
	m->msg_uid = msg_uid;
	m->header_only = header_only;
	m->used_usec = work->now_usec;
	return m->reader ? 0 : reader_open(mailbox, msg_uid, &m->reader);
}

static int find_structure(struct card_making *m, struct work *work)
{
	return m->root ? 0 : reader_structure(m->reader, work, &m->root);
}

/* After a step: what did not end stays. */
static int finish_making(struct card_making *making, int r)
{
	if (making && r != -EINPROGRESS)
		end_making(making);
	return r;
}

static void pack(const struct card_source *source, uint64_t identity, struct buf *record)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct card card;

	card_make(source, &arena, &card);
	must(card_pack(&card, identity, record) == 0); /* its keys are bounded */
}

static int make_whole(
	struct card_making *making, uint64_t identity, struct work *work, struct buf *record)
{
	_cleanup_buf_ struct buf header = BUF(CARD_HEADER_BYTES);
	int r = find_structure(making, work);

	if (r < 0)
		return r;

	struct card_source source = { .root = making->root,
		.internaldate = reader_internaldate(making->reader) };
	uint64_t header_bytes = making->root->body_offset;

	if (header_bytes <= CARD_HEADER_BYTES) {
		r = reader_read(making->reader, 0, (size_t)header_bytes, &header);
		if (r < 0)
			return r;
		source.header = header_bytes > 0 ? buf_slice(&header) : SLICE("");
	}
	pack(&source, identity, record);
	return 0;
}

/* Returns -EFBIG: that would not do. */
static int make_of_header(
	struct card_making *making, uint64_t identity, struct work *work, struct buf *record)
{
	_cleanup_buf_ struct buf header = BUF(CARD_HEADER_BYTES);
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;

	if (!making->header_only || reader_file_size(making->reader) <= WHOLE_BYTES)
		return -EFBIG;

	int r = reader_header(making->reader, CARD_HEADER_BYTES, &header);

	work->budget--;
	if (r < 0)
		return r;

	const struct card_source source = {
		.root = mime_parse(buf_slice(&header), &parser),
		.header = buf_slice(&header),
		.internaldate = reader_internaldate(making->reader),
		.header_only = true,
	};

	pack(&source, identity, record);
	return 0;
}

static int make_card(struct mailbox *mailbox, size_t number, bool header_only, struct work *work)
{
	_cleanup_buf_ struct buf record = BUF(CARD_MAX_BYTES);
	uint32_t msg_uid = mailbox->list.messages[number].msg_uid;
	uint64_t identity = identity_of(mailbox, number);
	struct card_making *making;
	int r = open_making(mailbox, msg_uid, header_only, work, &making);

	if (r == 0)
		r = make_of_header(making, identity, work, &record);
	if (r == -EFBIG)
		r = make_whole(making, identity, work, &record);
	if (r == 0)
		card_cache_put(mailbox, CARD_KIND_CARD, msg_uid, buf_slice(&record));
	return finish_making(making, r);
}

static int find_card(struct mailbox *mailbox, size_t number, struct card *ret_card)
{
	struct slice record;
	int r = card_cache_get(
		mailbox, CARD_KIND_CARD, mailbox->list.messages[number].msg_uid, &record);

	if (r < 0)
		return r;
	return card_unpack(record, identity_of(mailbox, number), ret_card) ? 0 : -ENOENT;
}

void mailbox_facts_from_card(struct mailbox *mailbox, size_t number)
{
	struct entry *entry = list_entry(&mailbox->list, number);
	struct card card;

	if (find_card(mailbox, number, &card) < 0)
		return;
	if (!(card.flags & CARD_HEADER_ONLY) && entry->rfc822_size == ENTRY_SIZE_UNKNOWN) {
		entry->rfc822_size = card.rfc822_size;
		list_touch(&mailbox->list, number); /* the header in the index has the sum of all */
	}
	if (entry->internaldate == ENTRY_DATE_UNKNOWN)
		entry->internaldate = card.internaldate;
}

int mailbox_card_known(struct mailbox *mailbox, uint32_t msg_uid, struct card *ret_card)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	return number < 0 ? -ENOENT : find_card(mailbox, (size_t)number, ret_card);
}

static int find_or_make(struct mailbox *mailbox, uint32_t msg_uid, bool header_only,
	struct work *work, struct card *ret_card)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	if (number < 0)
		return -ENOENT;
	if (find_card(mailbox, (size_t)number, ret_card) == 0 &&
		(header_only || !(ret_card->flags & CARD_HEADER_ONLY)))
		return 0;

	int r = make_card(mailbox, (size_t)number, header_only, work);

	return r < 0 ? r : find_card(mailbox, (size_t)number, ret_card);
}

int mailbox_card(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card)
{
	return find_or_make(mailbox, msg_uid, false, work, ret_card);
}

int mailbox_card_of_header(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card)
{
	return find_or_make(mailbox, msg_uid, true, work, ret_card);
}

int mailbox_cards_fill(
	struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work)
{
	for (; *done < n; (*done)++) {
		struct card card;
		int r = mailbox_card(mailbox, uids[*done], work, &card);

		if (r == -EINPROGRESS || r == -EAGAIN)
			return r;
		if (work->budget > 0)
			work->budget--;
		else if (*done + 1 < n) {
			(*done)++;
			return -EINPROGRESS;
		}
	}
	return 0;
}

/*
 * A preview's record is the identity of its message, and the text.
 */
enum { IDENTITY_BYTES = sizeof(uint64_t) };

static int find_preview(struct mailbox *mailbox, size_t number, struct slice *ret_text)
{
	uint64_t identity = identity_of(mailbox, number);
	struct slice record;
	int r = card_cache_get(
		mailbox, CARD_KIND_PREVIEW, mailbox->list.messages[number].msg_uid, &record);

	if (r < 0)
		return r;
	if (record.n < IDENTITY_BYTES || memcmp(record.p, &identity, IDENTITY_BYTES) != 0)
		return -ENOENT;
	*ret_text = slice_from(record.p + IDENTITY_BYTES, record.n - IDENTITY_BYTES);
	return utf8_is_valid(*ret_text) ? 0 : -ENOENT;
}

int mailbox_preview_known(struct mailbox *mailbox, uint32_t msg_uid, struct slice *ret_text)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	return number < 0 ? -ENOENT : find_preview(mailbox, (size_t)number, ret_text);
}

/* Read the body of the part that is looked at, as far as needed. Returns 0, -EINPROGRESS, -errno. */
static int read_part(struct card_making *m, struct work *work)
{
	for (;;) {
		_cleanup_buf_ struct buf chunk = BUF(CHUNK_BYTES);
		uint64_t left = m->part->end_offset - m->part->body_offset - m->offset;

		if (left == 0)
			return 0;
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;

		int r = reader_read(m->reader, m->part->body_offset + m->offset,
			left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES, &chunk);

		if (r < 0)
			return r;
		m->offset += chunk.n;
		if (preview_feed(m->preview, buf_slice(&chunk)))
			return 0;
	}
}

/* Look at one part after the other until one has text. Appends it. */
static int read_preview(struct card_making *m, struct work *work, struct buf *text)
{
	if (!m->part)
		m->part = preview_part(m->root, NULL);
	while (m->part) {
		if (!m->preview)
			m->preview = preview_new(m->part);

		int r = read_part(m, work);

		if (r < 0)
			return r;

		struct slice found = preview_finish(m->preview);

		must(buf_add(text, found) == 0);
		preview_free(m->preview);
		m->preview = NULL;
		m->offset = 0;
		m->part = found.n > 0 ? NULL : preview_part(m->root, m->part);
	}
	return 0;
}

static int make_preview(struct mailbox *mailbox, size_t number, struct work *work)
{
	_cleanup_buf_ struct buf record = BUF(IDENTITY_BYTES + PREVIEW_TEXT_BYTES);
	uint32_t msg_uid = mailbox->list.messages[number].msg_uid;
	uint64_t identity = identity_of(mailbox, number);
	struct card_making *making;
	int r = open_making(mailbox, msg_uid, false, work, &making);

	must(buf_add(&record, slice_from(&identity, IDENTITY_BYTES)) == 0);
	if (r == 0)
		r = find_structure(making, work);
	if (r == 0)
		r = read_preview(making, work, &record);
	if (r == 0)
		card_cache_put(mailbox, CARD_KIND_PREVIEW, msg_uid, buf_slice(&record));
	return finish_making(making, r);
}

int mailbox_preview(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct slice *ret_text)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	if (number < 0)
		return -ENOENT;
	if (find_preview(mailbox, (size_t)number, ret_text) == 0)
		return 0;

	int r = make_preview(mailbox, (size_t)number, work);

	return r < 0 ? r : find_preview(mailbox, (size_t)number, ret_text);
}

void mailbox_mailboxid(const struct mailbox *mailbox, char ret_id[OBJECTID_BYTES])
{
	struct slice guid = mailbox_guid(mailbox);

	if (guid.n == 0 || !slice_to_str(guid, ret_id, OBJECTID_BYTES))
		objectid_format(OBJECTID_MAILBOX, mailbox_name(mailbox), ret_id);
}

int mailbox_emailid(struct mailbox *mailbox, uint32_t msg_uid, char ret_id[OBJECTID_BYTES])
{
	struct slice guid = mailbox_message_guid(mailbox, msg_uid);

	if (guid.n == 0)
		return -ENOENT;
	objectid_format(OBJECTID_EMAIL, guid, ret_id);
	return 0;
}

static struct slice thread_of(const struct card *card)
{
	ssize_t lf = slice_find(card->references, '\n');

	if (lf > 0)
		return slice_head(card->references, (size_t)lf);
	return card->in_reply_to.n > 0 ? card->in_reply_to : card->message_id;
}

int mailbox_threadid(struct mailbox *mailbox, uint32_t msg_uid, const struct card *card,
	char ret_id[OBJECTID_BYTES])
{
	struct slice thread = thread_of(card);

	if (thread.n == 0)
		thread = mailbox_message_guid(mailbox, msg_uid);
	if (thread.n == 0)
		return -ENOENT;
	objectid_format(OBJECTID_THREAD, thread, ret_id);
	return 0;
}
