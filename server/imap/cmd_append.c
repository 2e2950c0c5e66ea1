/*
 *   MESSAGE ──accepted──▶ RECEIVE ──all octets──▶ LINE ──line end──▶ COMMIT ──▶ OK
 *      ▲                                           │
 *      └───────────── a further literal ◀──────────┘          any of them ──fault──▶ NO or BAD, the rest is read over
 */
#include "server/imap/cmd_append.h"

#include "base/must.h"
#include "maildir/append.h"
#include "maildir/quota_file.h"
#include "server/imap/connection.h"

#include <errno.h>

enum { RECEIVE_UNIT_BYTES = 16 * 1024 };

enum append_stage { APPEND_MESSAGE, APPEND_RECEIVE, APPEND_LINE, APPEND_COMMIT };

struct append_progress {
	enum append_stage stage;
	struct mailbox *mailbox;
	struct append *append;
	struct quota_sum announced; /* of the messages so far */
	size_t line_at; /* in the frame's command: where what follows the literal begins */
};

static void give_up(struct append_progress *p)
{
	if (p->append)
		append_free(take_ptr(p->append));
}

void end_append(struct imap *imap)
{
	struct append_progress *p = imap->command.progress;

	if (!p)
		return;
	give_up(p);
	if (p->mailbox)
		mailbox_close(p->mailbox);
}

static enum run append_failed(struct imap *imap, const struct append_progress *p, int error)
{
	if (error == -EILSEQ)
		return imap_bad(imap, "A message cannot contain NUL");
	if (error == -EFBIG)
		return imap_no(imap, "TOOBIG", "The message is too large");
	if (error == -ESTALE && p->mailbox != imap->mailbox)
		return imap_no(imap, "UNAVAILABLE", "The mailbox was made anew; try again");
	return imap_change_failed(imap, p->mailbox, "messages cannot be added", error);
}

static enum run begin_append(struct imap *imap)
{
	struct append_progress *p = arena_alloc(&imap->arena, sizeof *p);

	*p = (struct append_progress){ .stage = APPEND_MESSAGE };
	imap->command.progress = p;

	int r = mailbox_open(
		imap->settings.store,
		connection_name(imap, imap->command.arguments.append.mailbox), &p->mailbox);

	if (r == -ENOENT)
		return imap_no(imap, "TRYCREATE", "No such mailbox");
	if (r < 0)
		return imap_failed(imap, r);
	p->append = append_new(p->mailbox);
	return RUN_DONE;
}

/* Returns RUN_DONE: *r is 0 if the message fits into the quota with those before it; else what to wait for. */
static enum run check_quota(struct imap *imap, struct append_progress *p, uint64_t octets, int *r)
{
	struct quota_sum more = { p->announced.bytes + (int64_t)octets,
		p->announced.messages + 1 };

	*r = quota_check(imap->settings.store, mailbox_name(p->mailbox), &more, &imap->work);

	enum run wait = imap_wait(imap, r);

	if (wait == RUN_DONE && *r == 0)
		p->announced = more;
	return wait;
}

static enum run begin_message(struct imap *imap, struct append_progress *p)
{
	const struct append_arguments *a = &imap->command.arguments.append;
	struct append_message message = {
		.octets = imap->frame.literal.octets,
		.flags = a->flags,
		.keywords = a->keywords,
		.keywords_n = a->keywords_n,
		.internaldate = a->has_date ? a->internaldate : APPEND_DATE_NOW,
	};

	if (message.octets == 0)
		return imap_no(imap, NULL, "A message cannot be empty");
	if (message.octets > LIMIT_MESSAGE_BYTES)
		return append_failed(imap, p, -EFBIG);

	int r;
	enum run wait = check_quota(imap, p, message.octets, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r == 0)
		r = append_begin(p->append, &message, imap->io->now_usec);
	if (r < 0)
		return append_failed(imap, p, r);
	p->line_at = imap->frame.command.n;
	frame_imap_divert(&imap->frame);
	if (imap->frame.literal.sync)
		write_raw(&imap->out, SLICE("+ Ready for the message\r\n"));
	p->stage = APPEND_RECEIVE;
	return RUN_DONE;
}

static enum run receive(struct imap *imap, struct append_progress *p)
{
	struct buf *in = imap->io->in;
	int r = 0;

	while (r == 0 && frame_imap_diverted(&imap->frame) > 0) {
		if (in->n == 0)
			return imap->io->in_eof ? imap_close(imap, CLOSE_CLIENT_GONE) : RUN_INPUT;
		if (!imap_spend(imap))
			return RUN_STEP;

		struct slice octets = slice_head(buf_slice(in), RECEIVE_UNIT_BYTES);

		if (octets.n > frame_imap_diverted(&imap->frame))
			octets.n = (size_t)frame_imap_diverted(&imap->frame);
		r = append_write(p->append, octets);
		frame_imap_take(&imap->frame, in, octets.n);
	}
	if (r == 0)
		r = append_finish(p->append);
	p->stage = APPEND_LINE;
	return r < 0 ? append_failed(imap, p, r) : RUN_DONE;
}

static enum run next_message(struct imap *imap, struct append_progress *p, struct slice line)
{
	struct grammar grammar = { .arena = &imap->arena, .enabled = imap->enabled };

	if (grammar_append_next(&line, &grammar, &imap->command.arguments.append) != PARSE_OK)
		return imap_fault(imap, &grammar);
	p->stage = APPEND_MESSAGE;
	return RUN_DONE;
}

/* What follows a message: the line end, or a further one. */
static enum run read_line(struct imap *imap, struct append_progress *p)
{
	enum frame_event event = frame_imap_next(&imap->frame, imap->io->in);
	struct slice line = slice_tail(buf_slice(&imap->frame.command), p->line_at);
	bool closed = !imap->command.arguments.append.utf8 || slice_skip(&line, ')');

	switch (event) {
	case FRAME_MORE:
		return imap->io->in_eof ? imap_close(imap, CLOSE_CLIENT_GONE) : RUN_INPUT;
	case FRAME_COMMAND:
		if (line.n > 0 || !closed)
			return imap_bad(imap, "Syntax error behind the message");
		p->stage = APPEND_COMMIT;
		return RUN_DONE;
	case FRAME_LITERAL:
		return closed ? next_message(imap, p, line)
			      : imap_bad(imap, "Expected ) behind the message");
	case FRAME_TOO_LONG:
		(void)imap_bad(imap, "Command line is too long");
		imap->command.code = "TOOBIG";
		return RUN_DONE;
	default:
		must(false); /* nothing is being skipped */
	}
	return RUN_DONE;
}

static enum run commit(struct imap *imap, struct append_progress *p)
{
	uint32_t n = (uint32_t)append_count(p->append), first = 0;
	int r = append_commit(p->append, &imap->work, &first);
	enum run wait = imap_wait(imap, &r);
	struct slice code;

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		return append_failed(imap, p, r);
	code = n > 1 ? arena_format(&imap->arena, "APPENDUID %u %u:%u",
			       mailbox_uidvalidity(p->mailbox), first, first + n - 1)
		     : arena_format(&imap->arena, "APPENDUID %u %u",
			       mailbox_uidvalidity(p->mailbox), first);
	return imap_ok(imap, arena_str(&imap->arena, code), NULL);
}

static enum run run_stage(struct imap *imap, struct append_progress *p)
{
	switch (p->stage) {
	case APPEND_MESSAGE:
		return begin_message(imap, p);
	case APPEND_RECEIVE:
		return receive(imap, p);
	case APPEND_LINE:
		return read_line(imap, p);
	case APPEND_COMMIT:
		break;
	}
	return commit(imap, p);
}

enum run cmd_append(struct imap *imap)
{
	enum run run = imap->command.progress ? RUN_DONE : begin_append(imap);
	struct append_progress *p = imap->command.progress;

	while (run == RUN_DONE && imap->command.completion == COMPLETION_NONE)
		run = run_stage(imap, p);
	if (run == RUN_DONE && imap->command.completion != COMPLETION_OK) {
		give_up(p); /* its room on the disk is not held while the rest is read over */
		frame_imap_abandon(&imap->frame);
	}
	return run;
}
