/* digest_format.h - digests: of the cards of a chunk of messages what SORT and SEARCH mostly look at, in one record. Pure. */
#pragma once

#include "maildir/card_format.h"

enum {
	DIGESTS_MAX = 1 << 8, /* messages of one chunk (index.h, INDEX_CHUNK_SHIFT) */
	DIGEST_TEXTS = 7,
	DIGEST_TEXT_BYTES = 2048, /* of one message; fields that make it more are left out, then there is no digest */
	DIGESTS_MAX_BYTES = 1024 * 1024,
};

/* One message, as it stands in the record. Texts follow each other. */
struct digest {
	uint32_t msg_uid;
	uint32_t hash; /* of the file's base name, under the key of struct digests_origin */
	uint32_t flags; /* enum card_flag */
	int32_t sent_zone_minutes;
	int64_t sent_date, internaldate;
	uint64_t rfc822_size;
	uint32_t at; /* in bytes */
	uint16_t text_bytes[DIGEST_TEXTS];
	uint8_t has_fields, unused[5];
};
_Static_assert(sizeof(struct digest) == 64, "bytes between the members");

/* What UIDs and hashes mean: records of another origin are about other messages, perhaps. */
struct digests_origin {
	uint32_t uidvalidity;
	uint8_t hash_key[16];
};

/* Those of one chunk, ascending by UID. All zeros (but for the origin): none. */
struct digests {
	struct digests_origin origin;
	struct digest entries[DIGESTS_MAX];
	size_t n;
	struct buf bytes; /* of texts, also of those that were replaced */
};

/* Begin without any, of that origin. digests was zeroed or used before. */
void digests_begin(struct digests *digests, const struct digests_origin *origin);
void digests_done(struct digests *digests);

/*
 * Read a record of any bytes, in place of what is there.
 * chunk    the leading bits of its messages' UIDs
 * Returns  false: it is none, of another version, chunk or origin; there is nothing then.
 */
bool digests_parse(struct digests *digests, struct slice record, uint32_t chunk);

/* Append the record. Returns 0 or -ENOBUFS. */
_must_check_ int digests_format(const struct digests *digests, struct buf *out);

/* The place of the first message whose UID is not below msg_uid. */
size_t digests_place(const struct digests *digests, uint32_t msg_uid);

/*
 * The card as far as a digest has it: numbers and sort keys; of the fields those of digest_has_field(), or NULL. All else is
 * NULL. Valid until digests changes.
 */
void digests_card(const struct digests *digests, size_t place, struct card *ret_card);

/* Whether fields of that name are in card.fields of a digest: those with search keys of their own. */
bool digest_has_field(struct slice name);

/* Put a message of the chunk, in place of what is known of it, unless its texts are too long. */
void digests_put(struct digests *digests, uint32_t msg_uid, uint32_t hash, const struct card *card);

/* Returns whether it was there. */
bool digests_remove(struct digests *digests, uint32_t msg_uid);
