#include "maildir/copy_content.h"

#include "maildir/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 64 * 1024, COPY_UNITS = 4 };

void content_close(struct content *content)
{
	if (content->from_fd >= 0)
		close(take_fd(&content->from_fd));
	if (content->to_fd >= 0)
		close(take_fd(&content->to_fd));
}

int content_step(struct content *content, bool sync, struct work *work)
{
	char bytes[COPY_BYTES];
	struct stat st;

	for (;;) {
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget -= work->budget < COPY_UNITS ? work->budget : COPY_UNITS;

		ssize_t n = dirs_read_at(content->from_fd, bytes, sizeof bytes, content->offset);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;

		int r = dirs_write(content->to_fd, slice_from(bytes, (size_t)n));

		if (r < 0)
			return r;
		content->offset += (uint64_t)n;
	}
	if (fstat(content->from_fd, &st) < 0)
		return -errno;

	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, st.st_mtim };

	if (futimens(content->to_fd, times) < 0)
		return -errno;
	return sync && fsync(content->to_fd) < 0 ? -errno : 0;
}
