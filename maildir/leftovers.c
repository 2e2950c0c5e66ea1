#include "maildir/leftovers.h"

#include "maildir/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

static bool is_old(int dir_fd, const char *name, uint64_t now_usec)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_ctim.tv_sec >= 0 &&
	       (uint64_t)st.st_ctim.tv_sec * 1000000 + LEFTOVER_AGE_USEC < now_usec;
}

int leftovers_remove(int tmp_fd, uint64_t now_usec)
{
	DIR *dir;
	int r = dirs_open_entries(tmp_fd, ".", &dir), removed = 0;

	if (r < 0)
		return r;
	for (int i = 0; i < LEFTOVERS_LOOKED_AT; i++) {
		struct dirent *e = readdir(dir);

		if (!e)
			break;
		if (is_old(tmp_fd, e->d_name, now_usec) && unlinkat(tmp_fd, e->d_name, 0) == 0)
			removed++;
	}
	closedir(dir);
	return removed;
}
