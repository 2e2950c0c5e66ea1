#include "server/imap/url_source.h"

#include "base/must.h"
#include "maildir/message/header.h"
#include "server/imap/message_section.h"

#include <errno.h>
#include <stdlib.h>

struct url_source {
	const struct imap_url *url;
	struct mailbox *mailbox;
	struct message_file file;
	struct reader_range range; /* but where text has the octets */
	struct buf text;           /* chosen header fields */
	uint64_t round; /* of mailbox_sync_anew() */
	bool synced;
};

int url_source_open(struct store *store, struct slice name, const struct imap_url *url,
	struct url_source **ret_source)
{
	struct mailbox *mailbox;
	int r = mailbox_open(store, name, &mailbox);

	if (r < 0)
		return r;

	struct url_source *source = calloc(1, sizeof *source);

	must(source != NULL);
	source->url = url;
	source->mailbox = mailbox;
	source->text = BUF(2 * LIMIT_HEADER_BYTES + 2); /* every LF may become CRLF */
	*ret_source = source;
	return 0;
}

void url_source_free(struct url_source *source)
{
	message_file_close(&source->file);
	mailbox_close(source->mailbox);
	buf_done(&source->text);
	free(source);
}

/* The message, if it is there. */
static int open_message(struct url_source *source, struct work *work)
{
	const struct imap_url *url = source->url;
	int r = source->synced ? 0 : mailbox_sync_anew(source->mailbox, &source->round, work);

	if (r < 0)
		return r == -ESTALE ? -ENOENT : r;
	source->synced = true;
	if (url->uidvalidity > 0 && url->uidvalidity != mailbox_uidvalidity(source->mailbox))
		return -ENOENT;
	if (!source->file.reader && !mailbox_message(source->mailbox, url->msg_uid))
		return -ENOENT;
	return message_file_open(&source->file, source->mailbox, url->msg_uid);
}

/* HEADER.FIELDS, HEADER.FIELDS.NOT. */
static int choose_fields(
	struct url_source *source, const struct stretch *stretch, struct work *work)
{
	_cleanup_buf_ struct buf header = BUF(LIMIT_HEADER_BYTES);
	const struct section *section = &source->url->section;
	int r = message_file_read(&source->file, stretch->offset, stretch->end, LIMIT_HEADER_BYTES,
		&header, work);

	return r < 0 ? r
		     : header_select(buf_slice(&header), section->names, section->names_n,
			       section->fields == FIELDS_NOT_THESE, false, &source->text);
}

/* A partial's share of what is there. RFC 9051 section 6.4.5. */
static void cut(const struct imap_url *url, uint64_t *skip_octets, uint64_t *octets)
{
	*skip_octets = 0;
	if (!url->partial)
		return;
	*skip_octets = url->first_octet < *octets ? url->first_octet : *octets;
	*octets -= *skip_octets;
	if (*octets > url->octets)
		*octets = url->octets;
}

int url_source_find(struct url_source *source, struct work *work, uint64_t *ret_octets)
{
	const struct imap_url *url = source->url;
	bool fields = url->section.fields != FIELDS_ALL;
	struct stretch stretch;
	uint64_t skip_octets, octets;
	int r = open_message(source, work);

	if (r == 0)
		r = message_section_find(&source->file, &url->section, work, &stretch);
	if (r == 0 && fields)
		r = choose_fields(source, &stretch, work);
	if (r < 0)
		return r;
	octets = fields ? source->text.n : stretch.octets;
	cut(url, &skip_octets, &octets);
	if (fields) {
		buf_consume(&source->text, (size_t)skip_octets);
		buf_truncate(&source->text, (size_t)octets);
	} else {
		source->range = (struct reader_range){ .offset = stretch.offset,
			.end = stretch.end,
			.skip_octets = skip_octets,
			.left_octets = octets };
	}
	*ret_octets = octets;
	return 0;
}

static int read_text(struct url_source *source, struct buf *out, size_t high_water)
{
	size_t room = out->n < high_water ? high_water - out->n : 0;
	struct slice some = slice_head(buf_slice(&source->text), room);
	int r = buf_add(out, some);

	if (r < 0)
		return r;
	buf_consume(&source->text, some.n);
	return source->text.n > 0 ? -EINPROGRESS : 0;
}

int url_source_read(
	struct url_source *source, struct buf *out, size_t high_water, struct work *work)
{
	if (source->url->section.fields != FIELDS_ALL)
		return read_text(source, out, high_water);

	int r = reader_send(source->file.reader, &source->range, out, high_water, work);

	return r == 0 && source->range.left_octets > 0 ? -ESTALE : r;
}
