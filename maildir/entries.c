#include "maildir/entries.h"

#include "base/must.h"
#include "maildir/dirs.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int make_room(struct entries *entries, size_t bytes)
{
	free(entries->bytes);
	entries->bytes = malloc(bytes);
	entries->cap = entries->bytes ? bytes : 0;
	return entries->bytes ? 0 : -ENOMEM;
}

static int read_piece(struct entries *entries)
{
	ssize_t n = getdents64(entries->fd, entries->bytes, entries->cap);

	entries->at = 0;
	entries->n = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : 0;
}

/* Where one more entry would not have fitted there may be more of them: all once again, with more room. */
static int read_whole(struct entries *entries)
{
	for (;;) {
		int r = read_piece(entries);

		if (r < 0 || entries->n + sizeof(struct dirent64) <= entries->cap ||
			entries->cap >= ENTRIES_WHOLE_MAX_BYTES / 2)
			return r;
		if (lseek(entries->fd, 0, SEEK_SET) < 0)
			return -errno;
		r = make_room(entries, 2 * entries->cap);
		if (r < 0)
			return r;
	}
}

int entries_open(struct entries *entries, int dir_fd, size_t whole_bytes)
{
	must(entries->fd < 0);

	int fd = dirs_open(dir_fd, ".", false);

	if (fd < 0)
		return fd;
	entries->fd = fd;

	int r = make_room(entries,
		whole_bytes < ENTRIES_PIECE_BYTES	    ? ENTRIES_PIECE_BYTES
		: whole_bytes < ENTRIES_WHOLE_MAX_BYTES ? whole_bytes
							     : ENTRIES_WHOLE_MAX_BYTES);

	if (r == 0 && whole_bytes > 0)
		r = read_whole(entries);
	if (r < 0)
		entries_close(entries);
	return r;
}

int entries_next(struct entries *entries, const struct dirent64 **ret_entry)
{
	if (entries->at == entries->n) {
		int r = read_piece(entries);

		if (r < 0 || entries->n == 0)
			return r;
	}

	const struct dirent64 *entry = (const void *)(entries->bytes + entries->at);

	entries->at += entry->d_reclen;
	*ret_entry = entry;
	return 1;
}

void entries_close(struct entries *entries)
{
	if (entries->fd >= 0)
		close(entries->fd);
	free(entries->bytes);
	*entries = ENTRIES_CLOSED;
}
