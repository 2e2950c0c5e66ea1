/* engine.h - what a session asks of a protocol engine: bytes in, bytes out, one step at a time. No I/O, no clock. */
#pragma once

#include "base/buf.h"

/* What an engine waits for when a step returns. */
enum engine_wants {
	ENGINE_INPUT,  /* more bytes from the client, or a changed mailbox */
	ENGINE_OUTPUT, /* out is above the high-water mark: step again when it has drained below */
	ENGINE_STEP,   /* the budget was used up: step again when others had their turn */
	ENGINE_RETRY,  /* a lock is held elsewhere: step again after io->retry_usec */
	ENGINE_CLOSE,  /* send what is in out, then close */
};

/* Why a connection ended; CLOSE_NOT_YET while it has not. The texts for the log stand in one table (close_reason_text). */
enum close_reason {
	CLOSE_NOT_YET,
	CLOSE_LOGOUT,        /* LOGOUT or QUIT */
	CLOSE_CLIENT_GONE,   /* end-of-file or reset without LOGOUT */
	CLOSE_IDLE_TIMEOUT,
	CLOSE_SHUTDOWN,      /* the server stops */
	CLOSE_KICKED,        /* by the admin */
	CLOSE_BAD_COMMANDS,  /* too many errors in a row */
	CLOSE_LIMIT,         /* a line or literal over its limit that could not be skipped */
	CLOSE_MAILBOX_FAULT, /* a message file shrank while it was sent, a mailbox went away, a disk fault */
	CLOSE_PROTOCOL,      /* the front broke the channel's rules */
	CLOSE_REASON_COUNT,
};

const char *close_reason_text(enum close_reason reason);

struct engine_io {
	struct buf *in;      /* bytes of the client; the engine consumes from the front */
	struct buf *out;     /* bytes for the client; the engine appends */
	bool in_eof;         /* no more bytes will come after those in *in */
	uint64_t now_usec;   /* wall clock at the start of this step */
	size_t budget;       /* units of work this step may do: one a message touched, one per 16 KiB of body */
	uint64_t retry_usec; /* set by the engine with ENGINE_RETRY: how long to wait */
};

/* Embedded as the first member of an engine's own struct. */
struct engine {
	const struct engine_type *type;
	uint64_t commands;        /* how many were run, for `restantectl who` */
	bool idling;              /* in IDLE: the front keeps the line alive, a changed mailbox is a reason to step */
	enum close_reason reason; /* set when a step returned ENGINE_CLOSE */
	/*
	 * Not 0 when a step returned ENGINE_OUTPUT: the last bytes of out are the answer behind which all is compressed,
	 * both ways, outside of the engine. Who drains out sets it to 0, and only then steps again.
	 */
	size_t compress_bytes;
};

struct engine_type {
	const char *name; /* "imap" or "pop3" */

	/*
	 * Do what can be done with what is there. Called when bytes came, output drained, a retry is
	 * due, or (idling or not) a mailbox of the user may have changed; harmless when nothing did.
	 */
	enum engine_wants (*step)(struct engine *engine, struct engine_io *io);

	/* Say goodbye for reason (`* BYE ...`, `-ERR ...`) into out; nothing is stepped after. Discards pending work. */
	void (*bye)(struct engine *engine, struct engine_io *io, enum close_reason reason);

	/* Append what the connection is doing, for `restantectl who`: "INBOX idle", "UID FETCH". Never message text. */
	void (*describe)(const struct engine *engine, struct buf *out);

	/* Free it. What was not acknowledged is undone or left undone (POP3: nothing is deleted). */
	void (*free)(struct engine *engine);
};
