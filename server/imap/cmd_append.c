/*
 *   ┌──────────────────────▶ NEXT ──the end──▶ CHECK ──▶ COMMIT ──▶ OK
 *   │                         │                            └─REPLACE──▶ FINISH ──▶ OK
 *   │   ┌──────────┬──────────┼───────────┐
 *   │   ▼          ▼          ▼           ▼
 *   │  BEGIN    INVITE       FIND        END              any of them ──fault──▶ NO or BAD, the rest is read over
 *   │   │          ▼          ▼           │
 *   │   │       RECEIVE      COPY         │
 *   │   │          ▼          │           │
 *   └───┴─◀───── READ         ├───────────┴──▶ NEXT
 *
 * NEXT takes an element of what came of the command; READ has the frame find what comes behind a literal.
 */
#include "server/imap/cmd_append.h"

#include "base/must.h"
#include "maildir/append.h"
#include "maildir/quota_file.h"
#include "server/imap/binary_encoding.h"
#include "server/imap/connection.h"
#include "server/imap/imap_url.h"
#include "server/imap/replace.h"
#include "server/imap/url_source.h"

#include <errno.h>

enum {
	RECEIVE_UNIT_BYTES = 16 * 1024,
	COPY_UNIT_BYTES = 32 * 1024,
	COPY_BYTES = 2 * COPY_UNIT_BYTES,
	URL_TOLD_BYTES = 1024, /* of one that is told to be bad */
};

enum append_stage {
	APPEND_NEXT,
	APPEND_BEGIN,
	APPEND_INVITE,
	APPEND_RECEIVE,
	APPEND_READ,
	APPEND_FIND,
	APPEND_COPY,
	APPEND_FINISH_MESSAGE,
	APPEND_ENCODE,
	APPEND_CHECK,
	APPEND_COMMIT,
	APPEND_REPLACE,
};

struct append_progress {
	enum append_stage stage;
	struct mailbox *mailbox;
	struct append *append;
	struct quota_sum announced; /* of the messages so far, without what REPLACE frees */
	bool knows_freed;           /* it was taken off */

	size_t at; /* in the frame's command: where the next element begins */
	struct append_grammar place;
	struct append_element element;
	uint64_t octets; /* of the message under way */
	struct mime_parser *parser; /* of a message that has a literal8, or may; else NULL */
	struct line_ends line_ends; /* of that message */
	struct binary_encoding *encoding; /* its binary parts are being encoded; else NULL */

	struct imap_url url;
	struct url_source *source; /* or NULL */
	uint64_t source_octets;    /* once it was found; 0 before */
	bool source_found;
	struct buf copied;

	struct replace replace;
	uint32_t new_uid;
};

static void close_source(struct append_progress *p)
{
	if (p->source)
		url_source_free(take_ptr(p->source));
	p->source_found = false;
	buf_done(&p->copied);
}

static void close_parser(struct append_progress *p)
{
	if (p->parser)
		mime_parser_free(take_ptr(p->parser));
	line_ends_done(&p->line_ends);
	if (p->encoding)
		binary_encoding_free(take_ptr(p->encoding));
}

static void give_up(struct append_progress *p)
{
	close_source(p);
	close_parser(p);
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

static bool replaces(const struct imap *imap)
{
	return imap->command.arguments.append.replaced > 0;
}

static enum run append_failed(struct imap *imap, const struct append_progress *p, int error)
{
	if (error == -EFBIG)
		return imap_no(imap, "TOOBIG", "The message is too large");
	if (error == -ESTALE && p->mailbox != imap->mailbox)
		return imap_no(imap, "UNAVAILABLE", "The mailbox was made anew; try again");
	return imap_change_failed(imap, p->mailbox, "messages cannot be added", error);
}

/* RFC 4469 section 4.1. What may not stand in a response code is encoded, as it should have been. */
static enum run bad_url(struct imap *imap, const struct append_progress *p, const char *why)
{
	_cleanup_buf_ struct buf code = BUF(3 * URL_TOLD_BYTES + 64);
	struct slice url = slice_head(p->element.url, URL_TOLD_BYTES);
	struct writer w = { .out = &code };

	write_text(&w, "BADURL \"");
	for (size_t i = 0; i < url.n; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"\\]", c))
			write_format(&w, "%%%02X", c);
		else
			write_raw(&w, slice_from(&url.p[i], 1));
	}
	write_text(&w, "\"");
	must(!w.failed);
	return imap_no(imap, arena_str(&imap->arena, buf_slice(&code)), why);
}

static enum run begin_append(struct imap *imap)
{
	const struct append_arguments *a = &imap->command.arguments.append;
	struct append_progress *p = arena_alloc(&imap->arena, sizeof *p);
	struct quota_sum freed = { 0 };

	*p = (struct append_progress){
		.at = imap->frame.command.n - a->left,
		.place = { .single = replaces(imap) },
		.copied = BUF(COPY_BYTES),
	};
	imap->command.progress = p;

	int r = mailbox_open(
		imap->settings.store, connection_name(imap, a->mailbox), &p->mailbox);

	if (r == -ENOENT)
		return imap_no(imap, "TRYCREATE", "No such mailbox");
	if (r < 0)
		return imap_failed(imap, r);
	p->append = append_new(p->mailbox);
	if (!replaces(imap))
		return RUN_DONE;

	enum run run = replace_begin(imap, &p->replace, &freed);

	append_replaces(p->append, &freed);
	return run;
}

/* What came of the command was used up: there is more. */
static bool must_read(const struct imap *imap)
{
	return imap->frame.state != FRAME_STATE_DONE && imap->frame.state != FRAME_STATE_ASK;
}

/* The literal announced is that of a URL: it becomes part of the command. */
static enum run accept_string(struct imap *imap, struct append_progress *p)
{
	if (!frame_imap_fits(&imap->frame)) {
		(void)imap_bad(imap, "Literal is too long");
		imap->command.code = "TOOBIG";
		return RUN_DONE;
	}
	frame_imap_accept(&imap->frame);
	if (imap->frame.literal.sync)
		write_raw(&imap->out, SLICE("+ Ready for the literal\r\n"));
	p->stage = APPEND_READ;
	return RUN_DONE;
}

static enum run next_element(struct imap *imap, struct append_progress *p)
{
	static const enum append_stage stages[] = {
		[APPEND_MESSAGE] = APPEND_BEGIN,
		[APPEND_LITERAL] = APPEND_INVITE,
		[APPEND_URL] = APPEND_FIND,
		[APPEND_MESSAGE_END] = APPEND_FINISH_MESSAGE,
		[APPEND_END] = APPEND_CHECK,
	};
	struct grammar grammar = { .arena = &imap->arena, .enabled = imap->enabled };
	struct slice in = slice_tail(buf_slice(&imap->frame.command), p->at);

	if (must_read(imap)) {
		p->stage = APPEND_READ;
		return RUN_DONE;
	}
	if (!imap_spend(imap))
		return RUN_STEP;
	switch (grammar_append_next(&in, &grammar, &p->place, &p->element)) {
	case PARSE_OK:
		p->at = imap->frame.command.n - in.n;
		p->stage = stages[p->element.kind];
		return RUN_DONE;
	case PARSE_MORE:
		return accept_string(imap, p);
	default:
		return imap_fault(imap, &grammar);
	}
}

/* Whether so many octets more may come. RUN_DONE: the command is completed if they may not. */
static enum run check_octets(struct imap *imap, struct append_progress *p, uint64_t octets)
{
	if (octets > LIMIT_MESSAGE_BYTES - p->octets)
		return append_failed(imap, p, -EFBIG);
	if (replaces(imap) && !p->knows_freed) {
		struct quota_sum freed;

		if (replace_freed_octets(imap, &p->replace, &freed) < 0)
			return RUN_STEP;
		p->announced.bytes -= freed.bytes;
		p->announced.messages -= freed.messages;
		p->knows_freed = true;
	}

	struct quota_sum more = { p->announced.bytes + (int64_t)octets, p->announced.messages };
	int r = quota_check(imap->settings.store, mailbox_name(p->mailbox), &more, &imap->work);
	enum run wait = imap_wait(imap, &r);

	if (wait != RUN_DONE)
		return wait;
	if (r < 0)
		return append_failed(imap, p, r);
	p->announced = more;
	p->octets += octets;
	return RUN_DONE;
}

/* RFC 9738 section 3.1. */
static enum run too_many(struct imap *imap)
{
	struct slice code =
		arena_format(&imap->arena, "MESSAGELIMIT %u", imap->settings.message_limit);

	return imap_no(imap, arena_str(&imap->arena, code), "Too many messages for one APPEND");
}

static enum run begin_message(struct imap *imap, struct append_progress *p)
{
	const struct append_element *e = &p->element;
	uint64_t octets = p->place.catenates ? APPEND_OCTETS_UNKNOWN : imap->frame.literal.octets;
	const struct append_message message = {
		.octets = octets,
		.flags = e->flags,
		.keywords = e->keywords,
		.keywords_n = e->keywords_n,
		.internaldate = e->has_date ? e->internaldate : APPEND_DATE_NOW,
		.may_hold_nul = true, /* which literals may is looked at here */
	};

	if (octets == 0)
		return imap_no(imap, "CANNOT", "A message cannot be empty");
	if (append_count(p->append) >= imap->settings.message_limit)
		return too_many(imap);
	if (!p->place.catenates && octets > LIMIT_MESSAGE_BYTES)
		return append_failed(imap, p, -EFBIG);

	int r = append_begin(p->append, &message, imap->io->now_usec);

	if (r < 0)
		return append_failed(imap, p, r);
	p->announced.messages++;
	p->octets = 0;
	if (p->place.catenates || imap->frame.literal.literal8)
		p->parser = mime_parser_new();
	p->stage = APPEND_NEXT;
	return RUN_DONE;
}

static int write_octets(struct append_progress *p, struct slice octets)
{
	if (p->parser) {
		mime_parser_feed(p->parser, octets);
		line_ends_note(&p->line_ends, octets);
	}
	return append_write(p->append, octets);
}

static enum run invite(struct imap *imap, struct append_progress *p)
{
	if (imap->frame.state != FRAME_STATE_ASK)
		return imap_bad(imap, "Expected a message, as a literal");

	enum run run = check_octets(imap, p, imap->frame.literal.octets);

	if (run != RUN_DONE || imap->command.completion != COMPLETION_NONE)
		return run;
	p->at = imap->frame.command.n;
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
		if (!p->element.literal8 && slice_find(octets, '\0') >= 0)
			return imap_bad(imap, "NUL can stand in a literal8 only");
		r = write_octets(p, octets);
		frame_imap_take(&imap->frame, in, octets.n);
	}
	p->stage = APPEND_READ;
	return r < 0 ? append_failed(imap, p, r) : RUN_DONE;
}

/* What follows a literal: the line end, or a further literal. */
static enum run read_line(struct imap *imap, struct append_progress *p)
{
	switch (frame_imap_next(&imap->frame, imap->io->in)) {
	case FRAME_MORE:
		return imap->io->in_eof ? imap_close(imap, CLOSE_CLIENT_GONE) : RUN_INPUT;
	case FRAME_COMMAND:
	case FRAME_LITERAL:
		p->stage = APPEND_NEXT;
		return RUN_DONE;
	case FRAME_TOO_LONG:
		(void)imap_bad(imap, "Command line is too long");
		imap->command.code = "TOOBIG";
		return RUN_DONE;
	default:
		must(false); /* nothing is being skipped */
	}
	return RUN_DONE;
}

static enum run source_failed(struct imap *imap, const struct append_progress *p, int error)
{
	if (error == -ENOENT || error == -EINVAL || error == -ENAMETOOLONG)
		return bad_url(imap, p, "There is no such message or part");
	return imap_change_failed(imap, p->mailbox, "a message cannot be read", error);
}

static enum run open_source(struct imap *imap, struct append_progress *p)
{
	if (imap_url_parse(p->element.url, &imap->arena, &p->url) != PARSE_OK)
		return bad_url(imap, p, "Only messages and their parts can be catenated, by /MAILBOX/;UID=N");

	int r = url_source_open(imap->settings.store, connection_name(imap, p->url.mailbox),
		&p->url, &p->source);

	return r < 0 ? source_failed(imap, p, r) : RUN_DONE;
}

static enum run find_source(struct imap *imap, struct append_progress *p)
{
	enum run run = p->source ? RUN_DONE : open_source(imap, p);

	if (run != RUN_DONE || imap->command.completion != COMPLETION_NONE)
		return run;
	if (!p->source_found) {
		int r = url_source_find(p->source, &imap->work, &p->source_octets);
		enum run wait = imap_wait(imap, &r);

		if (wait != RUN_DONE)
			return wait;
		if (r < 0)
			return source_failed(imap, p, r);
		p->source_found = true;
	}
	run = check_octets(imap, p, p->source_octets);
	if (run == RUN_DONE)
		p->stage = APPEND_COPY;
	return run;
}

static enum run copy_source(struct imap *imap, struct append_progress *p)
{
	int r;

	do {
		buf_clear(&p->copied);
		r = url_source_read(p->source, &p->copied, COPY_UNIT_BYTES, &imap->work);
		if (r == -EINPROGRESS && p->copied.n == 0)
			return RUN_STEP;
		if (r < 0 && r != -EINPROGRESS)
			return source_failed(imap, p, r);

		int written = write_octets(p, buf_slice(&p->copied));

		if (written < 0)
			return append_failed(imap, p, written);
	} while (r == -EINPROGRESS && imap_spend(imap));
	if (r == -EINPROGRESS)
		return RUN_STEP;
	close_source(p);
	p->stage = APPEND_NEXT;
	return RUN_DONE;
}

static enum run finish_file(struct imap *imap, struct append_progress *p)
{
	close_parser(p);

	int r = append_finish(p->append);

	p->stage = APPEND_NEXT;
	return r < 0 ? append_failed(imap, p, r) : RUN_DONE;
}

/* RFC 3516 section 4.4. The message is written once more, with the encoding that keeps it. */
static enum run begin_encoding(struct imap *imap, struct append_progress *p)
{
	int fd, r = append_begin_anew(p->append, &fd);

	if (r < 0)
		return append_failed(imap, p, r);
	p->encoding = binary_encoding_new(fd, mime_parser_finish(p->parser), &p->line_ends);
	return RUN_DONE;
}

static enum run encode(struct imap *imap, struct append_progress *p)
{
	_cleanup_buf_ struct buf encoded = BUF(BINARY_OUT_BYTES);
	int r;

	do {
		if (!imap_spend(imap))
			return RUN_STEP;
		buf_clear(&encoded);
		r = binary_encoding_read(p->encoding, &encoded);
		if (r == 0 || r == -EINPROGRESS) {
			int written = append_write(p->append, buf_slice(&encoded));

			r = written < 0 ? written : r;
		}
	} while (r == -EINPROGRESS);
	return r < 0 ? append_failed(imap, p, r) : finish_file(imap, p);
}

static enum run finish_message(struct imap *imap, struct append_progress *p)
{
	if (p->octets == 0)
		return imap_no(imap, "CANNOT", "A message cannot be empty");

	enum binary_need need =
		p->parser ? binary_need(mime_parser_finish(p->parser)) : BINARY_KEPT;

	if (need == BINARY_REFUSED || (need == BINARY_ENCODE && p->line_ends.overflow))
		return imap_no(imap, "UNKNOWN-CTE",
			"A binary part with LF that has no CR before it cannot be kept; use base64");
	if (need == BINARY_ENCODE) {
		p->stage = APPEND_ENCODE;
		return begin_encoding(imap, p);
	}
	return finish_file(imap, p);
}

static enum run check(struct imap *imap, struct append_progress *p)
{
	enum run run = replaces(imap) ? replace_check(imap, &p->replace) : RUN_DONE;

	if (run == RUN_DONE)
		p->stage = APPEND_COMMIT;
	return run;
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
	notify_note_own(imap, p->mailbox, first, n);
	if (replaces(imap)) {
		p->new_uid = first;
		p->stage = APPEND_REPLACE;
		return RUN_DONE;
	}
	code = n > 1 ? arena_format(&imap->arena, "APPENDUID %u %u:%u",
			       mailbox_uidvalidity(p->mailbox), first, first + n - 1)
		     : arena_format(&imap->arena, "APPENDUID %u %u",
			       mailbox_uidvalidity(p->mailbox), first);
	return imap_ok(imap, arena_str(&imap->arena, code), NULL);
}

static enum run run_stage(struct imap *imap, struct append_progress *p)
{
	switch (p->stage) {
	case APPEND_NEXT:
		return next_element(imap, p);
	case APPEND_BEGIN:
		return begin_message(imap, p);
	case APPEND_INVITE:
		return invite(imap, p);
	case APPEND_RECEIVE:
		return receive(imap, p);
	case APPEND_READ:
		return read_line(imap, p);
	case APPEND_FIND:
		return find_source(imap, p);
	case APPEND_COPY:
		return copy_source(imap, p);
	case APPEND_FINISH_MESSAGE:
		return finish_message(imap, p);
	case APPEND_ENCODE:
		return encode(imap, p);
	case APPEND_CHECK:
		return check(imap, p);
	case APPEND_COMMIT:
		return commit(imap, p);
	case APPEND_REPLACE:
		break;
	}
	return replace_finish(imap, &p->replace, p->mailbox, p->new_uid);
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
