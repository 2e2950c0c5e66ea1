/*
 * A change is one line more, appended with one write. It counts on a sum that somebody counted: a file without one is
 * left as it is, for a line there would look like the count itself. A line that could not be written, or only in
 * part, leaves a sum that is wrong, and would be believed for long. So then the sum is spoiled, by the first that can
 * be done of
 *
 *   a line that takes the total below zero    as robust as any: what others append later does not mend it
 *   cutting off all but the limits            needs no room on the disk
 *   removing the file                         if the limits are in the settings; a user's own are nowhere else
 *
 * and where nothing can be done now, it is tried again with the next change, and when the store is closed. Until it is
 * done, this process trusts no sum that it did not count itself.
 */
#include "maildir/quota_file.h"

#include "maildir/filename.h"
#include "maildir/quota_known.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <fcntl.h>

/* What no sum comes back from. Messages of 32 bits: Dovecot reads no more. */
static const struct quota_sum FORGET = { INT64_MIN / 4, -1000000000 };

/* Of a message whose size cannot be told: more than any sum, and not too much to be added up for each of a step's. */
static const struct quota_sum UNKNOWN = { INT64_C(1) << 44, 1 };

enum write_result { WRITTEN, NOT_WRITTEN, TORN };

/* One write: other programs append at the same time, so the rest of a line would stand elsewhere. */
static enum write_result append_sum(int fd, const struct quota_sum *sum, bool torn, int *error)
{
	_cleanup_buf_ struct buf line = BUF(QUOTA_LINE_BYTES);
	ssize_t n;
	int r = torn ? buf_add_char(&line, '\n') : 0;

	if (r == 0)
		r = quota_format_sum(sum, &line);
	if (r < 0) {
		*error = r;
		return NOT_WRITTEN;
	}
	do {
		n = write(fd, line.p, line.n);
	} while (n < 0 && errno == EINTR);
	*error = n < 0 ? -errno : n < (ssize_t)line.n ? -ENOSPC : 0;
	return n == (ssize_t)line.n ? WRITTEN : n > 0 ? TORN : NOT_WRITTEN;
}

/* known: as far as it could be read; what it does not know, is not cut off. */
static void spoil(struct store *store, const struct quota_known *known, bool torn)
{
	_cleanup_close_ int fd = quota_known_open(store, O_WRONLY | O_APPEND);
	struct quota_limits limits = quota_limits_of_settings(store);
	bool has_own = !known->exists || quota_limits_any(&known->text.limits);
	int error;

	store->quota_doubt = false;
	if (fd == -ENOENT || (fd >= 0 && append_sum(fd, &FORGET, torn, &error) == WRITTEN))
		return;
	if (fd >= 0 && known->exists && ftruncate(fd, (off_t)known->text.limits_bytes) == 0)
		return;
	if ((quota_limits_any(&limits) || !has_own) &&
		unlinkat(store->root_fd, QUOTA_FILE_NAME, 0) == 0)
		return;
	store->quota_doubt = true;
}

static void append_change(
	struct store *store, const struct quota_known *known, const struct quota_sum *change)
{
	_cleanup_close_ int fd = quota_known_open(store, O_WRONLY | O_APPEND);
	enum write_result result = NOT_WRITTEN;
	int error = fd;

	if (fd == -ENOENT)
		return;
	if (fd >= 0)
		result = append_sum(fd, change, false, &error);
	if (result == WRITTEN)
		return;
	quota_complain(store, "cannot be written", error);
	spoil(store, known, result == TORN);
}

void quota_note(struct store *store, const struct quota_sum *change)
{
	struct quota_known known;

	if (change->bytes == 0 && change->messages == 0)
		return;
	if (store->quota_count)
		quota_count_doubt(store);

	int r = quota_known_read(store, &known);

	if (r < 0)
		quota_complain(store, "cannot be read", r);
	if (r == -ELOOP || r == -EINVAL) /* no file: nobody finds a sum there */
		return;
	if (r < 0 || store->quota_doubt)
		spoil(store, &known, false);
	else if (known.reliable)
		append_change(store, &known, change);
}

void quota_forget(struct store *store)
{
	quota_note(store, &FORGET);
}

void quota_close(struct store *store)
{
	quota_done(store);
	if (store->quota_doubt)
		quota_forget(store);
}

int quota_file_size(int dir_fd, const char *name, uint64_t *ret_bytes)
{
	struct stat st;

	if (filename_size(filename_parse(slice_str(name)).base, 'S', ret_bytes) &&
		*ret_bytes <= INT64_MAX)
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret_bytes = (uint64_t)st.st_size;
	return 0;
}

struct quota_sum quota_file_sum(int dir_fd, const char *name)
{
	uint64_t bytes;
	int r = quota_file_size(dir_fd, name, &bytes);

	if (r == 0)
		return (struct quota_sum){ (int64_t)bytes, 1 };
	return r == -EINVAL || r == -ENOENT ? (struct quota_sum){ 0 } : UNKNOWN;
}
