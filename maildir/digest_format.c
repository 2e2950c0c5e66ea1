#include "maildir/digest_format.h"

#include "base/must.h"
#include "maildir/index.h"
#include "maildir/message/header.h"

#include <errno.h>

/*
 *   record  = head *digest *byte
 *
 * Numbers are in this machine's order: an index never leaves it. The bytes are those of the digests' texts, one behind the
 * other, as each digest says.
 */
struct digests_head {
	uint32_t version, n, bytes;
	struct digests_origin origin;
};
_Static_assert(sizeof(struct digests_head) == 32, "bytes between the members");

enum { DIGEST_VERSION = 1 << 16 | CARD_VERSION };

/* As in text_bytes[]. */
static const size_t texts[DIGEST_TEXTS] = {
	offsetof(struct card, base_subject),
	offsetof(struct card, cc),
	offsetof(struct card, from),
	offsetof(struct card, to),
	offsetof(struct card, display_from),
	offsetof(struct card, display_to),
	offsetof(struct card, fields),
};
enum { FIELDS = DIGEST_TEXTS - 1 };

static const struct slice field_names[] = {
	{ "From", 4 },
	{ "To", 2 },
	{ "Cc", 2 },
	{ "Bcc", 3 },
	{ "Subject", 7 },
};
enum { FIELD_NAMES = sizeof field_names / sizeof *field_names };

void digests_begin(struct digests *digests, const struct digests_origin *origin)
{
	digests->origin = *origin;
	digests->n = 0;
	digests->bytes.max_bytes = DIGESTS_MAX_BYTES;
	buf_clear(&digests->bytes);
}

void digests_done(struct digests *digests)
{
	buf_done(&digests->bytes);
}

static size_t bytes_of(const struct digest *digest)
{
	size_t bytes = 0;

	for (size_t i = 0; i < DIGEST_TEXTS; i++)
		bytes += digest->text_bytes[i];
	return bytes;
}

static bool are_valid(const struct digest *digests, const struct digests_head *head, uint32_t chunk)
{
	size_t at = 0;

	for (uint32_t i = 0; i < head->n; i++) {
		const struct digest *d = &digests[i];

		if (d->msg_uid >> INDEX_CHUNK_SHIFT != chunk ||
			(i > 0 && d->msg_uid <= digests[i - 1].msg_uid) || d->at != at ||
			d->has_fields > 1 || (!d->has_fields && d->text_bytes[FIELDS] > 0))
			return false;
		at += bytes_of(d);
	}
	return at == head->bytes;
}

bool digests_parse(struct digests *digests, struct slice record, uint32_t chunk)
{
	const struct digests_origin origin = digests->origin;
	struct digests_head head;
	size_t entries_bytes;

	digests_begin(digests, &origin);
	if (record.n < sizeof head || record.n > DIGESTS_MAX_BYTES)
		return false;
	memcpy(&head, record.p, sizeof head);
	entries_bytes = head.n * sizeof *digests->entries;
	if (head.version != DIGEST_VERSION || head.n > DIGESTS_MAX ||
		memcmp(&head.origin, &origin, sizeof origin) != 0 ||
		record.n != sizeof head + entries_bytes + head.bytes)
		return false;
	memcpy(digests->entries, record.p + sizeof head, entries_bytes);
	if (!are_valid(digests->entries, &head, chunk))
		return false;
	must(buf_add(&digests->bytes, slice_tail(record, sizeof head + entries_bytes)) == 0);
	digests->n = head.n;
	return true;
}

int digests_format(const struct digests *digests, struct buf *out)
{
	struct digests_head head = {
		.version = DIGEST_VERSION, .n = (uint32_t)digests->n, .origin = digests->origin
	};
	size_t before = out->n;
	int r;

	for (size_t i = 0; i < digests->n; i++)
		head.bytes += (uint32_t)bytes_of(&digests->entries[i]);
	r = buf_add(out, slice_from(&head, sizeof head));
	for (size_t i = 0, at = 0; r == 0 && i < digests->n; i++) {
		struct digest digest = digests->entries[i];

		digest.at = (uint32_t)at;
		at += bytes_of(&digest);
		r = buf_add(out, slice_from(&digest, sizeof digest));
	}
	for (size_t i = 0; r == 0 && i < digests->n; i++) {
		const struct digest *digest = &digests->entries[i];

		r = buf_add(out, slice_from(digests->bytes.p + digest->at, bytes_of(digest)));
	}
	if (r < 0)
		buf_truncate(out, before);
	return r;
}

size_t digests_place(const struct digests *digests, uint32_t msg_uid)
{
	size_t low = 0, high = digests->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (digests->entries[middle].msg_uid < msg_uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct slice *text_of(struct card *card, size_t i)
{
	return (struct slice *)((char *)card + texts[i]);
}

void digests_card(const struct digests *digests, size_t place, struct card *ret_card)
{
	const struct digest *digest = &digests->entries[place];
	const char *p = digests->bytes.p + digest->at;
	struct card card = {
		.flags = digest->flags,
		.sent_zone_minutes = digest->sent_zone_minutes,
		.sent_date = digest->sent_date,
		.internaldate = digest->internaldate,
		.rfc822_size = digest->rfc822_size,
	};

	for (size_t i = 0; i < DIGEST_TEXTS; p += digest->text_bytes[i++])
		*text_of(&card, i) = digest->text_bytes[i] > 0
					     ? slice_from(p, digest->text_bytes[i])
					     : SLICE("");
	if (!digest->has_fields)
		card.fields = (struct slice){ NULL, 0 };
	*ret_card = card;
}

bool digest_has_field(struct slice name)
{
	for (size_t i = 0; i < FIELD_NAMES; i++)
		if (slice_equal_nocase(name, field_names[i]))
			return true;
	return false;
}

/* Keep the texts, and note where. Returns false: they are too long, or too many. */
static bool put_texts(struct buf *bytes, const struct card *card, struct digest *digest)
{
	_cleanup_buf_ struct buf fields = BUF(DIGEST_TEXT_BYTES);
	struct card copy = *card;
	size_t n = 0;

	for (size_t i = 0; i < FIELDS; i++)
		n += text_of(&copy, i)->n;
	if (n > DIGEST_TEXT_BYTES)
		return false;
	fields.max_bytes -= n;
	copy.fields = (struct slice){ NULL, 0 };
	digest->has_fields = card->fields.p && header_select(card->fields, field_names, FIELD_NAMES,
						       false, false, &fields) == 0;
	if (digest->has_fields)
		copy.fields = buf_slice(&fields);
	digest->at = (uint32_t)bytes->n;
	for (size_t i = 0; i < DIGEST_TEXTS; i++) {
		digest->text_bytes[i] = (uint16_t)text_of(&copy, i)->n;
		if (buf_add(bytes, *text_of(&copy, i)) < 0)
			return false;
	}
	return true;
}

bool digests_remove(struct digests *digests, uint32_t msg_uid)
{
	size_t place = digests_place(digests, msg_uid);

	if (place == digests->n || digests->entries[place].msg_uid != msg_uid)
		return false;
	digests->n--;
	memmove(&digests->entries[place], &digests->entries[place + 1],
		(digests->n - place) * sizeof *digests->entries);
	return true;
}

static void insert_at(struct digests *digests, size_t place, const struct digest *digest)
{
	must(digests->n < DIGESTS_MAX);
	memmove(&digests->entries[place + 1], &digests->entries[place],
		(digests->n - place) * sizeof *digests->entries);
	digests->entries[place] = *digest;
	digests->n++;
}

void digests_put(struct digests *digests, uint32_t msg_uid, uint32_t hash, const struct card *card)
{
	size_t before = digests->bytes.n;
	struct digest digest = {
		.msg_uid = msg_uid,
		.hash = hash,
		.flags = card->flags,
		.sent_zone_minutes = card->sent_zone_minutes,
		.sent_date = card->sent_date,
		.internaldate = card->internaldate,
		.rfc822_size = card->rfc822_size,
	};

	must(digests->n == 0 || digests->entries[0].msg_uid >> INDEX_CHUNK_SHIFT ==
					msg_uid >> INDEX_CHUNK_SHIFT);
	(void)digests_remove(digests, msg_uid);
	if (put_texts(&digests->bytes, card, &digest))
		insert_at(digests, digests_place(digests, msg_uid), &digest);
	else
		buf_truncate(&digests->bytes, before);
}
