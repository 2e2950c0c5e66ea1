#include "server/imap/cmd_select.h"

#include "server/imap/cmd_expunge.h"
#include "server/imap/connection.h"
#include "server/imap/flags.h"

struct select_progress {
	struct mailbox *mailbox; /* not yet the connection's */
};

void end_select(struct imap *imap)
{
	struct select_progress *p = imap->command.progress;

	if (p && p->mailbox)
		mailbox_close(p->mailbox);
}

static enum run begin_select(struct imap *imap)
{
	struct select_progress *p = arena_alloc(&imap->arena, sizeof *p);

	if (imap->state == IMAP_SELECTED) {
		imap_deselect(imap);
		write_raw(&imap->out,
			SLICE("* OK [CLOSED] The mailbox that was selected is closed\r\n"));
	}
	imap->command.progress = p;

	int r = mailbox_open(
		imap->settings.store, imap->command.arguments.mailbox.name, &p->mailbox);

	return r < 0 ? imap_failed(imap, r) : RUN_DONE;
}

/* The first message without \Seen; 0: there is none. */
static uint32_t first_unseen(struct imap *imap)
{
	const struct message *messages;
	size_t n = mailbox_messages(imap->mailbox, &messages);

	for (size_t i = 0; i < n; i++)
		if (!(messages[i].flags & FLAG_SEEN))
			return view_seqnum(imap->view, messages[i].msg_uid);
	return 0;
}

/* RFC 9051 section 6.3.2; RECENT and UNSEEN for clients of RFC 3501. */
static void tell_mailbox(struct imap *imap)
{
	struct writer *w = &imap->out;
	uint32_t unseen = first_unseen(imap);

	imap->keywords_told = flags_keywords(imap->mailbox);
	write_raw(w, SLICE("* FLAGS "));
	flags_write_all(w, imap->mailbox, false);
	write_raw(w, SLICE("\r\n* OK [PERMANENTFLAGS "));
	if (imap->read_write)
		flags_write_all(w, imap->mailbox, true);
	else
		write_raw(w, SLICE("()"));
	write_raw(w, SLICE("] These stay\r\n"));
	updates_write_exists(imap);
	if (unseen > 0 && !(imap->enabled & ENABLED_REV2))
		write_format(w, "* OK [UNSEEN %u] First unseen message\r\n", unseen);
	write_format(w, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] Next UID\r\n",
		mailbox_uidvalidity(imap->mailbox), mailbox_uidnext(imap->mailbox));
}

static enum run select_mailbox(struct imap *imap, bool read_write)
{
	struct select_progress *p = imap->command.progress;

	if (!p) {
		(void)begin_select(imap);
		p = imap->command.progress;
		if (!p->mailbox)
			return RUN_DONE;
	}

	int r = mailbox_sync(p->mailbox, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r == 0)
		r = view_open(p->mailbox, read_write, &imap->view);
	if (r < 0)
		return imap_failed(imap, r);
	imap->mailbox = take_ptr(p->mailbox);
	imap->read_write = read_write;
	imap_set_state(imap, IMAP_SELECTED);
	tell_mailbox(imap);
	return imap_ok(imap, read_write ? "READ-WRITE" : "READ-ONLY", NULL);
}

enum run cmd_select(struct imap *imap)
{
	return select_mailbox(imap, true);
}

enum run cmd_examine(struct imap *imap)
{
	return select_mailbox(imap, false);
}

enum run cmd_close(struct imap *imap)
{
	if (imap->read_write) {
		enum run run = expunge_deleted(imap, NULL);

		if (run != RUN_DONE)
			return run;
	}
	imap_deselect(
		imap); /* also when not all could be removed: CLOSE has no NO (RFC 9051 section 6.4.1) */
	return imap_ok(imap, NULL, NULL);
}

enum run cmd_unselect(struct imap *imap)
{
	imap_deselect(imap);
	return imap_ok(imap, NULL, NULL);
}
