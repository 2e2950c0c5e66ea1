#include "server/imap/cmd_status.h"

#include "server/imap/connection.h"
#include "server/imap/write_mailbox.h"

struct status_progress {
	struct mailbox *mailbox;
};

void end_status(struct imap *imap)
{
	struct status_progress *p = imap->command.progress;

	if (p && p->mailbox)
		mailbox_close(p->mailbox);
}

static uint32_t count_unseen(const struct mailbox *mailbox)
{
	const struct message *messages;
	size_t n = mailbox_messages(mailbox, &messages);
	uint32_t unseen = 0;

	for (size_t i = 0; i < n; i++)
		unseen += !(messages[i].flags & FLAG_SEEN);
	return unseen;
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

static void write_item(struct writer *w, bool *first, const char *name, uint64_t value)
{
	write_format(w, "%s%s %llu", *first ? "" : " ", name, (unsigned long long)value);
	*first = false;
}

static enum run tell_status(struct imap *imap, struct mailbox *mailbox)
{
	const struct status_arguments *a = &imap->command.arguments.status;
	const struct message *messages;
	struct writer *w = &imap->out;
	uint32_t recent = 0;
	bool first = true;
	int r = a->items & STATUS_RECENT ? count_recent(imap, mailbox, &recent) : 0;

	if (r < 0)
		return imap_failed(imap, r);
	write_raw(w, SLICE("* STATUS "));
	write_mailbox(w, mailbox_name(mailbox));
	write_raw(w, SLICE(" ("));
	if (a->items & STATUS_MESSAGES)
		write_item(w, &first, "MESSAGES", mailbox_messages(mailbox, &messages));
	if (a->items & STATUS_RECENT)
		write_item(w, &first, "RECENT", recent);
	if (a->items & STATUS_UIDNEXT)
		write_item(w, &first, "UIDNEXT", mailbox_uidnext(mailbox));
	if (a->items & STATUS_UIDVALIDITY)
		write_item(w, &first, "UIDVALIDITY", mailbox_uidvalidity(mailbox));
	if (a->items & STATUS_UNSEEN)
		write_item(w, &first, "UNSEEN", count_unseen(mailbox));
	write_raw(w, SLICE(")\r\n"));
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_status(struct imap *imap)
{
	struct status_progress *p = imap->command.progress;
	int r;

	if (!p) {
		p = imap->command.progress = arena_alloc(&imap->arena, sizeof *p);
		r = mailbox_open(
			imap->settings.store, imap->command.arguments.status.name, &p->mailbox);
		if (r < 0)
			return imap_failed(imap, r);
	}
	r = mailbox_sync(p->mailbox, &imap->work);

	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	return r < 0 ? imap_failed(imap, r) : tell_status(imap, p->mailbox);
}
