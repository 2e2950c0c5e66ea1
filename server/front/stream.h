/* stream.h - a client's socket, in the clear or under TLS: read, write, handshake, goodbye. Never blocks. */
#pragma once

#include "base/buf.h"

struct ssl_st;

/* Fields are for reading, but for stream_open(). */
struct stream {
	int fd;
	struct ssl_st *ssl;        /* NULL: in the clear */
	bool eof;                  /* the client will send no more */
	bool failed;               /* TLS broke: nothing can be sent any more */
	bool read_wants_writable;  /* TLS: the last read waits for room to write */
	bool write_wants_readable; /* TLS: the last write waits for bytes to read */
};

/* Close everything, without a word. The caller has taken the descriptor out of its event loop before. */
void stream_close(struct stream *stream);

/* Put TLS over the socket; ssl is taken over. */
void stream_start_tls(struct stream *stream, struct ssl_st *ssl);

/*
 * Go on with the handshake.
 * Returns  0: done. -EAGAIN: waits, as the *_wants_* fields say, else for bytes to read.
 *          -EPROTO: it failed; *ret_reason is static text for the log. -EPIPE: the client went away.
 */
_must_check_ int stream_handshake(struct stream *stream, const char **ret_reason);

/*
 * Read at most bytes once and append them to in.
 * Returns  their number; 0 at end-of-file (eof is set). -EAGAIN: nothing there, or in is full.
 *          -EPIPE: the connection is broken.
 */
_must_check_ ssize_t stream_read(struct stream *stream, struct buf *in, size_t bytes);

/* Whether bytes are held inside TLS, of which the kernel will tell nothing: read again without waiting. */
bool stream_has_pending(const struct stream *stream);

/*
 * Write what the socket takes now. After -EAGAIN the next call must begin with the same bytes (they may have moved).
 * Returns  the number taken (> 0). -EAGAIN: none. -EPIPE: the connection is broken.
 */
_must_check_ ssize_t stream_write(struct stream *stream, struct slice bytes);

/*
 * Say that nothing more will be sent: TLS close_notify, then a TCP FIN.
 * Returns 0, -EAGAIN: call again when writable; -EPIPE: nothing can be said any more.
 */
_must_check_ int stream_finish(struct stream *stream);

/* Throw away what the client still sends. Returns 0 at its end or a broken connection, -EAGAIN before. */
_must_check_ int stream_discard(struct stream *stream);

/* Drop what the client sent in the clear behind STARTTLS, as far as the kernel holds it. Returns the number of bytes. */
size_t stream_drop_input(struct stream *stream);

/* "TLSv1.3" and "TLS_AES_256_GCM_SHA384"; empty without TLS. Static text. */
struct slice stream_tls_version(const struct stream *stream);
struct slice stream_tls_cipher(const struct stream *stream);
