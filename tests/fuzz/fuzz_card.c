/*
 * fuzz_card.c - records of cards. The input as a record: whatever it is, what is read lies inside and is packed
 * to the same bytes. The input as a message: its card is the same behind a record, and within limits.
 */
#include "base/must.h"
#include "maildir/card_make.h"
#include "maildir/message/message_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { IDENTITY = 0x6465746e };

static void check_record(struct slice record)
{
	_cleanup_buf_ struct buf again = BUF(CARD_MAX_BYTES);
	uint64_t identity = 0;
	struct card card;

	if (record.n >= 12)
		memcpy(&identity, record.p + 4, sizeof identity);
	if (!card_unpack(record, identity, &card))
		return;
	must(card.references.p && card.base_subject.p);
	must(card_pack(&card, identity, &again) == 0);
	must(card_unpack(buf_slice(&again), identity, &card));
}

static void check_message(struct slice message)
{
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	_cleanup_buf_ struct buf record = BUF(CARD_MAX_BYTES), again = BUF(CARD_MAX_BYTES);
	_cleanup_arena_ struct arena arena = { 0 };
	struct card_source source = { .root = mime_parse(message, &parser) };
	struct card card, read;

	source.header = slice_head(message, (size_t)source.root->body_offset);
	card_make(&source, &arena, &card);
	must(card_pack(&card, IDENTITY, &record) == 0);
	must(card_unpack(buf_slice(&record), IDENTITY, &read));
	must(slice_equal(card.references, read.references));
	must(slice_equal(card.display_from, read.display_from));
	must(card_pack(&read, IDENTITY, &again) == 0);
	must(slice_equal(buf_slice(&record), buf_slice(&again)));
}

static void check_ids(struct slice value)
{
	_cleanup_buf_ struct buf ids = BUF(2 * value.n + 1);

	while (message_id_next(&value, CARD_ID_BYTES, &ids))
		must(buf_add_char(&ids, '\n') == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	check_record(slice_from(bytes, n));
	check_message(slice_from(bytes, n));
	check_ids(slice_from(bytes, n));
	return 0;
}
