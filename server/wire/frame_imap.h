/* frame_imap.h - finds one whole IMAP command, literals included, in a stream of bytes. Pure; it never answers. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

/*
 *            line end                    literal announced
 *   LINE ───────────────▶ COMMAND   LINE ─────────────────▶ ASK ──accept──▶ LITERAL ──all read──▶ LINE
 *     │ beyond limit                                          │ │ divert: the caller takes its octets ──▶ LINE
 *     │                                                       │ refuse
 *     ▼                                                       ▼
 *   SKIP ◀──────────────── nonsync: its octets are skipped ◀──┘── sync: it will not come ──▶ SKIPPED
 *     │ line end
 *     ▼
 *   SKIPPED
 *
 * A line ends with CRLF, or with LF alone. It announces a literal when it ends with {n}, {n+}, ~{n} or ~{n+}
 * (RFC 9051 section 4.3, RFC 7888). Lines that are skipped may announce literals too: those that come unasked are
 * skipped with them, a sync one ends the command, for the client waits for an answer.
 */
enum frame_event {
	FRAME_MORE,    /* all bytes were taken; the command is not whole yet */
	FRAME_COMMAND, /* frame->command is one whole command, without its last line end; literals stand in it as they came */
	FRAME_LITERAL, /* frame->literal was announced: call frame_imap_accept() or frame_imap_refuse(), then go on */
	FRAME_TOO_LONG, /* the line passed its limit; the rest of the command will be skipped. Told once, then go on */
	FRAME_SKIPPED, /* what was refused or too long is over; frame->command is what came before it, for the tag */
	FRAME_OVERFLOW, /* more would have to be skipped than the limit allows: close. Told again and again */
};

struct frame_imap_limits {
	size_t line_bytes; /* of one command, its literals left out */
	size_t literal_bytes; /* of one command, its lines left out: larger ones are announced, but cannot be accepted */
	uint64_t skip_bytes; /* of one command that is skipped */
};

struct frame_literal {
	uint64_t octets; /* UINT64_MAX for a number beyond 64 bits */
	bool sync;       /* the client waits for a continuation */
	bool literal8;
};

enum frame_state {
	FRAME_STATE_LINE,
	FRAME_STATE_ASK,
	FRAME_STATE_LITERAL,
	FRAME_STATE_DIVERTED,
	FRAME_STATE_SKIP_LINE,
	FRAME_STATE_SKIP_LITERAL,
	FRAME_STATE_SKIPPED,
	FRAME_STATE_DONE,
	FRAME_STATE_OVERFLOW
};

enum { FRAME_TAIL_BYTES = 32 };

/* command and literal are for reading; the rest is frame_imap.c's. */
struct frame_imap {
	struct frame_imap_limits limits;
	struct buf command;
	struct frame_literal literal;

	enum frame_state state;
	size_t line_start;           /* in command: where the current line begins */
	size_t line_bytes;           /* read of this command, its literals left out */
	size_t literals_bytes;       /* accepted for this command */
	uint64_t left_octets;        /* of the literal being read or skipped */
	uint64_t skipped_bytes;      /* of this command */
	char tail[FRAME_TAIL_BYTES]; /* the last bytes of a line that is being skipped */
	size_t tail_n;
};

/* Begin. Freed with frame_imap_done(). */
void frame_imap_init(struct frame_imap *frame, const struct frame_imap_limits *limits);
void frame_imap_done(struct frame_imap *frame);

/*
 * Take bytes off the front of in, up to the next event. After FRAME_COMMAND and FRAME_SKIPPED the command stays as
 * it is until the next call, which begins a new one.
 */
enum frame_event frame_imap_next(struct frame_imap *frame, struct buf *in);

/* Say whether the announced literal fits the limits. */
bool frame_imap_fits(const struct frame_imap *frame);

/* After FRAME_LITERAL: read it. It must fit. The caller sends the continuation of a sync literal. */
void frame_imap_accept(struct frame_imap *frame);

/* After FRAME_LITERAL: skip it and the rest of its command; FRAME_SKIPPED follows. The caller sends no continuation. */
void frame_imap_refuse(struct frame_imap *frame);

/*
 * After FRAME_LITERAL: the caller takes its octets itself, as many as there are: they do not come into the command, which goes
 * on behind them. The caller sends the continuation of a sync literal. frame_imap_next() may be called again
 * when none are left.
 */
void frame_imap_divert(struct frame_imap *frame);
/* How many octets of it are still to come. */
uint64_t frame_imap_diverted(const struct frame_imap *frame);
/* Drop bytes of it, at most that many, from the front of in. */
void frame_imap_take(struct frame_imap *frame, struct buf *in, size_t bytes);

/*
 * Give the command up, wherever it stands: what of it is still to come will be skipped, and FRAME_SKIPPED follows. After
 * FRAME_COMMAND nothing is to come, and nothing happens.
 */
void frame_imap_abandon(struct frame_imap *frame);

/* Whether bytes of a command that is not whole have come. */
bool frame_imap_is_open(const struct frame_imap *frame);

/* Forget the command, and free its memory if it is more than a small one's. */
void frame_imap_shrink(struct frame_imap *frame);

/*
 * Read the announcement of a literal at the end of a line (its line end already cut off).
 * Returns whether there is one. RFC 9051 section 9, literal and literal8; RFC 7888.
 */
bool frame_imap_literal(struct slice line, struct frame_literal *ret_literal);
