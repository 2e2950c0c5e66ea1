/*
 * compress.h - both directions of a connection that asked for COMPRESS=DEFLATE: raw DEFLATE (RFC 1951). Pure but for memory.
 *
 * Memory. At work, deflating takes some 100 kB and inflating some 40. While the connection is quiet compress_rest() gives it
 * back:
 *
 *   out   What was sent ends in a sync flush: at an octet, and between two blocks. Whatever follows, a new state may
 *         write it, as it never refers to what was before it. It costs the client nothing but some compression.
 *   in    What comes next may refer to the last 32 kB that came, as long as the client likes: they must be kept. A client that
 *         has sent less yet has less to keep: a session of a few commands some hundred octets. They are what a new
 *         state is begun with. That goes where the input stands at an octet between two blocks, as behind a sync flush
 *         or a full flush; elsewhere the state stays (a client that uses Z_PARTIAL_FLUSH, which nobody does).
 *
 * Bombs. 1 MB may come as 1 kB. No more is inflated than the caller makes room for: the rest stays compressed, and the
 * client is read no further, until the session took it, as with any other input.
 */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

enum {
	COMPRESS_WINDOW_BYTES = 32 * 1024, /* RFC 1951 section 2: what a client may refer back to */
	COMPRESS_LEVEL = 3,                /* of zlib: the last of the fast ones */
	COMPRESS_WINDOW_BITS =
		13, /* ours: 8 kB, with 1/3 of the memory of 32 and 1/10 more octets */
	COMPRESS_MEMORY_LEVEL = 7,
	COMPRESS_PIECE_BYTES = 16 * 1024,
};

struct compress;

struct compress *compress_new(void);
void compress_free(struct compress *compress);

/*
 * Inflate from the front of *in, which is consumed, and append to out at most max_bytes.
 * Returns  0: all of *in was taken, and all it gave. -EAGAIN: there is more than max_bytes. -EBADMSG: this is no DEFLATE, or
 *          something follows its end; the connection is of no more use.
 */
_must_check_ int compress_inflate(
	struct compress *compress, struct slice *in, size_t max_bytes, struct buf *out);

/* Deflate and append to out; some of it may be held back for the next call. */
void compress_deflate(struct compress *compress, struct slice in, struct buf *out);

/* Append what is held back, so that the client can read all there was; nothing, if nothing is. */
void compress_flush(struct compress *compress, struct buf *out);

/* Give back what memory can be; what was deflated must have been flushed. Returns whether anything was given back. */
bool compress_rest(struct compress *compress);

/* Whether there is something to give back. */
bool compress_is_awake(const struct compress *compress);

/* How many octets a compress holds, for tests. */
size_t compress_memory_bytes(const struct compress *compress);
