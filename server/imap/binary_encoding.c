#include "server/imap/binary_encoding.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK_BYTES = BINARY_TAKEN_BYTES / 2 }; /* every LF may become CRLF */

struct binary_encoding {
	int fd;
	off_t offset;
	struct line_ends *ends;
	struct binary_encoder encoder;
};

struct binary_encoding *binary_encoding_new(
	int fd, const struct mime_part *root, struct line_ends *ends)
{
	struct binary_encoding *encoding = malloc(sizeof *encoding);

	must(encoding != NULL);
	*encoding = (struct binary_encoding){ .fd = fd, .ends = ends };
	line_ends_rewind(ends);
	binary_encoder_init(&encoding->encoder, root);
	return encoding;
}

void binary_encoding_free(struct binary_encoding *encoding)
{
	close(encoding->fd);
	binary_encoder_done(&encoding->encoder);
	free(encoding);
}

int binary_encoding_read(struct binary_encoding *encoding, struct buf *out)
{
	_cleanup_buf_ struct buf octets = BUF(BINARY_TAKEN_BYTES);
	char stored[CHUNK_BYTES];
	ssize_t n = pread(encoding->fd, stored, sizeof stored, encoding->offset);

	if (n < 0)
		return errno == EINTR ? -EINPROGRESS : -errno;
	if (n == 0)
		return binary_encoder_is_done(&encoding->encoder) ? 0 : -ESTALE;
	encoding->offset += n;
	line_ends_restore(encoding->ends, slice_from(stored, (size_t)n), &octets);
	binary_encoder_feed(&encoding->encoder, buf_slice(&octets), out);
	return -EINPROGRESS;
}
