#include "server/imap/updates.h"

#include "base/must.h"
#include "server/imap/connection.h"
#include "server/imap/flags.h"

#include <errno.h>

void updates_begin(struct imap *imap, bool may_expunge)
{
	must(imap->view != NULL && !imap->mid_response);
	imap->updates = (struct updates){ .stage = UPDATES_SYNC, .may_expunge = may_expunge };
}

static enum run take_changes(struct imap *imap, struct updates *u)
{
	int r = mailbox_sync(imap->mailbox, &imap->work);

	if (r == -EINPROGRESS)
		return RUN_STEP;
	if (r == -ESTALE)
		return imap_failed(imap, r);
	u->locked_usec = r == -EAGAIN ? imap->work.retry_usec : 0;
	view_sync(imap->view, u->may_expunge, &u->changes);
	u->stage = UPDATES_EXPUNGED;
	return RUN_DONE;
}

static enum run tell_expunged(struct imap *imap, struct updates *u)
{
	for (; u->next < u->changes.n_expunged; u->next++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		write_raw(&imap->out, SLICE("* "));
		write_number(&imap->out, u->changes.expunged_seqnums[u->next]);
		write_raw(&imap->out, SLICE(" EXPUNGE\r\n"));
	}
	u->stage = UPDATES_EXISTS;
	u->next = 0;
	return RUN_DONE;
}

static enum run tell_exists(struct imap *imap, struct updates *u)
{
	if (u->changes.exists_changed)
		write_format(&imap->out, "* %u EXISTS\r\n* %u RECENT\r\n", view_exists(imap->view),
			view_recent(imap->view));
	updates_write_keywords(imap);
	u->stage = UPDATES_FLAGS;
	return RUN_DONE;
}

void updates_write_flags(struct imap *imap, uint32_t seqnum)
{
	const struct message *message = view_message(imap->view, seqnum);
	const struct command_type *type = imap->command.type;
	struct writer *w = &imap->out;

	if (!message)
		return;
	write_raw(w, SLICE("* "));
	write_number(w, seqnum);
	write_raw(w, SLICE(" FETCH ("));
	if (type &&
		(type->flags &
			COMMAND_BY_UID)) { /* RFC 9051 section 6.4.9: UID is part of every FETCH then */
		write_raw(w, SLICE("UID "));
		write_number(w, message->msg_uid);
		write_raw(w, SLICE(" "));
	}
	write_raw(w, SLICE("FLAGS "));
	flags_write(w, imap->mailbox, message, view_is_recent(imap->view, message->msg_uid));
	write_raw(w, SLICE(")\r\n"));
	view_flags_told(imap->view, message->msg_uid);
}

static enum run tell_flags(struct imap *imap, struct updates *u)
{
	for (; u->next < u->changes.n_flags; u->next++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;

		uint32_t seqnum = view_seqnum(imap->view, u->changes.flags_uids[u->next]);

		if (seqnum > 0)
			updates_write_flags(imap, seqnum);
	}
	u->stage = UPDATES_NONE;
	return RUN_DONE;
}

void updates_write_keywords(struct imap *imap)
{
	unsigned keywords = flags_keywords(imap->mailbox);

	if (keywords == imap->keywords_told)
		return;
	imap->keywords_told = keywords;
	write_raw(&imap->out, SLICE("* FLAGS "));
	flags_write_all(&imap->out, imap->mailbox, false);
	write_crlf(&imap->out);
	if (!imap->read_write)
		return;
	write_raw(&imap->out, SLICE("* OK [PERMANENTFLAGS "));
	flags_write_all(&imap->out, imap->mailbox, true);
	write_raw(&imap->out, SLICE("] Keywords were added\r\n"));
}

enum run updates_run(struct imap *imap)
{
	struct updates *u = &imap->updates;
	enum run run = RUN_DONE;

	while (run == RUN_DONE && u->stage != UPDATES_NONE) {
		switch (u->stage) {
		case UPDATES_SYNC:
			run = take_changes(imap, u);
			break;
		case UPDATES_EXPUNGED:
			run = tell_expunged(imap, u);
			break;
		case UPDATES_EXISTS:
			run = tell_exists(imap, u);
			break;
		default:
			run = tell_flags(imap, u);
		}
	}
	return run;
}
