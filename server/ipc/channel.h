/* channel.h - the stream between a front and whoever serves one connection: frames with a 4-byte header, both ways. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/verdict.h"

/*
 * A UNIX stream pair made by the front. Each end takes the other for hostile: every call is
 * MSG_DONTWAIT (the other end may change file status flags), ancillary data is refused, buffers are
 * bounded, and a malformed frame is the end of that peer.
 *
 * On the wire: kind (1 byte), payload size (3 bytes, network order, at most LIMIT_CHANNEL_DATA_BYTES), payload.
 * End-of-file from the front (shutdown for writing) means: the client will send no more.
 */
enum channel_kind {
	CHANNEL_NONE,
	/* front -> auth worker: the first record */
	CHANNEL_CREDENTIALS, /* see credentials.h */
	/* both ways */
	CHANNEL_DATA, /* bytes of the dialogue, never empty */
	/* front -> session */
	CHANNEL_TIMEOUT, /* no payload: the client was silent for too long, say goodbye */
	/* auth worker or session -> front: the first frame */
	CHANNEL_VERDICT, /* see struct channel_verdict */
	/* session -> front */
	CHANNEL_CLOSE,     /* no payload: send what came before, then close the connection */
	/* 1 byte: 1 while the client is in IDLE (the front keeps the line alive), 0 after, before the next response begins */
	CHANNEL_KEEPALIVE,
	/* front -> session */
	CHANNEL_STOP, /* no payload: this front is ending, say goodbye */
	/*
	 * session -> front, of IMAP, once: the tagged OK to COMPRESS, whole. Send it; whatever comes after it, both ways, is
	 * raw DEFLATE towards the client. In one frame, as the client's first compressed bytes may be there as soon as the
	 * OK is. RFC 4978 section 3.
	 */
	CHANNEL_COMPRESS,
	CHANNEL_KIND_COUNT,
};

/* Who we are talking to; a frame it may not send is malformed. */
enum channel_peer { CHANNEL_PEER_FRONT, CHANNEL_PEER_SERVER };

struct channel {
	int fd;
	enum channel_peer peer;
	struct buf in; /* at most LIMIT_CHANNEL_IN_BYTES */
	bool in_eof;
};

struct channel_frame {
	enum channel_kind kind;
	struct slice payload; /* valid until the next channel_read(), channel_next() or channel_close() */
};

/* What a login came to. A worker or session sends it; text is the session's ready answer, empty from a worker. */
struct channel_verdict {
	enum verdict verdict;
	uint64_t delay_usec; /* counted from the start of the login; the front waits for the longer of this and its own */
	struct slice text;   /* IMAP: what follows the tag and "OK " or "NO "; POP3: what follows "+OK " or "-ERR ". May be empty */
};

enum { CHANNEL_HEADER_BYTES = 4, CHANNEL_VERDICT_TEXT_BYTES = 2000, CHANNEL_ANSWER_BYTES = 2000 };

/* Make a pair: SOCK_STREAM, close-on-exec, non-blocking. Returns 0 or -errno. */
_must_check_ int channel_pair(int ret_fds[2]);

/* Say whether fd is a connected AF_UNIX stream socket whose other end was made by process pid. */
bool channel_is_from(int fd, pid_t pid);

/* Take fd over. */
struct channel channel_open(int fd, enum channel_peer peer);

/* Close, wipe and free. The caller has taken fd out of its event loop before. */
void channel_close(struct channel *channel);

/*
 * Read what is there, as far as the buffer allows.
 * Returns  0: something came, or end-of-file (in_eof). -EAGAIN: nothing there, or the buffer is full.
 *          -EPIPE: the socket failed. -EBADMSG: ancillary data came; close.
 */
_must_check_ int channel_read(struct channel *channel);

/*
 * Take the next whole frame.
 * Returns  0: *ret_frame is set; its bytes are consumed, but stay readable until the next channel_read() or channel_next().
 *          -EAGAIN: not whole yet. -EBADMSG: malformed, or of a kind this peer may not send; close.
 */
_must_check_ int channel_next(struct channel *channel, struct channel_frame *ret_frame);

/* Overwrite the payload of a frame just taken with zeros: it held credentials. */
void channel_frame_wipe(struct channel_frame *frame);

/*
 * Send bytes as DATA frames straight from data, as far as the socket takes them.
 * sent     bytes of data taken (never a part of what a header has promised is left behind: the rest of a
 *          frame that was begun goes first at the next call, so data must still begin there).
 * owed     bytes of the frame in progress; starts as 0, kept by the caller from call to call.
 * Returns  0 (also when nothing could be sent), or -EPIPE.
 */
_must_check_ int channel_send_data(struct channel *channel, struct slice data, size_t *owed, size_t *ret_sent);

/*
 * Send one small frame now.
 * The caller sees to it that no DATA frame is in progress (owed is 0).
 * Returns  0; -EAGAIN: no room, try later; -EPIPE.
 */
_must_check_ int channel_send(struct channel *channel, enum channel_kind kind, struct slice payload);

/* Encode and send a verdict; text is cut at CHANNEL_VERDICT_TEXT_BYTES. Returns as channel_send(). */
_must_check_ int channel_send_verdict(struct channel *channel, const struct channel_verdict *verdict);

/* Decode the payload of a VERDICT frame. Returns 0 or -EBADMSG. Control characters in the text are malformed. */
_must_check_ int channel_verdict_parse(struct slice payload, struct channel_verdict *ret_verdict);
