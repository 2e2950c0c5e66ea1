#include "server/imap/cmd_select.h"

#include "base/must.h"
#include "maildir/card.h"
#include "server/imap/cmd_expunge.h"
#include "server/imap/connection.h"
#include "server/imap/earlier.h"
#include "server/imap/flags.h"
#include "server/imap/write_mailbox.h"

#include <errno.h>

enum { PASSED_PER_UNIT = 64 }; /* messages that did not change, for a unit of work */

/* What follows when the mailbox is selected: to a client that resynchronises, what it missed. */
enum select_stage { SELECT_OPEN, SELECT_VANISHED, SELECT_CHANGED };

struct select_progress {
	enum select_stage stage;
	struct mailbox *mailbox; /* not yet the connection's */
	uint64_t round;          /* of mailbox_sync_anew() */
	unsigned reopened;       /* how often */
	struct earlier earlier;
	struct seq_ranges known; /* UIDs */
	uint32_t seqnum;         /* the last one looked at */
};

void end_select(struct imap *imap)
{
	struct select_progress *p = imap->command.progress;

	if (p && p->mailbox)
		mailbox_close(p->mailbox);
}

static enum run begin_select(struct imap *imap)
{
	const struct select_arguments *a = &imap->command.arguments.select;
	struct select_progress *p = arena_alloc(&imap->arena, sizeof *p);

	if (a->qresync && !(imap->enabled & ENABLED_QRESYNC))
		return imap_bad(imap, "QRESYNC is not enabled");
	if (a->known.match_seqnums.p && (imap->enabled & ENABLED_UIDONLY))
		return imap_uidrequired(imap);

	if (imap->state == IMAP_SELECTED) {
		imap_deselect(imap);
		write_raw(&imap->out,
			SLICE("* OK [CLOSED] The mailbox that was selected is closed\r\n"));
	}
	if (a->condstore)
		connection_enable(imap, ENABLED_CONDSTORE);
	imap->command.progress = p;

	int r = mailbox_open(
		imap->settings.store, connection_name(imap, a->name), &p->mailbox);

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

/* RFC 9051 section 6.3.2. No attribute is claimed that would cost a look at the whole tree. */
static void tell_list(struct imap *imap)
{
	struct slice name = mailbox_name(imap->mailbox);
	struct slice given = imap->command.arguments.select.name;

	write_format(&imap->out, "* LIST () \"%c\" ",
		store_hierarchy_separator(imap->settings.store));
	write_mailbox(&imap->out, name);
	if (!slice_equal(given, name)) {
		write_raw(&imap->out, SLICE(" (\"OLDNAME\" ("));
		write_mailbox(&imap->out, given);
		write_raw(&imap->out, SLICE("))"));
	}
	write_crlf(&imap->out);
}

/* RFC 8474 section 4.2. */
static void tell_mailboxid(struct imap *imap)
{
	char id[OBJECTID_BYTES];

	mailbox_mailboxid(imap->mailbox, id);
	write_format(&imap->out, "* OK [MAILBOXID (%s)] It stays when the name changes\r\n", id);
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
	if (unseen > 0 && !(imap->enabled & (ENABLED_REV2 | ENABLED_UIDONLY)))
		write_format(w, "* OK [UNSEEN %u] First unseen message\r\n", unseen);
	write_format(w, "* OK [UIDVALIDITY %u] UIDs are valid\r\n* OK [UIDNEXT %u] Next UID\r\n",
		mailbox_uidvalidity(imap->mailbox), mailbox_uidnext(imap->mailbox));
	connection_tell_enabled(imap, 0);
	if (imap->enabled & ENABLED_REV2)
		tell_list(imap);
	tell_mailboxid(imap);
}

/* What was expunged of the UIDs that the client knows. RFC 7162 section 3.2.5. */
static int find_vanished(struct imap *imap, struct select_progress *p)
{
	const struct qresync_parameter *known = &imap->command.arguments.select.known;
	uint32_t last = mailbox_uidnext(imap->mailbox) - 1;

	if (known->known_uids.p) {
		enum parse parse = seqset_parse(known->known_uids, 0, &imap->arena, &p->known);

		must(parse == PARSE_OK); /* the grammar took it */
	} else if (last > 0) {
		seq_ranges_add(&p->known, &imap->arena, 1);
		p->known.ranges[0].last = last;
	}
	return earlier_find(imap->view, &p->known, known->modseq,
		earlier_match(imap->view, known), &imap->arena, &p->earlier.gone);
}

/* FETCH of those that changed since then. */
static enum run tell_changed(struct imap *imap, struct select_progress *p)
{
	uint64_t modseq = imap->command.arguments.select.known.modseq;

	for (; p->seqnum < view_exists(imap->view); p->seqnum++) {
		const struct message *message;

		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (p->seqnum % PASSED_PER_UNIT == 0 && !imap_spend(imap))
			return RUN_STEP;
		message = view_message(imap->view, p->seqnum + 1);
		if (message && message->modseq > modseq &&
			seq_ranges_have(&p->known, message->msg_uid))
			updates_write_flags(imap, p->seqnum + 1);
	}
	return RUN_DONE;
}

static enum run finish_select(struct imap *imap)
{
	return imap_ok(imap, imap->read_write ? "READ-WRITE" : "READ-ONLY", NULL);
}

/* What happened since the client was here last, if it is the same mailbox still. */
static enum run resync(struct imap *imap, struct select_progress *p)
{
	enum run run = RUN_DONE;

	if (p->stage == SELECT_VANISHED)
		run = earlier_tell(imap, &p->earlier);
	if (run != RUN_DONE)
		return run;
	p->stage = SELECT_CHANGED;
	run = tell_changed(imap, p);
	return run == RUN_DONE ? finish_select(imap) : run;
}

static enum run begin_resync(struct imap *imap, struct select_progress *p)
{
	const struct select_arguments *a = &imap->command.arguments.select;

	if (!a->qresync || a->known.uidvalidity != mailbox_uidvalidity(imap->mailbox))
		return finish_select(imap);

	int r = find_vanished(imap, p);

	if (r < 0)
		return imap_failed(imap, r);
	p->stage = SELECT_VANISHED;
	return resync(imap, p);
}

/* Another program deleted it since it was opened, or made it anew: what has the name now counts. */
static enum run reopen(struct imap *imap, struct select_progress *p)
{
	struct slice name = imap->command.arguments.select.name;

	mailbox_close(take_ptr(p->mailbox));
	p->round = 0;
	p->reopened++;

	int r = mailbox_open(imap->settings.store, connection_name(imap, name), &p->mailbox);

	return r < 0 ? imap_failed(imap, r) : RUN_STEP;
}

static enum run select_mailbox(struct imap *imap, bool read_write)
{
	struct select_progress *p = imap->command.progress;

	if (!p) {
		(void)begin_select(imap);
		p = imap->command.progress;
		if (!p || !p->mailbox)
			return RUN_DONE;
	}
	if (p->stage != SELECT_OPEN)
		return resync(imap, p);

	int r = mailbox_sync_anew(p->mailbox, &p->round, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r == -ESTALE && p->reopened < LIMIT_REOPENS)
		return reopen(imap, p);
	if (r == 0)
		r = view_open(p->mailbox, read_write, &imap->view);
	if (r < 0)
		return imap_failed(imap, r);
	imap->mailbox = take_ptr(p->mailbox);
	imap->read_write = read_write;
	imap_set_state(imap, IMAP_SELECTED);
	tell_mailbox(imap);
	return begin_resync(imap, p);
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
