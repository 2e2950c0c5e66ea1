#include "server/imap/fetch_card.h"

#include "base/must.h"
#include "maildir/message/preview.h"

#include <errno.h>

struct buf fetch_card_buf(void)
{
	return BUF(CARD_MAX_BYTES + PREVIEW_TEXT_BYTES);
}

/*
 * The card is the store's until the next call: the response may take many steps, and needs a copy. Room for all was
 * reserved, so that what is copied stays where it is.
 */
static struct slice keep(struct buf *bytes, struct slice s)
{
	if (!s.p)
		return s;

	size_t at = bytes->n;

	must(buf_add(bytes, s) == 0);
	return slice_from(bytes->p + at, s.n);
}

int fetch_card_take(struct fetch_card *card, struct mailbox *mailbox, uint32_t msg_uid, bool whole,
	struct work *work)
{
	struct card found;
	int r = whole ? mailbox_card(mailbox, msg_uid, work, &found)
		      : mailbox_card_of_header(mailbox, msg_uid, work, &found);

	if (r < 0)
		return r;
	buf_clear(&card->bytes);
	must(buf_reserve(&card->bytes, found.envelope.n + found.body.n + found.bodystructure.n +
					       found.fields.n + PREVIEW_TEXT_BYTES));
	card->known = true;
	card->envelope = keep(&card->bytes, found.envelope);
	card->body = keep(&card->bytes, found.body);
	card->bodystructure = keep(&card->bytes, found.bodystructure);
	card->fields = keep(&card->bytes, found.fields);
	return mailbox_threadid(mailbox, msg_uid, &found, card->threadid);
}

int fetch_card_take_preview(struct fetch_card *card, struct mailbox *mailbox, uint32_t msg_uid,
	bool only_known, struct work *work)
{
	struct slice text;
	int r = only_known ? mailbox_preview_known(mailbox, msg_uid, &text)
			   : mailbox_preview(mailbox, msg_uid, work, &text);

	if (only_known && r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (!card->known) {
		buf_clear(&card->bytes);
		must(buf_reserve(&card->bytes, PREVIEW_TEXT_BYTES));
	}
	card->preview = text.n > 0 ? keep(&card->bytes, text) : SLICE("");
	return 0;
}
