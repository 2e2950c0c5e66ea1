#include "maildir/reader.h"

#include "base/must.h"
#include "maildir/dirs.h"
#include "maildir/message/crlf.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { READER_BYTES = 64 * 1024, READER_UNIT_BYTES = 16 * 1024, HEADER_CHUNK_BYTES = 8 * 1024 };

struct reader {
	int fd;
	uint64_t file_size; /* when it was opened; what grows behind is not looked at */
	int64_t internaldate;
	struct mime_parser *parser;
	uint64_t parsed_to;
	const struct mime_part *root;
};

int reader_open(struct mailbox *mailbox, uint32_t msg_uid, struct reader **ret_reader)
{
	_cleanup_close_ int fd = mailbox_open_file(mailbox, msg_uid);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;

	struct reader *reader = calloc(1, sizeof *reader);

	must(reader != NULL);
	reader->fd = take_fd(&fd);
	reader->file_size = (uint64_t)st.st_size;
	reader->internaldate = (int64_t)st.st_mtim.tv_sec;
	*ret_reader = reader;
	return 0;
}

void reader_close(struct reader *reader)
{
	if (reader->parser)
		mime_parser_free(reader->parser);
	close(reader->fd);
	free(reader);
}

uint64_t reader_file_size(const struct reader *reader)
{
	return reader->file_size;
}

int64_t reader_internaldate(const struct reader *reader)
{
	return reader->internaldate;
}

/* Returns how many bytes were read, at least one; -ESTALE: there are none any more; -errno. */
static ssize_t read_at(const struct reader *reader, uint64_t offset, char *at, size_t bytes)
{
	ssize_t n = dirs_read_at(reader->fd, at, bytes, offset);

	return n == 0 ? -ESTALE : n;
}

static size_t at_most(uint64_t bytes, size_t limit)
{
	return bytes < limit ? (size_t)bytes : limit;
}

/* Take what reading so many bytes costs off the budget. Returns false if there is none left to begin with. */
static bool pay(struct work *work, size_t bytes)
{
	size_t units = (bytes + READER_UNIT_BYTES - 1) / READER_UNIT_BYTES;

	if (work->budget == 0)
		return false;
	work->budget -= units < work->budget ? units : work->budget;
	return true;
}

int reader_structure(struct reader *reader, struct work *work, const struct mime_part **ret_root)
{
	char bytes[READER_BYTES];

	if (!reader->parser)
		reader->parser = mime_parser_new();
	while (!reader->root && reader->parsed_to < reader->file_size) {
		size_t want = at_most(reader->file_size - reader->parsed_to, sizeof bytes);

		if (!pay(work, want))
			return -EINPROGRESS;

		ssize_t n = read_at(reader, reader->parsed_to, bytes, want);

		if (n < 0)
			return (int)n;
		mime_parser_feed(reader->parser, slice_from(bytes, (size_t)n));
		reader->parsed_to += (uint64_t)n;
	}
	if (!reader->root)
		reader->root = mime_parser_finish(reader->parser);
	*ret_root = reader->root;
	return 0;
}

/* Convert from in to out, as far as out may be filled. Moves the range on. Returns 0 or -ENOBUFS. */
static int convert(struct reader_range *range, struct slice in, struct buf *out, size_t high_water)
{
	size_t skipped = 0, written;

	if (range->skip_octets > 0) {
		skipped = crlf_skip(in, &range->last_was_cr, &range->skip_octets);
		range->offset += skipped;
		in = slice_tail(in, skipped);
	}
	while (in.n > 0 && range->left_octets > 0 && out->n < high_water) {
		size_t room = at_most(buf_room(out), high_water - out->n);

		room = at_most(range->left_octets, room);
		room = at_most(2 * (uint64_t)in.n, room);

		char *at = room > 0 ? buf_reserve(out, room) : NULL;

		if (!at)
			return -ENOBUFS;

		size_t consumed = crlf_convert(
			in, range->replace_nul, &range->last_was_cr, at, room, &written);

		buf_grown(out, written);
		range->offset += consumed;
		range->left_octets -= written;
		in = slice_tail(in, consumed);
	}
	return 0;
}

int reader_send(struct reader *reader, struct reader_range *range, struct buf *out,
	size_t high_water, struct work *work)
{
	char bytes[READER_BYTES];

	while (range->left_octets > 0 && range->offset < range->end) {
		if (out->n >= high_water)
			return -EINPROGRESS;

		/* What does not fit is read again: so no more than might fit. */
		size_t want = at_most(range->end - range->offset, sizeof bytes);

		want = at_most(range->skip_octets + (high_water - out->n), want);
		want = at_most(range->skip_octets + range->left_octets, want);
		if (!pay(work, want))
			return -EINPROGRESS;

		ssize_t n = read_at(reader, range->offset, bytes, want);

		if (n < 0)
			return (int)n;

		int r = convert(range, slice_from(bytes, (size_t)n), out, high_water);

		if (r < 0)
			return r;
	}
	return 0;
}

int reader_read(struct reader *reader, uint64_t offset, size_t bytes, struct buf *out)
{
	while (bytes > 0) {
		char *at = buf_reserve(out, at_most(bytes, READER_BYTES));

		if (!at)
			return -ENOBUFS;

		ssize_t n = read_at(reader, offset, at, at_most(bytes, READER_BYTES));

		if (n < 0)
			return (int)n;
		buf_grown(out, (size_t)n);
		offset += (uint64_t)n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* Step over whole lines from *scanned on. Returns whether an empty one was met, which belongs to them. */
static bool scan_header(struct slice header, size_t *scanned)
{
	while (*scanned < header.n) {
		struct slice line = slice_tail(header, *scanned);
		ssize_t lf = slice_find(line, '\n');

		if (lf < 0)
			return false;
		*scanned += (size_t)lf + 1;
		if (lf == 0 || (lf == 1 && line.p[0] == '\r'))
			return true;
	}
	return false;
}

int reader_header(struct reader *reader, size_t max_bytes, struct buf *out)
{
	size_t before = out->n, scanned = 0, most = at_most(reader->file_size, max_bytes);

	for (;;) {
		size_t have = out->n - before;

		if (have == most)
			return have == reader->file_size ? 0 : -EFBIG;

		int r = reader_read(reader, have, at_most(most - have, HEADER_CHUNK_BYTES), out);

		if (r < 0)
			return r;
		if (scan_header(slice_tail(buf_slice(out), before), &scanned)) {
			buf_truncate(out, before + scanned);
			return 0;
		}
	}
}
