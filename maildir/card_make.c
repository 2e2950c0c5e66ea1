#include "maildir/card_make.h"

#include "base/must.h"
#include "base/utf8.h"
#include "maildir/message/address.h"
#include "maildir/message/bodystructure.h"
#include "maildir/message/casemap.h"
#include "maildir/message/date.h"
#include "maildir/message/envelope.h"
#include "maildir/message/header.h"
#include "maildir/message/message_id.h"
#include "maildir/message/rfc2047.h"
#include "maildir/message/subject.h"

#include <errno.h>

/*
 * Of a raw value no more is looked at than a key can need: an encoded word may take twelve bytes for one of text,
 * and addresses have comments and folding.
 */
enum { VALUE_BYTES = 16 * 1024, SCRATCH_BYTES = 8 * VALUE_BYTES };

/* What was made, in the arena, and never NULL. */
static struct slice keep(struct arena *arena, struct slice made)
{
	return made.n > 0 ? arena_copy(arena, made) : SLICE("");
}

/* At most n bytes of valid UTF-8, whole characters. */
static struct slice cut_at_character(struct slice utf8, size_t n)
{
	struct slice s = slice_head(utf8, n);

	while (s.n > 0 && s.n < utf8.n && ((uint8_t)utf8.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

/* Text in the form in which it is compared. */
static struct slice key_of(struct slice utf8, struct arena *arena)
{
	_cleanup_buf_ struct buf folded = BUF(CARD_KEY_BYTES * CASEMAP_GROWTH);

	must(casemap_append(cut_at_character(utf8, CARD_KEY_BYTES), &folded) == 0);
	return keep(arena, buf_slice(&folded));
}

/* The value of the first field of that name; empty if there is none. */
static struct slice value_of(const struct card_source *source, struct slice name)
{
	return slice_head(header_find(source->root->envelope_fields, name), VALUE_BYTES);
}

static struct slice decoded_key(struct slice raw, struct arena *arena)
{
	_cleanup_buf_ struct buf text = BUF(SCRATCH_BYTES);

	return rfc2047_decode(raw, &text) == 0 ? key_of(slice_trim(buf_slice(&text)), arena)
					       : SLICE("");
}

/* RFC 5957 section 3. */
static struct slice display_key(const struct mail_address *a, struct arena *arena)
{
	if (a->name.n > 0) {
		struct slice key = decoded_key(a->name, arena);

		if (key.n > 0)
			return key;
	}
	if (a->kind == MAIL_ADDRESS && a->mailbox.p && a->domain.p)
		return decoded_key(arena_format(arena, "%.*s@%.*s", SLICE_FMT(a->mailbox),
					   SLICE_FMT(a->domain)),
			arena);
	return decoded_key(a->mailbox, arena);
}

/* The keys of the first address of a field. ret_display may be NULL. */
static void make_address_keys(struct slice value, struct arena *arena, struct slice *ret_mailbox,
	struct slice *ret_display)
{
	_cleanup_arena_ struct arena addresses = { 0 };
	const struct mail_address *a = mail_address_parse(value, &addresses);

	*ret_mailbox = a ? decoded_key(a->mailbox, arena) : SLICE("");
	if (ret_display)
		*ret_display = a ? display_key(a, arena) : SLICE("");
}

static void make_sort_keys(const struct card_source *source, struct arena *arena, struct card *card)
{
	_cleanup_buf_ struct buf subject = BUF(SCRATCH_BYTES);
	bool is_reply = false;

	make_address_keys(value_of(source, SLICE("From")), arena, &card->from, &card->display_from);
	make_address_keys(value_of(source, SLICE("To")), arena, &card->to, &card->display_to);
	make_address_keys(value_of(source, SLICE("Cc")), arena, &card->cc, NULL);
	if (subject_base(value_of(source, SLICE("Subject")), &subject, &is_reply) < 0)
		buf_clear(&subject);
	card->base_subject = key_of(buf_slice(&subject), arena);
	card->flags |= is_reply ? CARD_IS_REPLY : 0;
}

static void make_dates(const struct card_source *source, struct card *card)
{
	card->internaldate = card->sent_date = source->internaldate;
	if (date_parse_rfc5322(
		    value_of(source, SLICE("Date")), &card->sent_date, &card->sent_zone_minutes))
		card->flags |= CARD_HAS_SENT_DATE;
}

static struct slice first_id(struct slice value, struct arena *arena)
{
	_cleanup_buf_ struct buf id = BUF(CARD_ID_BYTES);

	return message_id_next(&value, CARD_ID_BYTES, &id) ? keep(arena, buf_slice(&id))
							   : SLICE("");
}

/*
 * All ids of References. Of a thread longer than CARD_REFERENCES_BYTES the first stays, which names the thread, and those
 * after it go: the latest are the ones a reply hangs on.
 */
static struct slice all_ids(struct slice value, struct arena *arena)
{
	_cleanup_buf_ struct buf ids = BUF(CARD_REFERENCES_BYTES + CARD_ID_BYTES + 1);
	size_t first = 0;

	while (message_id_next(&value, CARD_ID_BYTES, &ids)) {
		must(buf_add_char(&ids, '\n') == 0);
		if (first == 0)
			first = ids.n;
		while (ids.n > CARD_REFERENCES_BYTES) {
			struct slice rest = slice_tail(buf_slice(&ids), first);
			size_t second = (size_t)slice_find(rest, '\n') + 1;

			memmove(ids.p + first, ids.p + first + second, rest.n - second);
			buf_truncate(&ids, ids.n - second);
		}
	}
	return keep(arena, buf_slice(&ids));
}

static void make_thread_keys(
	const struct card_source *source, struct arena *arena, struct card *card)
{
	struct slice references = header_find(source->root->envelope_fields, SLICE("References"));

	card->message_id = first_id(value_of(source, SLICE("Message-ID")), arena);
	card->in_reply_to = first_id(value_of(source, SLICE("In-Reply-To")), arena);
	card->references = all_ids(references, arena);
}

/* What the reader of a mail program takes for an attachment: marked as one, or named, or no text that is shown. */
static bool is_attachment(const struct mime_part *part)
{
	bool named = mime_param_value(part->disposition_params, SLICE("filename")).p ||
		     mime_param_value(part->params, SLICE("name")).p;
	bool shown = !part->disposition.p || slice_equal_nocase(part->disposition, SLICE("inline"));

	if (part->kind == MIME_MULTIPART)
		return false;
	if (slice_equal_nocase(part->disposition, SLICE("attachment")))
		return true;
	if (part->kind == MIME_TEXT)
		return named && !shown;
	if (part->id.p && slice_equal_nocase(mime_type(part), SLICE("image")))
		return false; /* a picture of the text */
	return part->kind == MIME_MESSAGE || named ||
	       !slice_equal_nocase(mime_type(part), SLICE("message"));
}

/* Recursive, but never deeper than LIMIT_MIME_DEPTH. Embedded messages are attachments themselves: not looked into. */
static bool has_attachment(const struct mime_part *part)
{
	if (is_attachment(part))
		return true;
	for (const struct mime_part *child = part->children; child; child = child->next)
		if (has_attachment(child))
			return true;
	return false;
}

static void make_structure(const struct card_source *source, struct arena *arena, struct card *card)
{
	_cleanup_buf_ struct buf text = BUF(CARD_MAX_BYTES);

	card->rfc822_size = mime_octets(source->root);
	if (has_attachment(source->root))
		card->flags |= CARD_HAS_ATTACHMENT;
	if (bodystructure_format(source->root, true, &text) == 0)
		card->bodystructure = keep(arena, buf_slice(&text));
	buf_clear(&text);
	if (bodystructure_format(source->root, false, &text) == 0)
		card->body = keep(arena, buf_slice(&text));
}

static void make_envelope(struct slice header, struct arena *arena, struct card *card)
{
	_cleanup_buf_ struct buf text = BUF(CARD_MAX_BYTES);

	if (envelope_format(header, &text) == 0)
		card->envelope = keep(arena, buf_slice(&text));
}

static void make_fields(struct slice header, struct arena *arena, struct card *card)
{
	_cleanup_buf_ struct buf text = BUF(CARD_MAX_BYTES);
	struct header_field field;

	while (header_next(&header, &field))
		if (card_has_field(field.name) &&
			header_select(field.raw, &field.name, 1, false, false, &text) < 0)
			return;
		else if (card_has_field(field.name))
			buf_truncate(&text, text.n - 2); /* the empty line behind the field */
	card->fields = keep(arena, buf_slice(&text));
}

void card_make(const struct card_source *source, struct arena *arena, struct card *ret_card)
{
	struct card card = { .flags = source->header_only ? CARD_HEADER_ONLY : 0 };

	make_dates(source, &card);
	make_sort_keys(source, arena, &card);
	make_thread_keys(source, arena, &card);
	if (source->header.p) {
		make_envelope(source->header, arena, &card);
		make_fields(source->header, arena, &card);
	}
	if (!source->header_only)
		make_structure(source, arena, &card);
	*ret_card = card;
}
