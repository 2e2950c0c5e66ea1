#include "server/imap/updates.h"

#include "base/must.h"
#include "server/imap/connection.h"
#include "server/imap/flags.h"

#include <errno.h>

enum { VANISHED_RANGES = 256 }; /* of one response: more of them follow */

void updates_begin(struct imap *imap, bool may_expunge)
{
	must(imap->view != NULL && !imap->mid_response);
	notify_note_view(imap);
	imap->updates = (struct updates){ .stage = UPDATES_SYNC, .may_expunge = may_expunge };
}

static enum run take_changes(struct imap *imap, struct updates *u)
{
	int r = mailbox_sync_anew(imap->mailbox, &u->round, &imap->work);

	if (r == -EINPROGRESS)
		return RUN_STEP;
	if (r == -ESTALE)
		return imap_failed(imap, r);
	u->locked_usec = r == -EAGAIN ? imap->work.retry_usec : 0;
	view_sync(imap->view, u->may_expunge, &u->changes);
	u->stage = UPDATES_CONTEXTS_EXPUNGED;
	return RUN_DONE;
}

/* The next UIDs as ranges: they stand in descending order, so they are taken from the end. */
static size_t take_vanished(struct updates *u, struct seq_range *ranges)
{
	size_t n = 0;

	for (; u->next < u->changes.n_expunged; u->next++) {
		uint32_t msg_uid =
			u->changes.expunged_uids[u->changes.n_expunged - 1 - u->next];

		if (n > 0 && ranges[n - 1].last == msg_uid - 1)
			ranges[n - 1].last = msg_uid;
		else if (n < VANISHED_RANGES)
			ranges[n++] = (struct seq_range){ msg_uid, msg_uid };
		else
			break;
	}
	return n;
}

/* RFC 7162 section 3.2.10.2. */
static enum run tell_vanished(struct imap *imap, struct updates *u)
{
	while (u->next < u->changes.n_expunged) {
		struct seq_range ranges[VANISHED_RANGES];

		if (imap_output_full(imap))
			return RUN_OUTPUT;

		struct seq_ranges set = { .ranges = ranges, .n = take_vanished(u, ranges) };

		write_raw(&imap->out, SLICE("* VANISHED "));
		write_ranges(&imap->out, &set);
		write_crlf(&imap->out);
	}
	return RUN_DONE;
}

static enum run tell_expunges(struct imap *imap, struct updates *u)
{
	for (; u->next < u->changes.n_expunged; u->next++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		write_raw(&imap->out, SLICE("* "));
		write_number(&imap->out, u->changes.expunged_seqnums[u->next]);
		write_raw(&imap->out, SLICE(" EXPUNGE\r\n"));
	}
	return RUN_DONE;
}

static enum run tell_expunged(struct imap *imap, struct updates *u)
{
	bool by_uid = imap->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY);
	enum run run = by_uid ? tell_vanished(imap, u) : tell_expunges(imap, u);

	if (run != RUN_DONE)
		return run;
	imap->expunge_told |= u->changes.n_expunged > 0;
	u->stage = UPDATES_EXISTS;
	u->next = 0;
	return RUN_DONE;
}

void updates_write_exists(struct imap *imap)
{
	write_format(&imap->out, "* %u EXISTS\r\n", view_exists(imap->view));
	if (!(imap->enabled & ENABLED_REV2))
		write_format(&imap->out, "* %u RECENT\r\n", view_recent(imap->view));
}

static enum run tell_exists(struct imap *imap, struct updates *u)
{
	if (u->changes.exists_changed)
		updates_write_exists(imap);
	updates_write_keywords(imap);
	u->stage = UPDATES_FLAGS;
	return RUN_DONE;
}

/*
 * RFC 9051 section 6.4.9: UID is part of every FETCH that comes with a command by UID; 5465 section 5.1: and of those that
 * FlagChange asks for.
 */
static bool must_add_uid(const struct imap *imap)
{
	const struct command_type *type = imap->command.type;

	if (imap->enabled & ENABLED_UIDONLY)
		return false;
	return connection_tells_uid(imap) || notify_listens(imap) || (type && (type->flags & COMMAND_BY_UID));
}

static void write_dynamic(struct imap *imap, uint32_t seqnum, bool flags)
{
	const struct message *message = view_message(imap->view, seqnum);
	struct writer *w = &imap->out;

	if (!message)
		return;
	connection_write_fetch(imap, seqnum, message->msg_uid);
	if (must_add_uid(imap))
		write_format(w, "UID %u ", message->msg_uid);
	if (flags) {
		write_raw(w, SLICE("FLAGS "));
		flags_write(w, imap->mailbox, message,
			connection_is_recent(imap, message->msg_uid));
	}
	if (connection_tells_modseq(imap)) {
		write_text(w, flags ? " " : "");
		connection_write_modseq(imap, message->modseq);
	}
	write_raw(w, SLICE(")\r\n"));
	view_flags_told(imap->view, message->msg_uid);
}

void updates_write_flags(struct imap *imap, uint32_t seqnum)
{
	write_dynamic(imap, seqnum, true);
}

void updates_write_modseq(struct imap *imap, uint32_t seqnum)
{
	write_dynamic(imap, seqnum, false);
}

static enum run tell_flags(struct imap *imap, struct updates *u)
{
	bool wanted = notify_wants_flags(imap) || notify_is_answered(imap);

	for (; wanted && u->next < u->changes.n_flags; u->next++) {
		if (imap_output_full(imap))
			return RUN_OUTPUT;

		uint32_t seqnum = view_seqnum(imap->view, u->changes.flags_uids[u->next]);

		if (seqnum > 0)
			updates_write_flags(imap, seqnum);
	}
	u->stage = UPDATES_CONTEXTS;
	return RUN_DONE;
}

static enum run tell_contexts_expunged(struct imap *imap, struct updates *u)
{
	enum run run = contexts_tell_expunged(imap, &u->changes);

	if (run == RUN_DONE)
		u->stage = UPDATES_EXPUNGED;
	return run;
}

static enum run tell_contexts(struct imap *imap, struct updates *u)
{
	enum run run = contexts_tell_changed(imap);

	if (run == RUN_DONE)
		u->stage = UPDATES_NONE;
	return run;
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
		case UPDATES_CONTEXTS_EXPUNGED:
			run = tell_contexts_expunged(imap, u);
			break;
		case UPDATES_CONTEXTS:
			run = tell_contexts(imap, u);
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
