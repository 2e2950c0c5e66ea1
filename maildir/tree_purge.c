#include "base/clock.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "maildir/tree_change.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

enum { DEPTH_MAX = 8 }; /* a mailbox has two; indexes of other servers may have more */
#define CREATED_STALE_SEC (36 * 3600) /* as files in tmp/ */

static int remove_entries(DIR *dir, unsigned depth, struct work *work);

/* Open what is in a directory for removing it. Returns 0, *ret_dir is to be closed; -errno. */
static int open_entries(int parent_fd, const char *name, DIR **ret_dir)
{
	int fd = dirs_open(parent_fd, name, false);

	if (fd < 0)
		return fd;
	*ret_dir = fdopendir(fd);
	if (*ret_dir)
		return 0;
	close(fd);
	return -ENOMEM;
}

static int remove_tree(int parent_fd, const char *name, unsigned depth, struct work *work)
{
	DIR *dir;
	int r;

	if (depth > DEPTH_MAX)
		return -ENOTEMPTY;
	r = open_entries(parent_fd, name, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = remove_entries(dir, depth, work);
	closedir(dir);
	if (r == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_entries(DIR *dir, unsigned depth, struct work *work)
{
	for (struct dirent *e; (e = readdir(dir));) {
		int r = 0;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
		if (unlinkat(dirfd(dir), e->d_name, 0) < 0)
			r = errno == EISDIR || errno == EPERM
				    ? remove_tree(dirfd(dir), e->d_name, depth + 1, work)
			    : errno == ENOENT ? 0
					      : -errno;
		if (r < 0)
			return r;
	}
	return 0;
}

int tree_remove_directory(int parent_fd, const char *name, struct work *work)
{
	return remove_tree(parent_fd, name, 1, work);
}

/* One that another instance is just making must stay. */
static bool is_left_over(int tmp_fd, const char *name, uint64_t now_usec)
{
	struct stat st;

	if (slice_starts_with(slice_str(name), SLICE(TREE_DELETED_PREFIX)))
		return true;
	return slice_starts_with(slice_str(name), SLICE(TREE_CREATED_PREFIX)) &&
	       fstatat(tmp_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_ctim.tv_sec + CREATED_STALE_SEC < (int64_t)(now_usec / USEC_PER_SEC);
}

int tree_purge(struct store *store, struct work *work)
{
	DIR *tmp = NULL;
	int r = open_entries(store->root_fd, "tmp", &tmp);

	for (struct dirent *e; r == 0 && (e = readdir(tmp));) {
		if (!is_left_over(dirfd(tmp), e->d_name, work->now_usec))
			continue;
		r = tree_remove_directory(dirfd(tmp), e->d_name, work);
		if (r == 0 || r == -EINPROGRESS)
			continue;
		log_line(store->log, LOG_PRIORITY_WARNING,
			"maildir %s/tmp/%s: a deleted mailbox cannot be removed: %s",
			store->settings.path, e->d_name, strerror(-r));
		r = 0;
	}
	if (tmp)
		closedir(tmp);
	return r == -EINPROGRESS ? r : 0;
}
