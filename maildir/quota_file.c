/*
 * A count looks through all mailboxes, and at last whether they changed since they were looked through:
 *
 *   READ ──all mailboxes──▶ VERIFY ──all as they were──▶ written
 *                             └── one changed ──▶ once more from the beginning; the second time it is not
 *                                                written: what was counted decides this once
 *
 * A file that comes or goes and the line that says so are no one thing: a count that sees the one before it reads the
 * other's line would have it twice, or not at all. Hence VERIFY; and what this process notes while a count is under way
 * counts as a change of a mailbox (quota_count_doubt()), since VERIFY takes steps as well.
 */
#include "maildir/quota_file.h"

#include "base/must.h"
#include "maildir/filename.h"
#include "maildir/name.h"
#include "maildir/quota_known.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "maildir/tree_change.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#define LOCK_NAME      "maildirsize.lock"
#define TEMPORARY_NAME "maildirsize.tmp"

static const char *const PARTS[] = { "new", "cur" };
enum { PARTS_COUNT = sizeof PARTS / sizeof *PARTS };

/* A directory with messages that count: of a mailbox, or of one deleted whose files are there. */
struct counted {
	const char *directory;
	bool in_tmp;
	struct stamp stamps[PARTS_COUNT];
};

struct quota_count {
	struct arena arena;
	struct counted *counted;
	size_t n, cap, at;
	size_t part;
	DIR *dir;
	bool verifying, changed;
	bool repeated; /* one before it found a change: also one that nobody went on with for long */
	struct quota_limits limits; /* to be written */
	struct quota_sum sum;
};

bool quota_counts(const struct store *store)
{
	struct quota_limits limits = quota_limits_of_settings(store);

	return quota_limits_any(&limits) || store->quota_count ||
	       faccessat(store->root_fd, QUOTA_FILE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

bool quota_counts_mailbox(const struct store *store, struct slice mailbox_name)
{
	for (size_t i = 0; i < store->settings.quota_ignore_n; i++) {
		struct slice ignored = slice_str(store->settings.quota_ignore[i]);

		if (slice_equal(mailbox_name, ignored) ||
			(name_is_inbox(mailbox_name) && name_is_inbox(ignored)))
			return false;
	}
	return true;
}

static struct counted *add_counted(struct quota_count *count)
{
	if (count->n == count->cap) {
		count->cap = 2 * count->cap + 32;
		count->counted = reallocarray(count->counted, count->cap, sizeof *count->counted);
		must(count->counted != NULL);
	}
	count->counted[count->n] = (struct counted){ .in_tmp = false };
	return &count->counted[count->n++];
}

static int add_mailboxes(struct store *store, struct quota_count *count)
{
	char directory[NAME_DIRECTORY_BYTES];
	const struct tree_entry *entries;
	size_t n;
	int r = tree_list(store, &count->arena, &entries, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!entries[i].exists || !quota_counts_mailbox(store, entries[i].name))
			continue;
		r = name_to_directory(
			entries[i].name, store->settings.hierarchy_separator, directory);
		if (r == 0)
			add_counted(count)->directory =
				arena_str(&count->arena, slice_str(directory));
	}
	return r;
}

static int add_deleted(struct store *store, struct quota_count *count)
{
	DIR *dir;
	int r = dirs_open_entries(store->root_fd, "tmp", &dir);

	if (r < 0)
		return r;
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)); errno = 0) {
		struct slice name = slice_str(e->d_name);

		if (!slice_starts_with(name, SLICE(TREE_DELETED_PREFIX)) ||
			slice_starts_with(name, SLICE(TREE_DELETED_UNCOUNTED_PREFIX)))
			continue;

		struct counted *counted = add_counted(count);

		counted->directory = arena_str(&count->arena, name);
		counted->in_tmp = true;
	}
	r = -errno;
	closedir(dir);
	return r;
}

void quota_done(struct store *store)
{
	struct quota_count *count = take_ptr(store->quota_count);

	if (!count)
		return;
	if (count->dir)
		closedir(count->dir);
	arena_done(&count->arena);
	free(count->counted);
	free(count);
}

static int begin_count(struct store *store, const struct quota_limits *limits)
{
	struct quota_count *count = calloc(1, sizeof *count);

	must(count != NULL && !store->quota_count);
	count->limits = *limits;
	store->quota_count = count;

	int r = add_mailboxes(store, count);

	return r == 0 ? add_deleted(store, count) : r;
}

/* Open cur/ or new/ of a directory. Returns a descriptor, or -errno. */
static int open_part(const struct store *store, const struct counted *counted, size_t part)
{
	_cleanup_close_ int tmp_fd =
		counted->in_tmp ? dirs_open(store->root_fd, "tmp", false) : -1;
	_cleanup_close_ int fd = dirs_open(
		counted->in_tmp ? tmp_fd : store->root_fd, counted->directory, false);

	return fd < 0 ? fd : dirs_open(fd, PARTS[part], false);
}

/* What is no message, or is gone meanwhile, is not counted. Returns 0, or -errno. */
static int add_message(struct quota_count *count, const char *name)
{
	uint64_t bytes = 0;
	int r = filename_is_message(slice_str(name))
			? quota_file_size(dirfd(count->dir), name, &bytes)
			: -EINVAL;

	if (r < 0)
		return r == -EINVAL || r == -ENOENT ? 0 : r;
	if (__builtin_add_overflow(count->sum.bytes, (int64_t)bytes, &count->sum.bytes))
		count->sum.bytes = INT64_MAX;
	count->sum.messages++;
	return 0;
}

/* Read on in the directory that is open. Returns 0: to its end; -EINPROGRESS; -errno: what was counted is not all. */
static int read_part(struct quota_count *count, struct work *work)
{
	struct dirent *e;
	int r = 0;

	while (r == 0 && (errno = 0, e = readdir(count->dir))) {
		r = add_message(count, e->d_name);
		if (r == 0 && work->budget == 0) /* behind the first: every step comes one on */
			return -EINPROGRESS;
		work->budget -= work->budget > 0;
	}
	if (r == 0)
		r = -errno;
	closedir(take_ptr(count->dir));
	return r;
}

static int begin_part(const struct store *store, struct quota_count *count)
{
	struct counted *counted = &count->counted[count->at];
	int fd = open_part(store, counted, count->part);

	if (fd < 0)
		return fd;

	int r = dirs_stamp_fd(fd, &counted->stamps[count->part]);

	count->dir = r == 0 ? fdopendir(fd) : NULL;
	if (count->dir)
		return 0;
	close(fd);
	return r < 0 ? r : -ENOMEM;
}

static int verify_part(const struct store *store, struct quota_count *count)
{
	const struct counted *counted = &count->counted[count->at];
	_cleanup_close_ int fd = open_part(store, counted, count->part);
	struct stamp stamp = { 0 };

	if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
		return fd;
	if (fd >= 0 && dirs_stamp_fd(fd, &stamp) < 0)
		stamp = (struct stamp){ 0 };
	count->changed |= !stamp_equal(&stamp, &counted->stamps[count->part]);
	return 0;
}

/* One directory after the other. Returns 0: all are done; -EINPROGRESS, -errno. */
static int count_some(const struct store *store, struct quota_count *count, struct work *work)
{
	while (count->at < count->n) {
		int r = 0;

		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
		if (count->verifying)
			r = verify_part(store, count);
		else if (!count->dir)
			r = begin_part(store, count);
		if (r == 0 && count->dir)
			r = read_part(count, work);
		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return r;
		count->part = (count->part + 1) % PARTS_COUNT;
		count->at += count->part == 0;
	}
	return 0;
}

/* If another program has the lock, it writes what it counted. */
static int write_count(struct store *store, const struct quota_count *count, struct work *work)
{
	_cleanup_buf_ struct buf text = BUF(4 * QUOTA_LINE_BYTES);
	struct lock lock = LOCK_INIT;
	struct stamp stamp;
	int r = lock_take(&lock, store->root_fd, LOCK_NAME, store->settings.hostname, work);

	if (r < 0)
		return r == -EAGAIN ? 0 : r;
	r = quota_format(&count->limits, &count->sum, &text);
	if (r == 0)
		r = dirs_replace_file(store->root_fd,
			&(struct replacement){ .name = QUOTA_FILE_NAME,
				.temporary_name = TEMPORARY_NAME,
				.text = buf_slice(&text),
				.sync = store->settings.fsync != FSYNC_NEVER },
			&stamp);
	lock_release(&lock, store->root_fd, LOCK_NAME);
	store->quota_doubt &= r < 0;
	return r;
}

void quota_count_doubt(struct store *store)
{
	store->quota_count->changed = true;
}

static int begin_again(struct store *store)
{
	struct quota_limits limits = store->quota_count->limits;

	quota_done(store);

	int r = begin_count(store, &limits);

	store->quota_count->repeated = true;
	return r < 0 ? r : -EINPROGRESS;
}

static int step_count(struct store *store, struct work *work, struct quota_usage *ret_usage)
{
	struct quota_count *count = store->quota_count;
	int r = count_some(store, count, work);

	if (r == 0 && !count->verifying) {
		count->verifying = true;
		count->at = 0;
		r = count_some(store, count, work);
	}
	if (r == 0 && count->changed && !count->repeated) {
		r = begin_again(store);
		count = store->quota_count;
	}
	if (r == -EINPROGRESS)
		return r;
	if (r == 0 && !count->changed) {
		int q = write_count(store, count, work);

		if (q < 0)
			quota_complain(store, "cannot be written", q);
	}
	if (r == 0)
		*ret_usage = (struct quota_usage){ count->limits, count->sum };
	else
		quota_complain(store, "mailboxes cannot be counted", r);
	quota_done(store);
	return r;
}

static struct quota_sum sum_of(const struct quota_sum *a, const struct quota_sum *b)
{
	struct quota_sum sum;

	if (__builtin_add_overflow(a->bytes, b->bytes, &sum.bytes))
		sum.bytes = INT64_MAX;
	if (__builtin_add_overflow(a->messages, b->messages, &sum.messages))
		sum.messages = INT64_MAX;
	return sum;
}

/* Whether the file answers the question. An answer of "too much" is doubted, unless it was counted just now. */
static bool is_trusted(const struct quota_known *known, const struct quota_limits *limits,
	const struct quota_sum *more, uint64_t now_usec)
{
	struct quota_sum all = sum_of(&known->text.used, more);
	int64_t written = known->stamp.mtime_sec;

	if (!known->exists || !known->reliable ||
		!quota_limits_equal(limits, &known->text.limits))
		return false;
	if (!quota_is_over(limits, &all))
		return true;
	return known->text.sums == 1 && written >= 0 &&
	       (uint64_t)written * 1000000 + QUOTA_TRUSTED_USEC > now_usec;
}

static int find_usage(struct store *store, const struct quota_sum *more, struct work *work,
	struct quota_usage *ret_usage)
{
	struct quota_limits limits = quota_limits_of_settings(store);
	struct quota_known known;
	int r;

	if (store->quota_count)
		return step_count(store, work, ret_usage);
	r = quota_known_read(store, &known);
	if (r < 0) {
		quota_complain(store, "cannot be read", r);
		return r;
	}
	if (!quota_limits_any(&limits))
		limits = known.text.limits;
	if (!quota_limits_any(&limits))
		return -ENODATA;
	if (!store->quota_doubt && is_trusted(&known, &limits, more, work->now_usec)) {
		*ret_usage = (struct quota_usage){ limits, known.text.used };
		return 0;
	}
	r = begin_count(store, &limits);
	if (r < 0) {
		quota_complain(store, "mailboxes cannot be counted", r);
		quota_done(store);
		return r;
	}
	return step_count(store, work, ret_usage);
}

int quota_usage(struct store *store, struct work *work, struct quota_usage *ret_usage)
{
	return find_usage(store, &(struct quota_sum){ 0 }, work, ret_usage);
}

int quota_check(struct store *store, struct slice mailbox_name, const struct quota_sum *more,
	struct work *work)
{
	struct quota_usage usage;

	if (!quota_counts_mailbox(store, mailbox_name))
		return 0;
	if (more->bytes <= 0 && more->messages <= 0) /* what replaces another that is no smaller */
		return 0;

	int r = find_usage(store, more, work, &usage);

	if (r == -EINPROGRESS)
		return r;
	if (r < 0)
		return 0;
	usage.used = sum_of(&usage.used, more);
	return quota_is_over(&usage.limits, &usage.used) ? -EDQUOT : 0;
}
