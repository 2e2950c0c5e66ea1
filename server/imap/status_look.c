#include "server/imap/status_look.h"

#include "base/must.h"
#include "maildir/card.h"
#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

#include <errno.h>

/* A glance knows no sizes that were never counted, nor those of the \Deleted messages. */
static bool tells_all(const struct status_look *look)
{
	return (!(look->items & STATUS_SIZE) || look->facts.unsized == 0) &&
	       (!(look->items & STATUS_DELETED_STORAGE) || look->facts.deleted == 0);
}

int status_look_begin(struct imap *imap, struct status_look *look, struct slice name)
{
	*look = (struct status_look){ .items = look->items };

	int r = mailbox_glance(
		imap->settings.store, name, imap->work.now_usec, &look->facts);

	if (r == 0 && tells_all(look))
		return 0;
	return mailbox_open(imap->settings.store, name, &look->mailbox);
}

void status_look_end(struct status_look *look)
{
	if (look->mailbox)
		mailbox_close(look->mailbox);
	*look = (struct status_look){ .items = look->items };
}

static uint32_t count(const struct mailbox *mailbox, uint32_t flag, uint32_t wanted)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	uint32_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += (messages[i].flags & flag) == wanted;
	return found;
}

uint32_t status_unseen(const struct mailbox *mailbox)
{
	return count(mailbox, FLAG_SEEN, 0);
}

/* The first message with a UID above; NULL: none. */
static const struct message *message_above(const struct mailbox *mailbox, uint32_t msg_uid)
{
	const struct message *messages;
	size_t low = 0, high = mailbox_messages(mailbox, &messages), n = high;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (messages[middle].msg_uid <= msg_uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n ? &messages[low] : NULL;
}

/* Add what is asked for of one message. Returns 0, -EINPROGRESS; another -errno: it is gone. */
static int add_size(struct imap *imap, struct status_look *p, const struct message *message)
{
	uint32_t msg_uid = message->msg_uid;
	bool deleted = message->flags & FLAG_DELETED;
	uint64_t octets = 0, bytes = 0;
	int r = p->items & STATUS_SIZE
			? mailbox_rfc822_size(p->mailbox, msg_uid, &imap->work, &octets)
			: 0;

	if (r == 0 && deleted && (p->items & STATUS_DELETED_STORAGE))
		r = mailbox_file_size(p->mailbox, msg_uid, &bytes);
	if (r == 0) {
		p->octets += octets;
		p->deleted_bytes += bytes;
	}
	return r;
}

/*
 * Go on adding up sizes (RFC 8438, 9208 section 4.1.4). A message that is gone meanwhile, or cannot be read, counts for nothing: others are asked
 * for, too.
 */
static enum run add_sizes(struct imap *imap, struct status_look *p)
{
	const struct message *message;

	while ((message = message_above(p->mailbox, p->sized_uid))) {
		uint32_t msg_uid = message->msg_uid;

		if (imap->work.budget == 0 || add_size(imap, p, message) == -EINPROGRESS)
			return RUN_STEP;
		(void)imap_spend(imap); /* behind the size, which needs what is left to get on */
		p->sized_uid = msg_uid;
	}
	return RUN_DONE;
}

/* What is \Recent to this client where it has the mailbox selected; else what would be, did it select it now. */
static int count_recent(struct imap *imap, struct mailbox *mailbox, uint32_t *ret_recent)
{
	struct view *view;

	if (imap->mailbox == mailbox) {
		*ret_recent = view_recent(imap->view);
		return 0;
	}

	int r = view_open(mailbox, false, &view);

	if (r < 0)
		return r;
	*ret_recent = view_recent(view);
	view_close(view);
	return 0;
}

/* RFC 7162 section 7: 0 would mean that there are no modification sequences. */
uint64_t status_highestmodseq(const struct imap *imap, const struct mailbox *mailbox)
{
	uint64_t modseq = imap->mailbox == mailbox ? view_modseq(imap->view)
						   : mailbox_highestmodseq(mailbox);

	return modseq > 0 ? modseq : 1;
}

static int take_facts(struct imap *imap, struct status_look *look)
{
	struct mailbox *mailbox = look->mailbox;
	const struct message *messages;
	struct glance facts = {
		.messages = (uint32_t)mailbox_messages(mailbox, &messages),
		.uidnext = mailbox_uidnext(mailbox),
		.uidvalidity = mailbox_uidvalidity(mailbox),
		.highestmodseq = status_highestmodseq(imap, mailbox),
		.octets = look->octets,
	};
	int r = 0;

	if (look->items & STATUS_UNSEEN)
		facts.unseen = status_unseen(mailbox);
	if (look->items & STATUS_DELETED)
		facts.deleted = count(mailbox, FLAG_DELETED, FLAG_DELETED);
	if (look->items & STATUS_RECENT)
		r = count_recent(imap, mailbox, &facts.recent);
	mailbox_mailboxid(mailbox, facts.mailboxid);
	must(slice_to_str(mailbox_name(mailbox), facts.name, sizeof facts.name));
	look->facts = facts;
	return r;
}

static void write_item(struct writer *w, bool *first, const char *name, uint64_t value)
{
	write_format(w, "%s%s %llu", *first ? "" : " ", name, (unsigned long long)value);
	*first = false;
}

void status_look_write(struct imap *imap, const struct status_look *look, unsigned items)
{
	const struct glance *facts = &look->facts;
	struct writer *w = &imap->out;
	bool first = true;

	write_raw(w, SLICE("* STATUS "));
	write_mailbox(w, slice_str(facts->name));
	write_raw(w, SLICE(" ("));
	if (items & STATUS_MESSAGES)
		write_item(w, &first, "MESSAGES", facts->messages);
	if (items & STATUS_RECENT)
		write_item(w, &first, "RECENT", facts->recent);
	if (items & STATUS_UIDNEXT)
		write_item(w, &first, "UIDNEXT", facts->uidnext);
	if (items & STATUS_UIDVALIDITY)
		write_item(w, &first, "UIDVALIDITY", facts->uidvalidity);
	if (items & STATUS_UNSEEN)
		write_item(w, &first, "UNSEEN", facts->unseen);
	if (items & STATUS_DELETED)
		write_item(w, &first, "DELETED", facts->deleted);
	if (items & STATUS_DELETED_STORAGE)
		write_item(w, &first, "DELETED-STORAGE", look->deleted_bytes);
	if (items & STATUS_APPENDLIMIT)
		write_item(w, &first, "APPENDLIMIT", LIMIT_MESSAGE_BYTES);
	if (items & STATUS_SIZE)
		write_item(w, &first, "SIZE", facts->octets);
	if (items & STATUS_HIGHESTMODSEQ)
		write_item(w, &first, "HIGHESTMODSEQ", facts->highestmodseq);
	if (items & STATUS_MAILBOXID)
		write_format(w, "%sMAILBOXID (%s)", first ? "" : " ", facts->mailboxid);
	write_raw(w, SLICE(")\r\n"));
}

enum run status_look_run(struct imap *imap, struct status_look *look, int *ret_r)
{
	if (!look->mailbox) {
		*ret_r = 0;
		return RUN_DONE;
	}

	int r = look->synced ? 0 : mailbox_sync_anew(look->mailbox, &look->round, &imap->work);
	enum run run = imap_wait(imap, &r);

	if (run != RUN_DONE)
		return run;
	look->synced = r == 0;
	if (r == 0 && (look->items & (STATUS_SIZE | STATUS_DELETED_STORAGE)))
		run = add_sizes(imap, look);
	if (run != RUN_DONE)
		return run;
	*ret_r = r == 0 ? take_facts(imap, look) : r;
	return RUN_DONE;
}
