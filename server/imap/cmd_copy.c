#include "server/imap/cmd_copy.h"

#include "maildir/copy.h"
#include "server/imap/connection.h"

#include <errno.h>

struct copy_progress {
	struct mailbox *target;
	struct copy *copy;
	size_t n; /* messages */
};

void end_copy(struct imap *imap)
{
	struct copy_progress *p = imap->command.progress;

	if (!p)
		return;
	if (p->copy)
		copy_free(p->copy);
	if (p->target)
		mailbox_close(p->target);
}

static enum run gone(struct imap *imap)
{
	return imap_no(imap, "EXPUNGEISSUED", "Some of the messages were expunged");
}

/* Complete the command with a fault, and return false; or begin. */
static bool begin_copy(struct imap *imap, bool move)
{
	const struct set_arguments *a = &imap->command.arguments.set;
	bool by_uid = imap->command.type->flags & COMMAND_BY_UID;
	struct seq_ranges seqnums;
	size_t n;

	if (imap_seqnums(imap, a->set, by_uid, &seqnums) != PARSE_OK) {
		(void)imap_bad(imap, "No such sequence number");
		return false;
	}

	if (connection_limit(imap, &seqnums) && !move) { /* a copy is whole, or is not made */
		(void)imap_no(imap, NULL, NULL);
		return false;
	}

	const uint32_t *uids = imap_uids(imap, &seqnums, &n);

	if (!by_uid && n < seq_ranges_count(&seqnums)) {
		(void)gone(imap);
		return false;
	}

	struct copy_progress *p = arena_alloc(&imap->arena, sizeof *p);

	*p = (struct copy_progress){ .n = n };
	imap->command.progress = p;

	int r = mailbox_open(
		imap->settings.store, connection_name(imap, a->mailbox), &p->target);

	if (r == -ENOENT)
		(void)imap_no(imap, "TRYCREATE", "No such mailbox");
	else if (r < 0)
		(void)imap_failed(imap, r);
	if (r < 0)
		return false;
	p->copy = copy_new(&(struct copy_order){
		.source = imap->mailbox,
		.target = p->target,
		.uids = uids,
		.n = n,
		.need_all = !by_uid,
		.move = move,
	});
	return true;
}

static struct slice copyuid(struct imap *imap, const struct copy_progress *p)
{
	_cleanup_buf_ struct buf text = BUF(LIMIT_OUTPUT_BYTES / 2);
	struct writer w = { .out = &text };
	struct seq_ranges from = { 0 }, to = { 0 };
	const uint32_t *uids, *copies;
	size_t n = copy_result(p->copy, &uids, &copies);

	if (n == 0)
		return SLICE("");
	for (size_t i = 0; i < n; i++) {
		seq_ranges_add(&from, &imap->arena, uids[i]);
		seq_ranges_add(&to, &imap->arena, copies[i]);
	}
	for (size_t i = 0; i < to.n; i++)
		notify_note_own(imap, p->target, to.ranges[i].first,
			to.ranges[i].last - to.ranges[i].first + 1);
	write_format(&w, "COPYUID %u ", mailbox_uidvalidity(p->target));
	write_ranges(&w, &from);
	write_raw(&w, SLICE(" "));
	write_ranges(&w, &to);
	return w.failed ? SLICE("") : arena_copy(&imap->arena, buf_slice(&text));
}

static enum run finish_copy(struct imap *imap, struct copy_progress *p, bool move)
{
	struct slice code = copyuid(imap, p);

	if (code.n == 0)
		return imap_ok(imap, NULL, "No messages were found");
	if (!move)
		return imap_ok(imap, arena_str(&imap->arena, code), NULL);
	write_raw(&imap->out, SLICE("* OK ["));
	write_raw(&imap->out, code);
	write_raw(&imap->out, SLICE("] Moved UIDs\r\n"));
	return imap_ok(imap, NULL, NULL);
}

static enum run copy_failed(struct imap *imap, const struct copy_progress *p, int error)
{
	if (error == -ENOENT)
		return gone(imap);
	if (error == -ESTALE && p->target != imap->mailbox)
		return imap_no(imap, "UNAVAILABLE", "The mailbox was made anew; try again");
	return imap_change_failed(imap, p->target, "messages cannot be copied here", error);
}

static enum run run_copy(struct imap *imap, bool move)
{
	if (!imap->command.progress && !begin_copy(imap, move))
		return RUN_DONE;

	struct copy_progress *p = imap->command.progress;
	connection_progress(imap, copy_done(p->copy), p->n);

	int r = copy_step(p->copy, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	return r < 0 ? copy_failed(imap, p, r) : finish_copy(imap, p, move);
}

enum run cmd_copy(struct imap *imap)
{
	return run_copy(imap, false);
}

enum run cmd_move(struct imap *imap)
{
	return run_copy(imap, true);
}
