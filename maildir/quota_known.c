#include "maildir/quota_known.h"

#include "maildir/store_state.h"

#include <errno.h>
#include <fcntl.h>

struct quota_limits quota_limits_of_settings(const struct store *store)
{
	return (struct quota_limits){ store->settings.quota_bytes, store->settings.quota_messages };
}

void quota_complain(const struct store *store, const char *what, int error)
{
	log_line(store->log, LOG_PRIORITY_WARNING, "maildir %s/%s: %s: %s", store->settings.path,
		QUOTA_FILE_NAME, what, strerror(-error));
}

int quota_known_open(const struct store *store, int flags)
{
	_cleanup_close_ int fd = openat(store->root_fd, QUOTA_FILE_NAME,
		flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EINVAL;
}

int quota_known_read(const struct store *store, struct quota_known *ret_known)
{
	char text[QUOTA_FILE_MAX_BYTES + 1];
	struct stat st;
	_cleanup_close_ int fd = quota_known_open(store, O_RDONLY);

	*ret_known = (struct quota_known){ .exists = false };
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;

	ssize_t n = dirs_read_at(fd, text, sizeof text, 0);

	if (n < 0)
		return (int)n;
	if (fstat(fd, &st) < 0)
		return -errno;
	ret_known->exists = true;
	ret_known->stamp = stamp_from_stat(&st);
	ret_known->reliable = quota_parse(slice_from(text, (size_t)n), &ret_known->text) &&
			      n <= QUOTA_FILE_MAX_BYTES;
	return 0;
}
