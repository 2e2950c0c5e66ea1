#include "server/imap/connection.h"

#include "base/must.h"
#include "maildir/message/charset.h"
#include "server/imap/uid_ranges.h"

#include <errno.h>
#include <stdlib.h>

/* Which states may follow which. */
static const unsigned edges[IMAP_STATE_COUNT] = {
	[IMAP_NOT_AUTHENTICATED] = 1 << IMAP_AUTHENTICATED | 1 << IMAP_LOGOUT,
	[IMAP_AUTHENTICATED] = 1 << IMAP_SELECTED | 1 << IMAP_LOGOUT,
	[IMAP_SELECTED] = 1 << IMAP_AUTHENTICATED | 1 << IMAP_LOGOUT,
	[IMAP_LOGOUT] = 0,
};

void imap_set_state(struct imap *imap, enum imap_state state)
{
	must(edges[imap->state] & 1u << state);
	imap->state = state;
}

static enum run complete(
	struct imap *imap, enum completion completion, const char *code, const char *text)
{
	imap->command.completion = completion;
	imap->command.code = code;
	imap->command.text = text;
	return RUN_DONE;
}

enum run imap_ok(struct imap *imap, const char *code, const char *text)
{
	return complete(imap, COMPLETION_OK, code, text);
}

enum run imap_no(struct imap *imap, const char *code, const char *text)
{
	return complete(imap, COMPLETION_NO, code, text);
}

enum run imap_bad(struct imap *imap, const char *text)
{
	return complete(imap, COMPLETION_BAD, NULL, text);
}

enum run imap_uidrequired(struct imap *imap)
{
	return complete(imap, COMPLETION_BAD, "UIDREQUIRED",
		"Message numbers are not allowed once UIDONLY is enabled");
}

/* RFC 5530 section 3. The last row is for all others. */
static const struct {
	int error;
	const char *code, *text;
} failures[] = {
	{ EBUSY, "INUSE", "The mailbox is locked by another program; try again later" },
	{ ENOENT, "NONEXISTENT", "No such mailbox" },
	{ EINVAL, "CANNOT", "A mailbox cannot have that name" },
	{ ENAMETOOLONG, "LIMIT", "The mailbox name is too long or has too many levels" },
	{ ELOOP, "CANNOT", "A symbolic link is in the way, which is never followed" },
	{ EACCES, "NOPERM", "The mail directory does not permit this" },
	{ EPERM, "NOPERM", "The mail directory does not permit this" },
	{ EROFS, "NOPERM", "The file system of the mailbox is read-only" },
	{ ENOSPC, "OVERQUOTA", "No space is left for mail" },
	{ EDQUOT, "OVERQUOTA", "There is more mail than the quota allows" },
	{ 0, "UNAVAILABLE", "The mailbox cannot be used now; see the server's log" },
};

enum run imap_failed(struct imap *imap, int error)
{
	size_t i = 0;

	if (error == -ESTALE && imap->state == IMAP_SELECTED && mailbox_is_stale(imap->mailbox)) {
		write_raw(&imap->out,
			SLICE("* BYE [UNAVAILABLE] The mailbox was deleted or made anew; connect again\r\n"));
		return imap_close(imap, CLOSE_MAILBOX_FAULT);
	}
	while (failures[i].error != 0 && failures[i].error != -error)
		i++;
	return imap_no(imap, failures[i].code, failures[i].text);
}

enum run imap_change_failed(
	struct imap *imap, const struct mailbox *mailbox, const char *what, int error)
{
	bool is_fault = error != -EBUSY && error != -ESTALE && error != -ENOENT &&
			error != -EINVAL && error != -EDQUOT;

	if (is_fault && mailbox) {
		struct slice name = mailbox_name(mailbox);

		log_line(imap->settings.log, LOG_PRIORITY_WARNING, "%s: %.*s: %s: %s",
			imap->settings.user, SLICE_FMT(name), what, strerror(-error));
	}
	return imap_failed(imap, error);
}

enum run imap_fault(struct imap *imap, const struct grammar *grammar)
{
	struct writer w = { .out = &(struct buf){ .max_bytes = 4096 } };

	if (grammar->saves &&
		(grammar->fault == GRAMMAR_LIMIT || grammar->fault == GRAMMAR_BADCHARSET)) /* NO */
		imap_save_result(imap, NULL);
	if (grammar->fault == GRAMMAR_LIMIT)
		return imap_no(imap, "LIMIT", grammar->why);
	if (grammar->fault == GRAMMAR_UIDREQUIRED)
		return imap_uidrequired(imap);
	if (grammar->fault == GRAMMAR_SYNTAX)
		return imap_bad(
			imap, grammar->why ? grammar->why : "Syntax error in the arguments");

	write_text(&w, "BADCHARSET (");
	for (size_t i = 0; charset_name(i); i++) {
		write_text(&w, i > 0 ? " " : "");
		write_astring(&w, slice_str(charset_name(i)));
	}
	write_text(&w, ")");

	const char *code = w.failed ? "BADCHARSET" : arena_str(&imap->arena, buf_slice(w.out));

	buf_done(w.out);
	return imap_no(imap, code, grammar->why);
}

enum run imap_close(struct imap *imap, enum close_reason reason)
{
	imap->engine.reason = reason;
	imap->phase = PHASE_CLOSED;
	return RUN_CLOSE;
}

enum run imap_wait(struct imap *imap, int *r)
{
	struct command *command = &imap->command;

	if (*r == -EINPROGRESS)
		return RUN_STEP;
	if (*r != -EAGAIN) {
		command->locked_since_usec = 0;
		return RUN_DONE;
	}
	if (command->locked_since_usec == 0)
		command->locked_since_usec = imap->io->now_usec;
	if (imap->io->now_usec - command->locked_since_usec < IMAP_LOCK_WAIT_USEC) {
		imap->io->retry_usec = imap->work.retry_usec;
		return RUN_RETRY;
	}
	*r = -EBUSY;
	return RUN_DONE;
}

bool imap_output_full(const struct imap *imap)
{
	return imap->io->out->n >= LIMIT_OUTPUT_HIGH_WATER_BYTES;
}

bool imap_spend(struct imap *imap)
{
	if (imap->work.budget == 0)
		return false;
	imap->work.budget--;
	return true;
}

void connection_enable(struct imap *imap, unsigned enabled)
{
	if (enabled & ENABLED_QRESYNC)
		enabled |= ENABLED_CONDSTORE;
	imap->enabled |= enabled;
	imap->out.utf8 = imap->enabled & ENABLED_UTF8_NAMES;
}

/* What it may take for its last known modseq. RFC 7162 section 7: at least 1. */
static uint64_t known_modseq(const struct imap *imap)
{
	uint64_t modseq = view_modseq(imap->view);

	return modseq > 0 ? modseq : 1;
}

void connection_tell_enabled(struct imap *imap, unsigned before)
{
	if (!(imap->enabled & ~before & ENABLED_CONDSTORE) || imap->state != IMAP_SELECTED)
		return;
	write_format(&imap->out, "* OK [HIGHESTMODSEQ %llu] Modification sequences are told now\r\n",
		(unsigned long long)known_modseq(imap));
}

void connection_enable_condstore(struct imap *imap)
{
	unsigned before = imap->enabled;

	connection_enable(imap, ENABLED_CONDSTORE);
	connection_tell_enabled(imap, before);
}

bool connection_tells_modseq(const struct imap *imap)
{
	return imap->enabled & ENABLED_CONDSTORE;
}

bool connection_tells_uid(const struct imap *imap)
{
	if (imap->enabled & ENABLED_UIDONLY) /* it stands before UIDFETCH */
		return false;
	return imap->enabled & (ENABLED_CONDSTORE | ENABLED_REV2);
}

bool connection_is_recent(const struct imap *imap, uint32_t msg_uid)
{
	return !(imap->enabled & ENABLED_REV2) && view_is_recent(imap->view, msg_uid);
}

void connection_write_fetch(struct imap *imap, uint32_t seqnum, uint32_t msg_uid)
{
	bool by_uid = imap->enabled & ENABLED_UIDONLY;

	write_raw(&imap->out, SLICE("* "));
	write_number(&imap->out, by_uid ? msg_uid : seqnum);
	write_text(&imap->out, by_uid ? " UIDFETCH (" : " FETCH (");
}

void connection_write_modseq(struct imap *imap, uint64_t modseq)
{
	write_raw(&imap->out, SLICE("MODSEQ ("));
	write_number(&imap->out, modseq);
	write_raw(&imap->out, SLICE(")"));
	if (modseq > imap->modseq_told)
		imap->modseq_told = modseq;
}

void connection_complete_modseq(struct imap *imap)
{
	bool wanted = imap->state == IMAP_SELECTED && (imap->enabled & ENABLED_CONDSTORE) &&
		      notify_wants_flags(imap) && /* else it would not know what it claims to know */
		      (imap->expunge_told || imap->modseq_told > view_modseq(imap->view));
	struct slice code;

	imap->expunge_told = false;
	imap->modseq_told = 0;
	if (!wanted)
		return;
	code = arena_format(&imap->arena, "HIGHESTMODSEQ %llu",
		(unsigned long long)known_modseq(imap));
	if (imap->command.completion == COMPLETION_OK && !imap->command.code)
		imap->command.code = arena_str(&imap->arena, code);
	else
		write_format(&imap->out, "* OK [%.*s] Known so far\r\n", SLICE_FMT(code));
}

void connection_progress(struct imap *imap, uint64_t done, uint64_t goal)
{
	imap->command.items_done = done;
	imap->command.items_goal = goal;
}

bool connection_limit(struct imap *imap, struct seq_ranges *seqnums)
{
	uint64_t limit = imap->settings.message_limit, count = seq_ranges_count(seqnums);

	if (count <= limit)
		return false;
	for (uint64_t drop = count - limit; drop > 0;) {
		struct seq_range *range = seqnums->ranges;
		uint64_t n = (uint64_t)range->last - range->first + 1;

		if (n <= drop) {
			seqnums->ranges++;
			seqnums->n--;
			seqnums->cap--;
		} else {
			range->first += (uint32_t)drop;
		}
		drop -= n <= drop ? n : drop;
	}
	imap->command.limited_uid = view_uid(imap->view, seqnums->ranges[0].first);
	return true;
}

void connection_complete_limit(struct imap *imap)
{
	struct command *command = &imap->command;
	struct slice code;

	if (command->limited_uid == 0 || command->completion == COMPLETION_BAD)
		return;
	code = arena_format(&imap->arena, "MESSAGELIMIT %u %u", imap->settings.message_limit,
		command->limited_uid);
	if (!command->code) {
		command->code = arena_str(&imap->arena, code);
		command->text = command->completion == COMPLETION_OK
					? "Not all messages: go on with those below"
					: "Too many messages; try a smaller set";
	} else {
		write_format(&imap->out, "* NO [%.*s] Not all messages: go on with those below\r\n",
			SLICE_FMT(code));
	}
}

void imap_deselect(struct imap *imap)
{
	if (imap->state != IMAP_SELECTED)
		return;
	imap_save_result(imap, NULL);
	contexts_done(imap);
	notify_note_deselected(imap);
	message_file_close(&imap->file);
	view_close(imap->view);
	mailbox_close(imap->mailbox);
	imap->view = NULL;
	imap->mailbox = NULL;
	imap->updates = (struct updates){ 0 };
	imap->expunge_told = false;
	imap->modseq_told = 0;
	imap_set_state(imap, IMAP_AUTHENTICATED);
}

void imap_save_result(struct imap *imap, const struct seq_ranges *uids)
{
	size_t n = uids ? uids->n : 0;

	free(imap->saved.ranges);
	imap->saved = (struct seq_ranges){ 0 };
	if (n == 0)
		return;
	imap->saved.ranges = malloc(n * sizeof *uids->ranges);
	must(imap->saved.ranges != NULL);
	memcpy(imap->saved.ranges, uids->ranges, n * sizeof *uids->ranges);
	imap->saved.n = imap->saved.cap = n;
}

/* "*" among UIDs is the highest one there is; in an empty mailbox it names nothing. */
static enum parse seqnums_of_set(
	struct imap *imap, struct slice set, bool by_uid, struct seq_ranges *ret_seqnums)
{
	uint32_t exists = view_exists(imap->view), star = exists;
	struct seq_ranges numbers;

	if (by_uid)
		star = exists > 0 ? view_uid(imap->view, exists) : mailbox_uidnext(imap->mailbox);
	if (seqset_parse(set, star, &imap->arena, &numbers) != PARSE_OK ||
		(!by_uid && numbers.ranges[numbers.n - 1].last > exists))
		return PARSE_BAD;
	*ret_seqnums = by_uid ? uid_ranges_to_seqnums(imap->view, &numbers, &imap->arena) : numbers;
	return PARSE_OK;
}

enum parse imap_seqnums(
	struct imap *imap, struct slice set, bool by_uid, struct seq_ranges *ret_seqnums)
{
	bool has_saved = seqset_cut_saved(&set);
	struct seq_ranges seqnums = { 0 }, saved;

	if (set.n > 0 && seqnums_of_set(imap, set, by_uid, &seqnums) != PARSE_OK)
		return PARSE_BAD;
	if (has_saved) {
		saved = uid_ranges_to_seqnums(imap->view, &imap->saved, &imap->arena);
		seqnums = seq_ranges_union(&seqnums, &saved, &imap->arena);
	}
	*ret_seqnums = seqnums;
	return PARSE_OK;
}

uint32_t *imap_uids(struct imap *imap, const struct seq_ranges *seqnums, size_t *ret_n)
{
	uint32_t *uids = arena_array(&imap->arena, seq_ranges_count(seqnums), sizeof *uids);
	size_t n = 0;

	for (size_t i = 0; i < seqnums->n; i++)
		for (uint32_t seqnum = seqnums->ranges[i].first; seqnum <= seqnums->ranges[i].last;
			seqnum++)
			if (view_message(imap->view, seqnum))
				uids[n++] = view_uid(imap->view, seqnum);
	*ret_n = n;
	return uids;
}
