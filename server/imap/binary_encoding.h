/* binary_encoding.h - reads back what append_write() stored of a message, with its binary parts in base64. */
#pragma once

#include "server/imap/binary_encode.h"

struct binary_encoding;

/*
 * Begin.
 * fd     what append_begin_anew() gave: handed over.
 * root   needs BINARY_ENCODE. It and ends, of the octets that were written, must stay; ends is used up.
 */
struct binary_encoding *binary_encoding_new(
	int fd, const struct mime_part *root, struct line_ends *ends);
void binary_encoding_free(struct binary_encoding *encoding);

/*
 * Append the next octets of the message to out, at most BINARY_OUT_BYTES.
 * Returns 0: those were the last; -EINPROGRESS: call again; -ESTALE: somebody else wrote into the file; -errno.
 */
_must_check_ int binary_encoding_read(struct binary_encoding *encoding, struct buf *out);
