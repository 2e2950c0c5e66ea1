#include "maildir/snapshot_found.h"

#include "base/checksum.h"
#include "maildir/mailbox_state.h"
#include "maildir/uidlist_file.h"

#include <fcntl.h>

enum { TAIL_BYTES = 512 };

bool snapshot_read_tail(int fd, uint64_t read_bytes, uint64_t *ret_sum)
{
	char bytes[UIDLIST_HEADER_MAX_BYTES];
	uint64_t from = read_bytes > TAIL_BYTES ? read_bytes - TAIL_BYTES : 0;
	ssize_t n = dirs_read_at(fd, bytes,
		read_bytes < sizeof bytes ? (size_t)read_bytes : sizeof bytes, 0);

	if (n <= 0)
		return false;

	ssize_t line = slice_find(slice_from(bytes, (size_t)n), '\n');
	uint64_t sum = checksum(read_bytes, slice_from(bytes, line < 0 ? (size_t)n : (size_t)line));

	n = dirs_read_at(fd, bytes, (size_t)(read_bytes - from), from);
	if (n != (ssize_t)(read_bytes - from))
		return false;
	*ret_sum = checksum(sum, slice_from(bytes, (size_t)n));
	return true;
}

static bool read_uidlist_header(struct snapshot_found *found)
{
	char bytes[UIDLIST_HEADER_MAX_BYTES];
	struct stat st;

	if (fstat(found->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	found->stamp = stamp_from_stat(&st);

	ssize_t n = dirs_read_at(found->fd, bytes, sizeof bytes, 0);
	ssize_t end = n > 0 ? slice_find(slice_from(bytes, (size_t)n), '\n') : -1;

	return end >= 0 &&
	       uidlist_parse_header(slice_from(bytes, (size_t)end), &found->uidlist) &&
	       found->uidlist.guid[0] != '\0';
}

bool snapshot_find(struct index *index, int dir_fd, struct keyword_table *keywords,
	struct snapshot_found *found)
{
	struct slice record, guid;
	uint64_t sum;

	found->fd =
		openat(dir_fd, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (found->fd < 0 || !read_uidlist_header(found))
		return false;
	guid = slice_str(found->uidlist.guid);
	found->number = index_mailbox(index, guid, false);
	if (found->number == 0 ||
		index_get(index, INDEX_HEADERS, found->number, 0, &record) < 0 ||
		!snapshot_parse_header(record, &found->header, keywords))
		return false;
	found->is_same_file = found->stamp.ino == found->header.uidlist.ino &&
			      found->stamp.size >= found->header.read_bytes &&
			      snapshot_read_tail(found->fd, found->header.read_bytes, &sum) &&
			      sum == found->header.tail && sum != 0;
	return found->header.uidvalidity == found->uidlist.uidvalidity &&
	       slice_equal(slice_from(found->header.guid, sizeof found->header.guid), guid);
}
