#include "server/imap/message_file.h"

#include "base/must.h"
#include "maildir/message/crlf.h"

#include <errno.h>

enum {
	MESSAGE_CHUNK_BYTES = 16 * 1024,
	HEADER_CHUNK_BYTES = 8 * 1024,
	HEADER_KEPT_BYTES = 64 * 1024
};

int message_file_open(struct message_file *file, struct mailbox *mailbox, uint32_t msg_uid)
{
	struct reader *reader;

	if (file->reader && file->mailbox == mailbox && file->msg_uid == msg_uid)
		return 0;

	int r = reader_open(mailbox, msg_uid, &reader);

	if (r < 0)
		return r;

	struct buf header = file->reader
				    ? file->header
				    : BUF(LIMIT_HEADER_BYTES); /* its memory serves many messages */

	if (file->reader)
		reader_close(file->reader);
	binary_part_close(&file->binary);
	buf_shrink(&header, HEADER_KEPT_BYTES);
	*file = (struct message_file){
		.mailbox = mailbox, .msg_uid = msg_uid, .reader = reader, .header = header
	};
	return 0;
}

void message_file_close(struct message_file *file)
{
	if (!file->reader)
		return;
	reader_close(file->reader);
	binary_part_close(&file->binary);
	buf_done(&file->header);
	*file = (struct message_file){ 0 };
}

static void charge(struct work *work)
{
	if (work->budget > 0)
		work->budget--;
}

/*
 * Look for the empty line in what was not looked at yet. Returns the offset behind it, or 0.
 * The header may also begin with it.
 */
static size_t find_end(struct message_file *file)
{
	struct slice header = buf_slice(&file->header);

	while (file->scanned < header.n) {
		struct slice line = slice_tail(header, file->scanned);
		ssize_t lf = slice_find(line, '\n');

		if (lf < 0)
			return 0;
		if (lf == 0 || (lf == 1 && line.p[0] == '\r'))
			return file->scanned + (size_t)lf + 1;
		file->scanned += (size_t)lf + 1;
	}
	return 0;
}

static void header_found(struct message_file *file, size_t end)
{
	struct crlf_count count = { 0 };

	buf_truncate(&file->header, end);
	crlf_count(&count, buf_slice(&file->header));
	file->header_end = end;
	file->header_octets = count.octets;
	file->has_header = true;
}

/* A header beyond LIMIT_HEADER_BYTES: its fields are cut off, where it ends the structure knows. */
static int header_of_structure(struct message_file *file, struct work *work)
{
	int r = message_file_structure(file, work);

	if (r < 0)
		return r;
	file->header_end = file->root->body_offset;
	file->header_octets = file->root->header_octets;
	file->has_header = true;
	return 0;
}

int message_file_header(struct message_file *file, struct work *work)
{
	uint64_t file_size = reader_file_size(file->reader);

	while (!file->has_header) {
		uint64_t left = file_size - file->header.n;
		size_t bytes = left < HEADER_CHUNK_BYTES ? (size_t)left : HEADER_CHUNK_BYTES;

		if (left == 0) {
			header_found(file, file->header.n);
			break;
		}
		if (buf_room(&file->header) == 0)
			return header_of_structure(file, work);
		if (work->budget == 0)
			return -EINPROGRESS;
		charge(work);
		if (bytes > buf_room(&file->header))
			bytes = buf_room(&file->header);

		int r = reader_read(file->reader, file->header.n, bytes, &file->header);

		if (r < 0)
			return r;

		size_t end = find_end(file);

		if (end > 0)
			header_found(file, end);
	}
	return 0;
}

int message_file_octets(struct message_file *file, struct work *work)
{
	uint64_t file_size = reader_file_size(file->reader);

	if (!file->has_octets && file->root) {
		file->octets = mime_octets(file->root);
		file->has_octets = true;
	}
	while (!file->has_octets) {
		_cleanup_buf_ struct buf chunk = BUF(MESSAGE_CHUNK_BYTES);
		uint64_t left = file_size - file->counted;
		struct crlf_count count = { .octets = file->octets,
			.last_was_cr = file->last_was_cr };

		if (left == 0) {
			file->has_octets = true;
			break;
		}
		if (work->budget == 0)
			return -EINPROGRESS;
		charge(work);

		size_t bytes = left < MESSAGE_CHUNK_BYTES ? (size_t)left : MESSAGE_CHUNK_BYTES;
		int r = reader_read(file->reader, file->counted, bytes, &chunk);

		if (r < 0)
			return r;
		crlf_count(&count, buf_slice(&chunk));
		file->octets = count.octets;
		file->last_was_cr = count.last_was_cr;
		file->counted += bytes;
	}
	return 0;
}

int message_file_structure(struct message_file *file, struct work *work)
{
	return file->root ? 0 : reader_structure(file->reader, work, &file->root);
}

/* What is known of a part from before. */
static bool recall(const struct message_file *file, struct binary_facts *facts)
{
	for (size_t i = 0; i < file->binaries_n && i < MESSAGE_FILE_BINARIES; i++) {
		const struct binary_facts *known = &file->binaries[i];

		if (known->stretch.offset == facts->stretch.offset &&
			known->stretch.end == facts->stretch.end &&
			known->encoding == facts->encoding) {
			*facts = *known;
			return true;
		}
	}
	return false;
}

int message_file_binary(struct message_file *file, const uint32_t *numbers, size_t n,
	struct work *work, struct binary_facts *ret_facts)
{
	struct binary_facts facts;
	int r = binary_part_find(file->root, numbers, n, &facts);

	if (r == 0 && !facts.known && !recall(file, &facts)) {
		binary_part_open(&file->binary, &facts);
		r = binary_part_measure(&file->binary, file->reader, work);
		facts = file->binary.facts;
		if (r == 0)
			file->binaries[file->binaries_n++ % MESSAGE_FILE_BINARIES] = facts;
	}
	if (r == 0)
		*ret_facts = facts;
	return r;
}

int message_file_read(struct message_file *file, uint64_t offset, uint64_t end, size_t max_bytes,
	struct buf *out, struct work *work)
{
	uint64_t bytes = end - offset;

	must(end >= offset);
	if (bytes > max_bytes)
		bytes = max_bytes;
	for (uint64_t units = bytes / MESSAGE_CHUNK_BYTES; units > 0 && work->budget > 0; units--)
		charge(work);
	return reader_read(file->reader, offset, (size_t)bytes, out);
}
