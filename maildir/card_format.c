#include "maildir/card_format.h"

#include "base/hash.h"

#include <errno.h>

/*
 *   record   = version identity flags zone sent_date internaldate rfc822_size *length *bytes
 *   length   = of each slice, in the order of slices[]; 0xFFFFFFFF: not there
 *
 * Numbers are little-endian. All bytes of the record belong to a slice, and no byte follows.
 */
enum { CARD_NUMBERS_BYTES = 4 + 8 + 4 + 4 + 8 + 8 + 8 };

/* The keys come first: what does not fit is left out from the end. */
static const size_t slices[] = {
	offsetof(struct card, base_subject),
	offsetof(struct card, cc),
	offsetof(struct card, from),
	offsetof(struct card, to),
	offsetof(struct card, display_from),
	offsetof(struct card, display_to),
	offsetof(struct card, message_id),
	offsetof(struct card, in_reply_to),
	offsetof(struct card, references),
	offsetof(struct card, envelope),
	offsetof(struct card, bodystructure),
	offsetof(struct card, fields),
	offsetof(struct card, body),
};
enum { SLICES = sizeof slices / sizeof *slices, KEYS = 9 };

static const uint32_t ABSENT = UINT32_MAX;

/*
 * What mail programs ask for when they show a list of messages or file a message: Thunderbird, Apple's (the last six
 * too), Outlook, K-9, mutt, Roundcube.
 */
static const struct slice field_names[] = {
	{ "From", 4 },
	{ "To", 2 },
	{ "Cc", 2 },
	{ "Bcc", 3 },
	{ "Subject", 7 },
	{ "Date", 4 },
	{ "Message-ID", 10 },
	{ "References", 10 },
	{ "In-Reply-To", 11 },
	{ "Reply-To", 8 },
	{ "Sender", 6 },
	{ "Newsgroups", 10 },
	{ "MIME-Version", 12 },
	{ "Content-Type", 12 },
	{ "Content-Transfer-Encoding", 25 },
	{ "Content-Description", 19 },
	{ "Priority", 8 },
	{ "X-Priority", 10 },
	{ "X-MSMail-Priority", 17 },
	{ "Importance", 10 },
	{ "Lines", 5 },
	{ "List-Id", 7 },
	{ "List-Post", 9 },
	{ "List-Subscribe", 14 },
	{ "List-Unsubscribe", 16 },
	{ "List-Unsubscribe-Post", 21 },
	{ "Mail-Followup-To", 16 },
	{ "Mail-Reply-To", 13 },
	{ "Followup-To", 11 },
	{ "Return-Path", 11 },
	{ "Delivered-To", 12 },
	{ "X-Original-To", 13 },
	{ "X-Label", 7 },
	{ "X-Keywords", 10 },
	{ "Disposition-Notification-To", 27 },
	{ "X-Draft-Info", 12 },
	{ "X-Identity-Key", 14 },
	{ "X-Mailer", 8 },
	{ "User-Agent", 10 },
	{ "X-Spam-Flag", 11 },
	{ "X-Spam-Status", 13 },
	{ "X-K9mail-Identity", 17 },
	{ "Chat-Version", 12 },
	{ "Autocrypt-Setup-Message", 23 },
	{ "X-Uniform-Type-Identifier", 25 },
	{ "X-Universally-Unique-Identifier", 31 },
	{ "BIMI-Indicator", 14 },
	{ "BIMI-Location", 13 },
	{ "X-BIMI-Indicator-Hash", 21 },
	{ "Authentication-Results", 22 },
	{ "DKIM-Signature", 14 },
};
enum { FIELD_NAMES = sizeof field_names / sizeof *field_names };

uint64_t card_identity(uint32_t uidvalidity, struct slice base)
{
	uint8_t key[HASH_KEY_BYTES] = "restante card";

	memcpy(key + HASH_KEY_BYTES - sizeof uidvalidity, &uidvalidity, sizeof uidvalidity);
	return hash_siphash(key, base);
}

bool card_has_field(struct slice name)
{
	for (size_t i = 0; i < FIELD_NAMES; i++)
		if (slice_equal_nocase(name, field_names[i]))
			return true;
	return false;
}

bool card_has_fields(const struct slice *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!card_has_field(names[i]))
			return false;
	return true;
}

static const struct slice *slice_at(const struct card *card, size_t i)
{
	return (const struct slice *)((const char *)card + slices[i]);
}

static int put_number(struct buf *out, uint64_t number, unsigned bytes)
{
	char text[8];

	for (unsigned i = 0; i < bytes; i++)
		text[i] = (char)(number >> (8 * i));
	return buf_add(out, slice_from(text, bytes));
}

static uint64_t take_number(struct slice *in, unsigned bytes)
{
	struct slice taken = slice_take(in, bytes);
	uint64_t number = 0;

	for (unsigned i = 0; i < bytes; i++)
		number |= (uint64_t)(uint8_t)taken.p[i] << (8 * i);
	return number;
}

static int put_numbers(const struct card *card, uint64_t identity, struct buf *out)
{
	const struct {
		uint64_t number;
		unsigned bytes;
	} numbers[] = {
		{ CARD_VERSION, 4 },
		{ identity, 8 },
		{ card->flags, 4 },
		{ (uint32_t)card->sent_zone_minutes, 4 },
		{ (uint64_t)card->sent_date, 8 },
		{ (uint64_t)card->internaldate, 8 },
		{ card->rfc822_size, 8 },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof numbers / sizeof *numbers; i++)
		r = put_number(out, numbers[i].number, numbers[i].bytes);
	return r;
}

/* Decide what the record holds: whether[] of each slice. Returns false if not even the keys fit. */
static bool choose(const struct card *card, bool whether[SLICES])
{
	size_t bytes = CARD_NUMBERS_BYTES + 4 * SLICES;

	for (size_t i = 0; i < SLICES; i++) {
		size_t n = slice_at(card, i)->n;

		whether[i] = slice_at(card, i)->p && n <= CARD_MAX_BYTES - bytes;
		if (whether[i])
			bytes += n;
		else if (i < KEYS && n > 0)
			return false;
	}
	return true;
}

int card_pack(const struct card *card, uint64_t identity, struct buf *out)
{
	size_t before = out->n;
	bool whether[SLICES];

	if (!choose(card, whether))
		return -ENOBUFS;

	int r = put_numbers(card, identity, out);

	for (size_t i = 0; r == 0 && i < SLICES; i++)
		r = put_number(out, whether[i] ? slice_at(card, i)->n : ABSENT, 4);
	for (size_t i = 0; r == 0 && i < SLICES; i++)
		if (whether[i])
			r = buf_add(out, *slice_at(card, i));
	if (r < 0)
		buf_truncate(out, before);
	return r;
}

static bool unpack_numbers(struct slice *in, uint64_t identity, struct card *card)
{
	if (take_number(in, 4) != CARD_VERSION || take_number(in, 8) != identity)
		return false;
	card->flags = (uint32_t)take_number(in, 4);
	card->sent_zone_minutes = (int32_t)take_number(in, 4);
	card->sent_date = (int64_t)take_number(in, 8);
	card->internaldate = (int64_t)take_number(in, 8);
	card->rfc822_size = take_number(in, 8);
	return true;
}

/* A key that is not there is empty, and what is empty has an address all the same: p says whether it is there. */
static struct slice take_slice(struct slice *bytes, size_t n)
{
	struct slice taken = slice_take(bytes, n);

	return n > 0 ? taken : SLICE("");
}

bool card_unpack(struct slice record, uint64_t identity, struct card *ret_card)
{
	struct card card = { 0 };

	if (record.n < CARD_NUMBERS_BYTES + 4 * SLICES || record.n > CARD_MAX_BYTES ||
		!unpack_numbers(&record, identity, &card))
		return false;

	struct slice lengths = slice_take(&record, 4 * SLICES);

	for (size_t i = 0; i < SLICES; i++) {
		uint64_t n = take_number(&lengths, 4);

		if (n != ABSENT && n > record.n)
			return false;
		if (n != ABSENT || i < KEYS)
			*(struct slice *)((char *)&card + slices[i]) =
				take_slice(&record, n == ABSENT ? 0 : (size_t)n);
	}
	if (record.n > 0)
		return false;
	*ret_card = card;
	return true;
}
