/* card.h - cards of messages: kept in the index, made on first need in one pass over the message. */
#pragma once

#include "maildir/card_format.h"
#include "maildir/mailbox.h"
#include "maildir/objectid.h"

/*
 * A card is a cache: without an index the last few are kept in memory, and others are made again.
 *
 * Assumed: a file of that base name, in that mailbox, under that UID, has the same bytes and the same mtime for ever
 * (a Maildir is never written in place). A program that breaks this is seen only when the index is rebuilt.
 */

/*
 * The card of a message; read from the message's file where there is none yet.
 * Returns 0; -ENOENT: the message is gone; -EINPROGRESS as struct work; -ESTALE: the file shrank meanwhile; -errno.
 * Valid   until the next call into the mailbox, or store_rest().
 */
_must_check_ int mailbox_card(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card);

/*
 * The same where only what the header says is wanted (all but structure, size and attachments): of a large message
 * without a card no more than the header is read, and CARD_HEADER_ONLY is set.
 */
_must_check_ int mailbox_card_of_header(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct card *ret_card);

/* The same if it is there already (perhaps CARD_HEADER_ONLY): opens no file, costs no budget. Returns 0 or -ENOENT. */
_must_check_ int mailbox_card_known(
	struct mailbox *mailbox, uint32_t msg_uid, struct card *ret_card);

/*
 * Make the cards of n messages where they are missing; messages that are gone or cannot be read are passed over.
 * uids ascending; done: cursor, 0 at first, kept from call to call until 0 is returned.
 * Returns as struct work says.
 */
_must_check_ int mailbox_cards_fill(
	struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work);

/*
 * The beginning of a message's text, for a list of messages: preview.h. "" if there is none to be shown.
 * Returns 0; -ENOENT; -EINPROGRESS as struct work; -ESTALE; -errno.
 * Valid   until the next call into the mailbox, or store_rest().
 * RFC     8970.
 */
_must_check_ int mailbox_preview(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, struct slice *ret_text);

/* The same if it is known already (RFC 8970, LAZY): opens no file. Returns 0 or -ENOENT. */
_must_check_ int mailbox_preview_known(
	struct mailbox *mailbox, uint32_t msg_uid, struct slice *ret_text);

/*
 * OBJECTID (RFC 8474). The same in all mailboxes, after any loss of the index, and on any host.
 *
 * MAILBOXID  the mailbox's GUID, which stays when it is renamed; of a mailbox that cannot have one (it may not be
 *            written, and no server ever did) an id of its name. After mailbox_sync().
 * EMAILID    of the message's GUID: the same for copies and moved messages, other for any other message.
 * THREADID   of the first id of References, else of In-Reply-To, else Message-ID; a message without any is alone.
 *
 * All write a NUL-terminated string; return 0, or -ENOENT: there is no such message. SAVEDATE (RFC 8514) is mailbox_savedate().
 */
void mailbox_mailboxid(const struct mailbox *mailbox, char ret_id[OBJECTID_BYTES]);
_must_check_ int mailbox_emailid(
	struct mailbox *mailbox, uint32_t msg_uid, char ret_id[OBJECTID_BYTES]);
_must_check_ int mailbox_threadid(struct mailbox *mailbox, uint32_t msg_uid,
	const struct card *card, char ret_id[OBJECTID_BYTES]);
