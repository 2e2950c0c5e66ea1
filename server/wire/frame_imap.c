#include "server/wire/frame_imap.h"

#include "base/must.h"

enum { FRAME_KEPT_BYTES = 4096 };

void frame_imap_init(struct frame_imap *frame, const struct frame_imap_limits *limits)
{
	*frame = (struct frame_imap){
		.limits = *limits,
		.command = BUF(limits->line_bytes + limits->literal_bytes),
	};
}

void frame_imap_done(struct frame_imap *frame)
{
	buf_done(&frame->command);
}

static void begin_command(struct frame_imap *frame)
{
	buf_clear(&frame->command);
	frame->state = FRAME_STATE_LINE;
	frame->line_start = 0;
	frame->line_bytes = 0;
	frame->literals_bytes = 0;
	frame->skipped_bytes = 0;
	frame->tail_n = 0;
}

void frame_imap_shrink(struct frame_imap *frame)
{
	begin_command(frame);
	buf_shrink(&frame->command, FRAME_KEPT_BYTES);
}

bool frame_imap_is_open(const struct frame_imap *frame)
{
	return frame->state != FRAME_STATE_DONE && frame->state != FRAME_STATE_OVERFLOW &&
	       (frame->state != FRAME_STATE_LINE || frame->command.n > 0);
}

/* Read digits up to end; a number that does not fit is as large as a number can be. */
static bool read_octets(struct slice digits, uint64_t *ret_octets)
{
	if (digits.n == 0)
		return false;
	for (size_t i = 0; i < digits.n; i++)
		if (!ascii_is_digit(digits.p[i]))
			return false;
	if (!slice_number(digits, UINT64_MAX, ret_octets))
		*ret_octets = UINT64_MAX;
	return true;
}

bool frame_imap_literal(struct slice line, struct frame_literal *ret_literal)
{
	struct frame_literal literal = { .sync = true };

	if (line.n == 0 || line.p[line.n - 1] != '}')
		return false;
	line.n--;

	ssize_t open = slice_find_last(line, '{');

	if (open < 0)
		return false;

	struct slice digits = slice_tail(line, (size_t)open + 1);

	if (digits.n > 0 && digits.p[digits.n - 1] == '+') {
		literal.sync = false;
		digits.n--;
	}
	if (!read_octets(digits, &literal.octets))
		return false;
	literal.literal8 = open > 0 && line.p[open - 1] == '~';
	*ret_literal = literal;
	return true;
}

/* The line without its LF, and without the CR before it. */
static struct slice line_text(struct slice line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static void move_bytes(struct frame_imap *frame, struct buf *in, size_t bytes)
{
	must(buf_add(&frame->command, slice_head(buf_slice(in), bytes)) == 0);
	buf_consume(in, bytes);
}

/* Count what is read over; false beyond the limit. */
static bool skip(struct frame_imap *frame, struct buf *in, size_t bytes)
{
	buf_consume(in, bytes);
	frame->skipped_bytes += bytes;
	if (frame->skipped_bytes <= frame->limits.skip_bytes)
		return true;
	frame->state = FRAME_STATE_OVERFLOW;
	return false;
}

/* Keep the end of a line that is skipped: an announced literal must be seen. */
static void keep_tail(struct frame_imap *frame, struct slice bytes)
{
	if (bytes.n >= FRAME_TAIL_BYTES) {
		memcpy(frame->tail, bytes.p + bytes.n - FRAME_TAIL_BYTES, FRAME_TAIL_BYTES);
		frame->tail_n = FRAME_TAIL_BYTES;
		return;
	}

	size_t keep = FRAME_TAIL_BYTES - bytes.n;

	if (frame->tail_n > keep) {
		memmove(frame->tail, frame->tail + frame->tail_n - keep, keep);
		frame->tail_n = keep;
	}
	if (bytes.n > 0)
		memcpy(frame->tail + frame->tail_n, bytes.p, bytes.n);
	frame->tail_n += bytes.n;
}

static enum frame_event begin_skip(struct frame_imap *frame)
{
	struct slice line = slice_tail(buf_slice(&frame->command), frame->line_start);

	frame->tail_n = 0;
	keep_tail(frame, line);
	frame->state = FRAME_STATE_SKIP_LINE;
	return FRAME_TOO_LONG;
}

static enum frame_event line_ended(struct frame_imap *frame)
{
	struct slice line = slice_tail(buf_slice(&frame->command), frame->line_start);

	line.n--; /* the LF */
	line = line_text(line);
	if (frame_imap_literal(line, &frame->literal)) {
		frame->state = FRAME_STATE_ASK;
		return FRAME_LITERAL;
	}
	buf_truncate(&frame->command, frame->line_start + line.n);
	frame->state = FRAME_STATE_DONE;
	return FRAME_COMMAND;
}

static enum frame_event read_line(struct frame_imap *frame, struct buf *in)
{
	size_t room = frame->limits.line_bytes - frame->line_bytes;
	ssize_t lf = slice_find(slice_head(buf_slice(in), room), '\n');
	size_t bytes = lf >= 0 ? (size_t)lf + 1 : in->n;

	if (bytes > room) {
		frame->line_bytes += room;
		move_bytes(frame, in, room);
		return begin_skip(frame);
	}
	frame->line_bytes += bytes;
	move_bytes(frame, in, bytes);
	return lf >= 0 ? line_ended(frame) : FRAME_MORE;
}

static enum frame_event read_literal(struct frame_imap *frame, struct buf *in)
{
	size_t bytes = in->n < frame->left_octets ? in->n : (size_t)frame->left_octets;

	move_bytes(frame, in, bytes);
	frame->left_octets -= bytes;
	if (frame->left_octets > 0)
		return FRAME_MORE;
	frame->line_start = frame->command.n;
	frame->state = FRAME_STATE_LINE;
	return FRAME_MORE;
}

/* The literal just announced in a command that is skipped: its octets come unasked, or never. */
static enum frame_event skip_announced(struct frame_imap *frame)
{
	frame->tail_n = 0;
	frame->left_octets = frame->literal.octets;
	frame->state = frame->literal.sync ? FRAME_STATE_SKIPPED : FRAME_STATE_SKIP_LITERAL;
	if (!frame->literal.sync && frame->left_octets > frame->limits.skip_bytes)
		frame->state = FRAME_STATE_OVERFLOW;
	return FRAME_MORE;
}

static enum frame_event skip_line(struct frame_imap *frame, struct buf *in)
{
	ssize_t lf = slice_find(buf_slice(in), '\n');
	size_t bytes = lf >= 0 ? (size_t)lf + 1 : in->n;

	keep_tail(frame, slice_head(buf_slice(in), lf >= 0 ? (size_t)lf : in->n));
	if (!skip(frame, in, bytes) || lf < 0)
		return FRAME_MORE;
	if (frame_imap_literal(line_text(slice_from(frame->tail, frame->tail_n)), &frame->literal))
		return skip_announced(frame);
	frame->state = FRAME_STATE_SKIPPED;
	return FRAME_MORE;
}

static enum frame_event skip_literal(struct frame_imap *frame, struct buf *in)
{
	size_t bytes = in->n < frame->left_octets ? in->n : (size_t)frame->left_octets;

	if (!skip(frame, in, bytes))
		return FRAME_MORE;
	frame->left_octets -= bytes;
	if (frame->left_octets == 0)
		frame->state = FRAME_STATE_SKIP_LINE;
	return FRAME_MORE;
}

enum frame_event frame_imap_next(struct frame_imap *frame, struct buf *in)
{
	for (;;) {
		enum frame_event event = FRAME_MORE;

		must(frame->state != FRAME_STATE_ASK &&
			frame->state != FRAME_STATE_DIVERTED); /* it is the caller's turn */
		if (frame->state == FRAME_STATE_DONE)
			begin_command(frame);
		if (frame->state == FRAME_STATE_OVERFLOW)
			return FRAME_OVERFLOW;
		if (frame->state == FRAME_STATE_SKIPPED) {
			frame->state = FRAME_STATE_DONE;
			return FRAME_SKIPPED;
		}
		if (in->n == 0 && !(frame->state == FRAME_STATE_LITERAL && frame->left_octets == 0))
			return FRAME_MORE;

		if (frame->state == FRAME_STATE_LINE)
			event = read_line(frame, in);
		else if (frame->state == FRAME_STATE_LITERAL)
			event = read_literal(frame, in);
		else if (frame->state == FRAME_STATE_SKIP_LINE)
			event = skip_line(frame, in);
		else
			event = skip_literal(frame, in);
		if (event != FRAME_MORE)
			return event;
	}
}

bool frame_imap_fits(const struct frame_imap *frame)
{
	return frame->literal.octets <= frame->limits.literal_bytes - frame->literals_bytes;
}

void frame_imap_accept(struct frame_imap *frame)
{
	must(frame->state == FRAME_STATE_ASK && frame_imap_fits(frame));
	frame->literals_bytes += (size_t)frame->literal.octets;
	frame->left_octets = frame->literal.octets;
	frame->state = FRAME_STATE_LITERAL;
}

void frame_imap_refuse(struct frame_imap *frame)
{
	must(frame->state == FRAME_STATE_ASK);
	(void)skip_announced(frame);
}

static void end_diverted(struct frame_imap *frame)
{
	if (frame->left_octets > 0)
		return;
	frame->line_start = frame->command.n;
	frame->state = FRAME_STATE_LINE;
}

void frame_imap_divert(struct frame_imap *frame)
{
	must(frame->state == FRAME_STATE_ASK);
	frame->left_octets = frame->literal.octets;
	frame->state = FRAME_STATE_DIVERTED;
	end_diverted(frame);
}

uint64_t frame_imap_diverted(const struct frame_imap *frame)
{
	return frame->state == FRAME_STATE_DIVERTED ? frame->left_octets : 0;
}

void frame_imap_take(struct frame_imap *frame, struct buf *in, size_t bytes)
{
	must(frame->state == FRAME_STATE_DIVERTED && bytes <= frame->left_octets);
	buf_consume(in, bytes);
	frame->left_octets -= bytes;
	end_diverted(frame);
}

void frame_imap_abandon(struct frame_imap *frame)
{
	switch (frame->state) {
	case FRAME_STATE_ASK:
		frame_imap_refuse(frame);
		break;
	case FRAME_STATE_LINE:
		if (frame_imap_is_open(frame))
			(void)begin_skip(frame);
		break;
	case FRAME_STATE_LITERAL:
	case FRAME_STATE_DIVERTED:
		frame->tail_n = 0;
		frame->state = FRAME_STATE_SKIP_LITERAL;
		break;
	default: /* at its end, or being skipped */
		break;
	}
}
