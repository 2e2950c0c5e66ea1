#include "server/imap/cmd_store.h"

#include "server/imap/connection.h"

#include <errno.h>

enum store_stage { STORE_TELL_CHANGES, STORE_FIND_KEYWORDS, STORE_CHANGE, STORE_TELL };

struct known_flags {
	uint32_t flags;
	uint64_t keywords;
};

struct store_progress {
	enum store_stage stage;
	struct seq_ranges seqnums;
	struct flags_change change;
	size_t keyword;       /* the next one to find */
	const uint32_t *uids; /* of messages that are still there */
	size_t n, done, told;
	bool *modified; /* of each: UNCHANGEDSINCE forbade it */
	struct known_flags *known; /* .SILENT: of each, what the client knew when its changes began */
	uint64_t told_above; /* changes with a modseq above are told when the command begins */
};

static struct store_progress *begin_store(struct imap *imap)
{
	const struct store_arguments *a = &imap->command.arguments.store;
	struct seq_ranges seqnums;

	if (a->conditional)
		connection_enable_condstore(imap);
	if (imap_seqnums(imap, a->set, imap->command.type->flags & COMMAND_BY_UID, &seqnums) !=
		PARSE_OK) {
		(void)imap_bad(imap, "No such sequence number");
		return NULL;
	}

	(void)connection_limit(imap, &seqnums);

	struct store_progress *p = arena_alloc(&imap->arena, sizeof *p);

	*p = (struct store_progress){
		.seqnums = seqnums,
		.change = { .operation = a->operation,
			.flags = a->flags,
			.unchangedsince = a->unchangedsince },
		.told_above = view_modseq(imap->view),
	};
	imap->command.progress = p;
	updates_begin(imap, false); /* sequence numbers of the set must keep their meaning */
	return p;
}

/* Returns 0; -errno as mailbox_find_keyword(). A keyword that is to be taken away and is not known needs nothing. */
static int find_keywords(struct imap *imap, struct store_progress *p)
{
	const struct store_arguments *a = &imap->command.arguments.store;
	bool create = a->operation != FLAGS_REMOVE && p->n > 0;

	for (; p->keyword < a->keywords_n; p->keyword++) {
		int r = mailbox_find_keyword(
			imap->mailbox, a->keywords[p->keyword], create, &imap->work);

		if (r >= 0)
			p->change.keywords |= UINT64_C(1) << r;
		else if (r != -ENOENT)
			return r;
	}
	return 0;
}

static int change_flags(struct imap *imap, struct store_progress *p)
{
	connection_progress(imap, p->done, p->n);
	return mailbox_store_flags(
		imap->mailbox, p->uids, p->n, &p->done, &p->change, p->modified,
		&imap->work);
}

/* What the client was told, before anything is changed: what comes in between from others is not told yet. */
static void note_known(struct imap *imap, struct store_progress *p)
{
	p->known = arena_array(&imap->arena, p->n + 1, sizeof *p->known);
	for (size_t i = 0; i < p->n; i++) {
		const struct message *message = mailbox_message(imap->mailbox, p->uids[i]);

		if (message)
			p->known[i] = (struct known_flags){ message->flags, message->keywords };
	}
}

/*
 * Whether the flags are other than the client concludes from .SILENT, for somebody else changed them meanwhile: they are
 * told then, or it would never learn of it.
 */
static bool is_surprise(const struct imap *imap, const struct store_progress *p, size_t i)
{
	const struct message *message = mailbox_message(imap->mailbox, p->uids[i]);
	const struct flags_change *change = &p->change;
	struct known_flags known = p->known[i];

	if (change->operation == FLAGS_REPLACE)
		known = (struct known_flags){ change->flags, change->keywords };
	else if (change->operation == FLAGS_ADD)
		known = (struct known_flags){ known.flags | change->flags,
			known.keywords | change->keywords };
	else
		known = (struct known_flags){ known.flags & ~change->flags,
			known.keywords & ~change->keywords };
	return message && (message->flags != known.flags || message->keywords != known.keywords);
}

/* Whether what forbade a change was told by this command, before it began. */
static bool was_told(const struct imap *imap, const struct store_progress *p, uint32_t msg_uid)
{
	const struct message *message = mailbox_message(imap->mailbox, msg_uid);

	return !message || message->modseq > p->told_above;
}

/*
 * The new flags of every message of the set, or (.SILENT) nothing but the note that the client knows them, and MODSEQ to
 * one that keeps it. What was not changed is told whole: the client is behind, or there would have been no reason
 * (RFC 7162 section 3.1.3).
 */
static enum run tell_flags(struct imap *imap, struct store_progress *p, size_t n)
{
	for (; p->told < n; p->told++) {
		uint32_t msg_uid = p->uids[p->told];

		bool silent = p->known && !p->modified[p->told] &&
			      !is_surprise(imap, p, p->told);

		if (p->modified[p->told] && was_told(imap, p, msg_uid))
			continue;
		if (silent && !connection_tells_modseq(imap)) {
			view_flags_told(imap->view, msg_uid);
			continue;
		}
		if (imap_output_full(imap))
			return RUN_OUTPUT;
		if (silent)
			updates_write_modseq(imap, view_seqnum(imap->view, msg_uid));
		else
			updates_write_flags(imap, view_seqnum(imap->view, msg_uid));
	}
	return RUN_DONE;
}

/* "MODIFIED set"; NULL: everything was changed. RFC 7162 section 3.1.3. */
static const char *modified_code(struct imap *imap, const struct store_progress *p)
{
	_cleanup_buf_ struct buf text = BUF(LIMIT_OUTPUT_BYTES / 2);
	bool by_uid = imap->command.type->flags & COMMAND_BY_UID;
	struct writer w = { .out = &text };
	struct seq_ranges set = { 0 };

	for (size_t i = 0; i < p->n; i++)
		if (p->modified[i])
			seq_ranges_add(&set, &imap->arena,
				by_uid ? p->uids[i] : view_seqnum(imap->view, p->uids[i]));
	if (set.n == 0)
		return NULL;
	write_text(&w, "MODIFIED ");
	write_ranges(&w, &set);
	return arena_str(&imap->arena, w.failed ? SLICE("MODIFIED 1:*") : buf_slice(&text));
}

static enum run finish_store(struct imap *imap, const struct store_progress *p)
{
	bool by_uid = imap->command.type->flags & COMMAND_BY_UID;
	const char *modified = modified_code(imap, p);
	size_t left = 0;

	for (size_t i = 0; i < p->n; i++)
		left += mailbox_message(imap->mailbox, p->uids[i]) != NULL;
	if (left == seq_ranges_count(&p->seqnums) || by_uid)
		return imap_ok(imap, modified, modified ? "Some were changed meanwhile" : NULL);
	if (modified)
		return imap_no(imap, modified, "Some were changed, some expunged meanwhile");
	if (imap->command.arguments.store.silent)
		return imap_ok(imap, "EXPUNGEISSUED", "Some of the messages were expunged");
	return imap_no(imap, "EXPUNGEISSUED", "Some of the messages were expunged");
}

static enum run store_failed(struct imap *imap, int error)
{
	if (error == -E2BIG && imap->command.progress &&
		((struct store_progress *)imap->command.progress)->stage == STORE_FIND_KEYWORDS)
		return imap_no(imap, "LIMIT", "The mailbox has too many keywords");
	return imap_change_failed(imap, imap->mailbox, "flags cannot be changed", error);
}

/* One stage. Sets the next one when it is over. */
static enum run run_stage(struct imap *imap, struct store_progress *p, int *r)
{
	enum run run;

	switch (p->stage) {
	case STORE_TELL_CHANGES:
		run = updates_run(imap);
		if (run != RUN_DONE)
			return run;
		p->uids = imap_uids(imap, &p->seqnums, &p->n);
		p->modified = arena_array(&imap->arena, p->n + 1, sizeof *p->modified);
		if (imap->command.arguments.store.silent)
			note_known(imap, p);
		p->stage = STORE_FIND_KEYWORDS;
		return RUN_DONE;
	case STORE_FIND_KEYWORDS:
		*r = find_keywords(imap, p);
		run = imap_wait(imap, r);
		if (run == RUN_DONE && *r == 0)
			p->stage = STORE_CHANGE;
		return run;
	case STORE_CHANGE:
		*r = change_flags(imap, p);
		run = imap_wait(imap, r);
		if (run == RUN_DONE && *r == 0) {
			updates_write_keywords(imap);
			p->stage = STORE_TELL;
		}
		return run;
	case STORE_TELL:
		break;
	}
	return RUN_DONE;
}

enum run cmd_store(struct imap *imap)
{
	struct store_progress *p = imap->command.progress;

	if (!p)
		p = begin_store(imap);
	if (!p)
		return RUN_DONE;
	while (p->stage != STORE_TELL) {
		int r = 0;
		enum run run = run_stage(imap, p, &r);

		if (run != RUN_DONE)
			return run;
		if (r < 0)
			return store_failed(imap, r);
	}

	enum run run = tell_flags(imap, p, p->n);

	return run == RUN_DONE ? finish_store(imap, p) : run;
}
