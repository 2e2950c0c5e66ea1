#include "base/clock.h"
#include "maildir/filename.h"
#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "maildir/tree_change.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

enum { DEPTH_MAX = 8 }; /* a mailbox has two; indexes of other servers may have more */
#define CREATED_STALE_SEC (36 * 3600) /* as files in tmp/ */

/* One tree_purge(), or a part of it. */
struct purging {
	struct work *work;
	bool counted;           /* what goes is taken off the quota */
	struct quota_sum freed; /* below zero */
};

/* A directory on the way down: 1 is that of the mailbox, 2 its cur, new and so on. */
struct level {
	unsigned depth;
	bool messages; /* its files count */
};

static int remove_entries(DIR *dir, struct level level, struct purging *purging);

static int remove_tree(
	int parent_fd, const char *name, struct level level, struct purging *purging)
{
	DIR *dir;
	int r;

	if (level.depth > DEPTH_MAX)
		return -ENOTEMPTY;
	r = dirs_open_entries(parent_fd, name, &dir);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	level.messages = purging->counted && level.depth == 2 &&
			 (strcmp(name, "cur") == 0 || strcmp(name, "new") == 0);
	r = remove_entries(dir, level, purging);
	closedir(dir);
	if (r == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int remove_entry(DIR *dir, const char *name, struct level level, struct purging *purging)
{
	struct quota_sum sum = { 0 };

	if (level.messages && filename_is_message(slice_str(name)))
		sum = quota_file_sum(dirfd(dir), name);

	if (unlinkat(dirfd(dir), name, 0) < 0) {
		if (errno == EISDIR || errno == EPERM)
			return remove_tree(dirfd(dir), name,
				(struct level){ .depth = level.depth + 1 }, purging);
		return errno == ENOENT ? 0 : -errno;
	}
	purging->work->budget--; /* not for a directory: even one unit must remove something */
	purging->freed.bytes -= sum.bytes;
	purging->freed.messages -= sum.messages;
	return 0;
}

static int remove_entries(DIR *dir, struct level level, struct purging *purging)
{
	for (struct dirent *e; (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (purging->work->budget == 0)
			return -EINPROGRESS;

		int r = remove_entry(dir, e->d_name, level, purging);

		if (r < 0)
			return r;
	}
	return 0;
}

int tree_remove_directory(int parent_fd, const char *name, struct work *work)
{
	struct purging purging = { .work = work };

	return remove_tree(parent_fd, name, (struct level){ .depth = 1 }, &purging);
}

static int purge_mailbox(struct store *store, int tmp_fd, const char *name, struct work *work)
{
	struct slice prefix = SLICE(TREE_DELETED_PREFIX);
	struct purging purging = {
		.work = work,
		.counted = slice_starts_with(slice_str(name), prefix) &&
			   !slice_starts_with(
				   slice_str(name), SLICE(TREE_DELETED_UNCOUNTED_PREFIX)) &&
			   quota_counts(store),
	};
	int r = remove_tree(tmp_fd, name, (struct level){ .depth = 1 }, &purging);

	quota_note(store, &purging.freed);
	return r;
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
	int r = dirs_open_entries(store->root_fd, "tmp", &tmp);

	for (struct dirent *e; r == 0 && (e = readdir(tmp));) {
		if (!is_left_over(dirfd(tmp), e->d_name, work->now_usec))
			continue;
		r = purge_mailbox(store, dirfd(tmp), e->d_name, work);
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
