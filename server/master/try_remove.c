#include "server/master/try_remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static int remove_in(int parent_fd, const char *name, unsigned depth);

/* fd is handed over. */
static int remove_entries(int fd, unsigned depth)
{
	DIR *directory = fdopendir(fd);
	const struct dirent *entry;
	int first = 0;

	if (!directory) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((entry = readdir(directory)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;

		int r = remove_in(dirfd(directory), entry->d_name, depth + 1);

		if (first == 0)
			first = r;
	}
	closedir(directory);
	return first;
}

static int remove_in(int parent_fd, const char *name, unsigned depth)
{
	if (unlinkat(parent_fd, name, 0) == 0)
		return 0;
	if ((errno != EISDIR && errno != EPERM) || depth > DEPTH_MAX)
		return -errno;

	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;

	int r = remove_entries(fd, depth);

	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && r == 0 ? -errno : r;
}

int try_remove(const char *directory)
{
	return remove_in(AT_FDCWD, directory, 0);
}
