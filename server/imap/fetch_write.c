#include "server/imap/fetch_write.h"

#include "maildir/message/bodystructure.h"
#include "maildir/message/envelope.h"
#include "maildir/message/header.h"
#include "server/imap/connection.h"
#include "server/imap/flags.h"
#include "server/imap/grammar_date.h"
#include "server/imap/message_section.h"

#include <errno.h>

static unsigned needs_of_section(const struct section *section)
{
	if (section->n > 0)
		return NEED_FILE | NEED_STRUCTURE;
	switch (section->kind) {
	case SECTION_HEADER:
		return NEED_FILE | NEED_HEADER;
	case SECTION_TEXT:
		return NEED_FILE | NEED_HEADER | NEED_OCTETS;
	default:
		return NEED_FILE | NEED_OCTETS;
	}
}

/* Whether a section may be made from the card alone. */
static bool is_on_card(const struct section *section)
{
	return section->n == 0 && section->fields == FIELDS_THESE &&
	       card_has_fields(section->names, section->names_n);
}

static unsigned needs_of_item(const struct fetch_item *item)
{
	switch (item->kind) {
	case FETCH_FLAGS:
	case FETCH_UID:
	case FETCH_SAVEDATE:
		return 0;
	case FETCH_MODSEQ:
		return NEED_MODSEQ;
	case FETCH_EMAILID:
		return NEED_EMAILID;
	case FETCH_INTERNALDATE:
		return NEED_DATE;
	case FETCH_RFC822_SIZE:
		return NEED_SIZE;
	case FETCH_ENVELOPE:
	case FETCH_THREADID:
		return NEED_CARD;
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		return NEED_CARD | NEED_WHOLE_CARD;
	case FETCH_PREVIEW:
		return item->lazy ? NEED_PREVIEW_KNOWN : NEED_PREVIEW;
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		return NEED_FILE | NEED_STRUCTURE | NEED_BINARY | (item->sets_seen ? NEED_SEEN : 0);
	case FETCH_SECTION:
		return (is_on_card(&item->section) ? NEED_CARD : needs_of_section(&item->section)) |
		       (item->sets_seen ? NEED_SEEN : 0);
	}
	return 0;
}

unsigned fetch_needs(const struct fetch_arguments *arguments)
{
	unsigned needs = 0;

	for (size_t i = 0; i < arguments->n; i++)
		needs |= needs_of_item(&arguments->items[i]);
	return needs;
}

/* What an item needs that is not on the card as it should be. */
static unsigned needs_beyond(const struct fetch_item *item, const struct fetch_card *card)
{
	switch (item->kind) {
	case FETCH_ENVELOPE:
		return card->envelope.p ? 0 : NEED_FILE | NEED_HEADER;
	case FETCH_BODY:
		return card->body.p ? 0 : NEED_FILE | NEED_STRUCTURE;
	case FETCH_BODYSTRUCTURE:
		return card->bodystructure.p ? 0 : NEED_FILE | NEED_STRUCTURE;
	case FETCH_SECTION:
		return card->fields.p || !is_on_card(&item->section) ? 0 : NEED_FILE | NEED_HEADER;
	default:
		return 0;
	}
}

unsigned fetch_needs_beyond(
	const struct fetch_arguments *arguments, const struct fetch_card *card)
{
	unsigned needs = 0;

	for (size_t i = 0; i < arguments->n; i++)
		needs |= needs_beyond(&arguments->items[i], card);
	return needs;
}

static void write_flags(struct imap *imap, struct fetch_write *write)
{
	write_raw(&imap->out, SLICE("FLAGS "));
	flags_write(&imap->out, imap->mailbox, &write->message,
		connection_is_recent(imap, write->msg_uid));
}

/* A partial's share of what is there. RFC 9051 section 6.4.5. */
static void cut(const struct fetch_item *item, uint64_t *skip_octets, uint64_t *octets)
{
	*skip_octets = 0;
	if (!item->partial)
		return;
	*skip_octets = item->first_octet < *octets ? item->first_octet : *octets;
	*octets -= *skip_octets;
	if (*octets > item->octets)
		*octets = item->octets;
}

static void write_label(struct imap *imap, const struct fetch_item *item)
{
	write_raw(&imap->out, item->label);
	if (item->partial)
		write_format(&imap->out, "<%llu>", (unsigned long long)item->first_octet);
	write_raw(&imap->out, SLICE(" "));
}

/* HEADER.FIELDS and HEADER.FIELDS.NOT: made in memory, then sent like a literal of any kind. */
static enum run write_fields(struct imap *imap, struct fetch_write *write,
	const struct fetch_item *item, struct slice header)
{
	const struct section *section = &item->section;

	buf_clear(&write->text);
	if (header_select(header, section->names, section->names_n,
		    section->fields == FIELDS_NOT_THESE, true, &write->text) < 0)
		return imap_close(imap, CLOSE_LIMIT);

	uint64_t skip_octets, octets = write->text.n;

	cut(item, &skip_octets, &octets);
	write_literal(&imap->out, octets);
	write_raw(&imap->out, slice_head(slice_tail(buf_slice(&write->text), (size_t)skip_octets),
				      (size_t)octets));
	return RUN_DONE;
}

/* Of a part: its header is read. */
static enum run write_fields_of(struct imap *imap, struct fetch_write *write,
	const struct fetch_item *item, const struct stretch *stretch)
{
	_cleanup_buf_ struct buf read = BUF(LIMIT_HEADER_BYTES);

	if (item->section.n == 0)
		return write_fields(imap, write, item, buf_slice(&imap->file.header));
	if (message_file_read(&imap->file, stretch->offset, stretch->end, LIMIT_HEADER_BYTES, &read,
		    &imap->work) < 0)
		return imap_close(imap, CLOSE_MAILBOX_FAULT);
	return write_fields(imap, write, item, buf_slice(&read));
}

static enum run write_section(
	struct imap *imap, struct fetch_write *write, const struct fetch_item *item)
{
	struct stretch stretch;

	write_label(imap, item);
	if (write->card.fields.p && is_on_card(&item->section))
		return write_fields(imap, write, item, write->card.fields);
	if (!message_section_stretch(&imap->file, &item->section, &stretch)) {
		write_nstring(&imap->out, (struct slice){ NULL, 0 });
		return RUN_DONE;
	}
	if (item->section.fields != FIELDS_ALL)
		return write_fields_of(imap, write, item, &stretch);

	uint64_t skip_octets, octets = stretch.octets;

	cut(item, &skip_octets, &octets);
	write_literal(&imap->out, octets);
	write->range = (struct reader_range){
		.offset = stretch.offset,
		.end = stretch.end,
		.skip_octets = skip_octets,
		.left_octets = octets,
		.replace_nul = true,
	};
	write->sending = octets > 0;
	return RUN_DONE;
}

/* Go on sending what a literal promised. */
static enum run send_range(struct imap *imap, struct fetch_write *write)
{
	int r = reader_send(imap->file.reader, &write->range, imap->io->out,
		LIMIT_OUTPUT_HIGH_WATER_BYTES, &imap->work);

	if (r == -EINPROGRESS)
		return imap_output_full(imap) ? RUN_OUTPUT : RUN_STEP;
	if (r < 0 || write->range.left_octets > 0)
		return imap_close(
			imap, CLOSE_MAILBOX_FAULT); /* never padded: see DESIGN of the store */
	write->sending = false;
	return RUN_DONE;
}

static void write_number_item(struct imap *imap, const struct fetch_item *item, uint64_t number)
{
	write_raw(&imap->out, item->label);
	write_raw(&imap->out, SLICE(" "));
	write_number(&imap->out, number);
}

static void write_date_item(struct imap *imap, const struct fetch_item *item, int64_t seconds)
{
	char text[DATE_TIME_TEXT_BYTES];

	date_time_format(seconds, text);
	write_raw(&imap->out, item->label);
	write_raw(&imap->out, SLICE(" "));
	write_text(&imap->out, text);
}

int fetch_find_binaries(struct imap *imap, struct fetch_write *write)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;
	int r = 0;

	for (; r == 0 && write->binaries_n < a->n; write->binaries_n += r == 0) {
		const struct fetch_item *item = &a->items[write->binaries_n];

		if (item->kind == FETCH_BINARY || item->kind == FETCH_BINARY_SIZE)
			r = message_file_binary(&imap->file, item->section.numbers,
				item->section.n, &imap->work, &write->binaries[write->binaries_n]);
	}
	return r;
}

static const struct binary_facts *facts_of(const struct imap *imap,
	const struct fetch_write *write, const struct fetch_item *item)
{
	return &write->binaries[item - imap->command.arguments.fetch.items];
}

/* RFC 9051 section 7.5.2: a literal8 where NUL is in it, else a literal. */
static void write_binary(
	struct imap *imap, struct fetch_write *write, const struct fetch_item *item)
{
	const struct binary_facts *facts = facts_of(imap, write, item);
	uint64_t skip_octets, octets = facts->octets;

	write_label(imap, item);
	if (!facts->exists) {
		write_nstring(&imap->out, (struct slice){ NULL, 0 });
		return;
	}
	cut(item, &skip_octets, &octets);
	write_text(&imap->out, facts->has_nul ? "~" : "");
	write_literal(&imap->out, octets);
	if (facts->encoded) {
		write->binary_range =
			(struct binary_range){ .first = skip_octets, .left = octets };
		write->sending_binary = octets > 0;
		return;
	}
	write->range = (struct reader_range){
		.offset = facts->stretch.offset,
		.end = facts->stretch.end,
		.skip_octets = skip_octets,
		.left_octets = octets,
	};
	write->sending = octets > 0;
}

static enum run send_binary(struct imap *imap, struct fetch_write *write)
{
	struct binary_range *range = &write->binary_range;

	range->out = imap->io->out;
	range->high_water = LIMIT_OUTPUT_HIGH_WATER_BYTES;
	binary_part_open(&imap->file.binary, &write->binaries[write->item - 1]);

	int r = binary_part_send(&imap->file.binary, imap->file.reader, range, &imap->work);

	if (r == -EINPROGRESS)
		return imap_output_full(imap) ? RUN_OUTPUT : RUN_STEP;
	if (r < 0)
		return imap_close(imap, CLOSE_MAILBOX_FAULT);
	write->sending_binary = false;
	return RUN_DONE;
}

/* RFC 8514 section 4.3: NIL if it is not known. */
static void write_savedate(
	struct imap *imap, const struct fetch_write *write, const struct fetch_item *item)
{
	int64_t seconds;

	if (mailbox_savedate(imap->mailbox, write->msg_uid, &seconds) == 0)
		write_date_item(imap, item, seconds);
	else
		write_raw(&imap->out, SLICE("SAVEDATE NIL"));
}

/* RFC 8474 section 5.3. */
static void write_objectid(
	struct imap *imap, const struct fetch_write *write, const struct fetch_item *item)
{
	write_raw(&imap->out, item->label);
	write_format(&imap->out, " (%s)",
		item->kind == FETCH_THREADID ? write->card.threadid : write->card.emailid);
}

static void write_preview(struct imap *imap, const struct fetch_write *write)
{
	write_raw(&imap->out, SLICE("PREVIEW "));
	write_nstring(&imap->out, write->card.preview);
}

/*
 * Items whose value a formatter of the store's writes. A message made to have a value larger than the output may ever
 * be would shut its owner out of the mailbox: it is shown as one that says nothing of itself.
 */
static void write_formatted(
	struct imap *imap, const struct fetch_write *write, const struct fetch_item *item)
{
	struct slice on_card = item->kind == FETCH_ENVELOPE ? write->card.envelope :
			       item->kind == FETCH_BODY     ? write->card.body :
							      write->card.bodystructure;
	struct buf *out = imap->io->out;

	write_raw(&imap->out, item->label);
	write_raw(&imap->out, SLICE(" "));
	if (on_card.p) {
		write_raw(&imap->out, on_card);
	} else if (item->kind == FETCH_ENVELOPE) {
		if (envelope_format(buf_slice(&imap->file.header), out) < 0)
			write_raw(&imap->out, SLICE("(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"));
	} else if (bodystructure_format(imap->file.root, item->kind == FETCH_BODYSTRUCTURE, out) <
		   0) {
		write_format(&imap->out,
			"(\"application\" \"octet-stream\" NIL NIL NIL \"8bit\" %llu)",
			(unsigned long long)imap->file.root->body_octets);
	}
}

static enum run write_item(
	struct imap *imap, struct fetch_write *write, const struct fetch_item *item)
{
	switch (item->kind) {
	case FETCH_FLAGS:
		write_flags(imap, write);
		return RUN_DONE;
	case FETCH_UID:
		write_number_item(imap, item, write->msg_uid);
		return RUN_DONE;
	case FETCH_INTERNALDATE:
		write_date_item(imap, item, write->internaldate);
		return RUN_DONE;
	case FETCH_RFC822_SIZE:
		write_number_item(imap, item, write->rfc822_size);
		return RUN_DONE;
	case FETCH_MODSEQ:
		connection_write_modseq(imap, write->message.modseq);
		return RUN_DONE;
	case FETCH_ENVELOPE:
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		write_formatted(imap, write, item);
		return RUN_DONE;
	case FETCH_EMAILID:
	case FETCH_THREADID:
		write_objectid(imap, write, item);
		return RUN_DONE;
	case FETCH_SAVEDATE:
		write_savedate(imap, write, item);
		return RUN_DONE;
	case FETCH_PREVIEW:
		write_preview(imap, write);
		return RUN_DONE;
	case FETCH_SECTION:
		return write_section(imap, write, item);
	case FETCH_BINARY:
		write_binary(imap, write, item);
		return RUN_DONE;
	case FETCH_BINARY_SIZE:
		write_number_item(imap, item, facts_of(imap, write, item)->octets);
		return RUN_DONE;
	}
	return RUN_DONE;
}

static bool asks_for(const struct imap *imap, enum fetch_kind kind)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;

	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].kind == kind)
			return true;
	return false;
}

/* A response that tells of a change has more items than were asked for. RFC 7162 sections 3.1 and 3.2.4; 9051 section 7.5.2. */
static bool is_news(const struct imap *imap, const struct fetch_write *write)
{
	return write->seen_set || (imap->command.type->flags & COMMAND_UNASKED);
}

/* UID is part of every response to a UID FETCH (RFC 9051 section 6.4.9), and of news. */
static bool must_add_uid(const struct imap *imap, const struct fetch_write *write)
{
	if ((imap->enabled & ENABLED_UIDONLY) || asks_for(imap, FETCH_UID))
		return false;
	return (imap->command.type->flags & COMMAND_BY_UID) ||
	       (is_news(imap, write) && connection_tells_uid(imap));
}

/* Keep what must not change while the response is written. It is told now: what changes later is news. */
static void take_message(struct imap *imap, struct fetch_write *write)
{
	const struct message *message = view_message(imap->view, write->seqnum);

	write->message = message ? *message : (struct message){ .msg_uid = write->msg_uid };
	if (write->seen_set || asks_for(imap, FETCH_FLAGS))
		view_flags_told(imap->view, write->msg_uid);
}

static void begin(struct imap *imap, struct fetch_write *write)
{
	take_message(imap, write);
	connection_write_fetch(imap, write->seqnum, write->msg_uid);
	if (must_add_uid(imap, write)) {
		write_raw(&imap->out, SLICE("UID "));
		write_number(&imap->out, write->msg_uid);
		write_raw(&imap->out, SLICE(" "));
	}
	write->begun = true;
	imap->mid_response = true;
}

static void finish(struct imap *imap, struct fetch_write *write)
{
	if (write->seen_set && !asks_for(imap, FETCH_FLAGS)) {
		write_raw(&imap->out, SLICE(" "));
		write_flags(imap, write);
	}
	if (is_news(imap, write) && connection_tells_modseq(imap) && !asks_for(imap, FETCH_MODSEQ)) {
		write_raw(&imap->out, SLICE(" "));
		connection_write_modseq(imap, write->message.modseq);
	}
	write_raw(&imap->out, SLICE(")\r\n"));
	imap->mid_response = false;
}

enum run fetch_write(struct imap *imap, struct fetch_write *write)
{
	const struct fetch_arguments *a = &imap->command.arguments.fetch;

	if (!write->begun)
		begin(imap, write);
	for (;;) {
		enum run run = write->sending	       ? send_range(imap, write)
			       : write->sending_binary ? send_binary(imap, write)
						       : RUN_DONE;

		if (run != RUN_DONE)
			return run;
		if (write->item == a->n)
			break;
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (write->item > 0)
			write_raw(&imap->out, SLICE(" "));
		run = write_item(imap, write, &a->items[write->item++]);
		if (run != RUN_DONE)
			return run;
	}
	finish(imap, write);
	return RUN_DONE;
}
