/* card_format.h - a card: what is derived from one message and often asked for; and its record in the index. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

enum card_flag {
	CARD_HAS_SENT_DATE = 1 << 0, /* a Date field that can be read */
	CARD_IS_REPLY = 1 << 1, /* the subject says reply or forward: RFC 5256 section 3, step 6 */
	CARD_HAS_ATTACHMENT = 1 << 2, /* a part that is one to its reader */
	CARD_HEADER_ONLY =
		1
		<< 3, /* made without reading the body: no structure, no size, attachments are not known */
};

/*
 * Slices whose p is NULL are not on the card: the message was too large for it, and must be read. Of the keys, one
 * that the message does not have is empty, never NULL.
 */
struct card {
	uint32_t flags;            /* enum card_flag */
	int32_t sent_zone_minutes; /* of the Date field, east of Greenwich */
	int64_t sent_date; /* seconds since 1970 UTC; without CARD_HAS_SENT_DATE internaldate (RFC 5256 section 2.2) */
	int64_t internaldate;
	uint64_t rfc822_size; /* 0 with CARD_HEADER_ONLY */

	/* Values of FETCH items, ready to send. */
	struct slice envelope, bodystructure, body;
	/* The fields of card_has_field() with CRLF line ends, in the order of the header; NULs as they are. For header_select(). */
	struct slice fields;

	/*
	 * What SORT compares, by bytes (slice_compare()): in the form of i;unicode-casemap. From CARD_KEY_BYTES of text on
	 * it is cut off.
	 * Of the first address: the mailbox ("FROM", ...; RFC 5256 section 3), or what DISPLAYFROM means (RFC 5957 section 3).
	 */
	struct slice base_subject, cc, from, to, display_from, display_to;

	/* What THREAD compares: message-ids without <>, in their normal form (RFC 5256 section 3). */
	struct slice message_id;
	struct slice in_reply_to; /* the first one there */
	struct slice
		references; /* all, the oldest first, each followed by LF; of too many the first and the latest */
};

enum {
	CARD_VERSION = 1, /* of the record, and of what the sort keys of a message are */
	CARD_KEY_BYTES = 500, /* of text a sort key is made from */
	CARD_ID_BYTES = 1000, /* a longer message-id is cut off */
	CARD_REFERENCES_BYTES = 16 * 1024,
	CARD_MAX_BYTES =
		64 * 1024, /* of a record; what does not fit is left out: FETCH items first */
};

/*
 * Which file a record is about: UIDs mean nothing without the mailbox's UIDVALIDITY, and a base name is for one file.
 * A card's record carries it inside, a preview's are these bytes, then the text.
 */
uint64_t card_identity(uint32_t uidvalidity, struct slice base);

/* Whether a field of that name is among card.fields. */
bool card_has_field(struct slice name);

/* Whether all of n are. */
bool card_has_fields(const struct slice *names, size_t n);

/*
 * Append the record. identity: of the file the card is about (card.h). FETCH items that do not fit are left out.
 * Returns 0; -ENOBUFS: it does not fit into out, or the keys are beyond CARD_MAX_BYTES; out is as before.
 */
_must_check_ int card_pack(const struct card *card, uint64_t identity, struct buf *out);

/*
 * Read a record, of any bytes.
 * Returns false: it is no record, of another version, or of another file: to be made again.
 * Valid   slices point into the record.
 */
bool card_unpack(struct slice record, uint64_t identity, struct card *ret_card);
