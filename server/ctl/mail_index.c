#include "server/ctl/mail_index.h"

#include "base/must.h"
#include "maildir/dirs.h"
#include "maildir/index_file.h"

#include <errno.h>
#include <fcntl.h>

const char *mail_index_word(enum mail_index_state state)
{
	static const char *const words[MAIL_INDEX_STATES] = {
		[MAIL_INDEX_NONE] = "none",
		[MAIL_INDEX_IN_USE] = "in use",
		[MAIL_INDEX_READY] = "ready",
		[MAIL_INDEX_STALE] = "stale",
		[MAIL_INDEX_DAMAGED] = "damaged",
		[MAIL_INDEX_UNKNOWN] = "unknown",
	};

	must(state < MAIL_INDEX_STATES);
	return words[state];
}

/* Whether another process holds the lock. It is asked for, not taken: a session that begins now must find it free. */
static bool is_locked(int dir_fd)
{
	_cleanup_close_ int fd =
		openat(dir_fd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void mail_boot_id(char ret_id[MAIL_BOOT_ID_BYTES])
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(ret_id, MAIL_BOOT_ID_BYTES, f))
		ret_id[0] = '\0';
	ret_id[strcspn(ret_id, "\n")] = '\0';
}

static bool is_of_this_boot(const struct index_mark *mark)
{
	char boot[MAIL_BOOT_ID_BYTES];

	mail_boot_id(boot);
	return boot[0] && strcmp(boot, mark->boot) == 0;
}

/* As index_open() decides, but without the lock, and without doing anything about it. */
static enum mail_index_state state_of(int dir_fd)
{
	struct index_mark mark;
	uint64_t txn;
	int data = index_file_check_data(dir_fd, &txn), r = index_file_read_mark(dir_fd, &mark);

	if (is_locked(dir_fd))
		return MAIL_INDEX_IN_USE;
	if (data == -ENOENT)
		return MAIL_INDEX_NONE;
	if (data < 0)
		return MAIL_INDEX_DAMAGED;
	if (r < 0 || (mark.durable_txn != txn && !is_of_this_boot(&mark)))
		return MAIL_INDEX_STALE;
	return MAIL_INDEX_READY;
}

struct mail_index mail_index_look(const char *path)
{
	struct mail_index index = { .state = MAIL_INDEX_NONE };
	_cleanup_close_ int dir_fd = dirs_open(AT_FDCWD, path, false);
	struct stat st;

	if (dir_fd == -ENOENT)
		return index;
	if (dir_fd < 0)
		return (struct mail_index){ .state = MAIL_INDEX_UNKNOWN, .error = dir_fd };
	index.state = state_of(dir_fd);
	if (fstatat(dir_fd, INDEX_DATA_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		index.bytes = (uint64_t)st.st_blocks * 512;
	return index;
}

void mail_index_report(const struct mail_index *index, const char *path, struct report *report)
{
	static const char *const columns[] = { "path:s", "state:s", "bytes:n" };
	char bytes[24];

	snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)index->bytes);
	report_table(report, "index", columns, sizeof columns / sizeof *columns);
	report_row(report,
		(const struct slice[]){ slice_str(path), slice_str(mail_index_word(index->state)),
			slice_str(bytes) },
		sizeof columns / sizeof *columns);
}
