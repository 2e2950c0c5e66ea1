#include "base/must.h"
#include "maildir/keyword_files.h"
#include "maildir/store_state.h"
#include "maildir/sync.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* A full disk or one that cannot be written must not keep anyone from the mail that has UIDs. */
static bool can_go_on_without(const struct mailbox *mailbox, int error)
{
	return mailbox->uidlist.fd >= 0 && !mailbox->sync.uidlist_broken &&
	       (error == -EACCES || error == -EPERM || error == -EROFS || error == -ENOSPC ||
		       error == -EDQUOT);
}

static int degrade(struct mailbox *mailbox, int error)
{
	struct sync_state *sync = &mailbox->sync;

	if (!can_go_on_without(mailbox, error))
		return error;
	if (!sync->complained)
		mailbox_log(mailbox, LOG_PRIORITY_ERROR,
			"%s cannot be written, new messages are not shown: %s", UIDLIST_NAME,
			strerror(-error));
	sync->degraded = true;
	sync->phase = SYNC_COMMIT;
	return 0;
}

/* Nothing of the uidlist can be relied on: new UIDs for all, and an end for those who know the old ones. */
static int start_over(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;
	int r = uidlist_file_set_aside(mailbox, now_usec);

	if (r < 0)
		return r;
	if (mailbox->synced) {
		mailbox->replaced = true;
		return -ESTALE;
	}
	uidlist_file_forget(mailbox);
	mailbox->uidlist.must_rewrite = true;
	sync->uidlist_broken = false;
	sync->scan_cur = true;
	sync_scan_begin(mailbox);
	sync->phase = SYNC_SCAN_NEW;
	return 0;
}

/* Files that had no UID may have got one from another program meanwhile. */
static void match_unknown(struct mailbox *mailbox)
{
	struct sync_state *sync = &mailbox->sync;
	size_t kept = 0;

	for (size_t i = 0; i < sync->unknown.n; i++) {
		struct sync_file file = sync->unknown.files[i];
		struct filename name = filename_parse(sync_files_name(&sync->unknown, i));

		list_expect_find(&mailbox->list);

		ssize_t number = list_find_base(&mailbox->list, name.base);

		if (number < 0 || list_entry(&mailbox->list, (size_t)number)->seen == sync->scan) {
			sync->unknown.files[kept++] = file;
			continue;
		}
		list_entry(&mailbox->list, (size_t)number)->seen = sync->scan;
		mailbox_take_name(mailbox, (size_t)number, name.info, file.in_new, 0);
	}
	sync->unknown.n = kept;
}

/*
 * Whether a record read under the lock is of a message whose file the scan, made before, could not meet. A scan under a lock
 * that was lost since is one made before, too.
 */
static bool missed_arrived(const struct mailbox *mailbox)
{
	for (size_t i = mailbox->list.n_shown; i < mailbox->list.n; i++)
		if (!list_entry(&mailbox->list, i)->orphan &&
			list_entry(&mailbox->list, i)->seen < mailbox->sync.first_scan)
			return true;
	return false;
}

int sync_take_lock(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	size_t n = mailbox->list.n;

	if (mailbox->arriving) {
		work->retry_usec = LOCK_RETRY_USEC;
		return -EAGAIN;
	}

	int r = mailbox_lock(mailbox, work);

	if (r < 0)
		return r == -EAGAIN ? r : degrade(mailbox, r);
	sync->have_lock = true;
	r = uidlist_file_refresh(mailbox);
	if (r == -EBADMSG && mailbox->snapshot.is_restored)
		return r;
	if (r == -EBADMSG)
		return start_over(mailbox, work->now_usec);
	if (r < 0)
		return r;

	bool rescan = sync->uidlist_broken || mailbox->must_scan;

	sync->uidlist_broken = false;
	if (mailbox->list.n != n || rescan)
		match_unknown(mailbox);
	if (!rescan && !missed_arrived(mailbox)) {
		sync->phase = SYNC_ASSIGN;
		return 0;
	}
	sync->scan_cur = true;
	sync_scan_begin(mailbox);
	sync->phase = SYNC_SCAN_NEW;
	return 0;
}

static int compare_files(const void *a, const void *b, void *arg)
{
	const struct sync_file *x = a, *y = b;
	const char *names = arg;
	struct filename s = filename_parse(slice_from(names + x->name_at, x->name_bytes));
	struct filename t = filename_parse(slice_from(names + y->name_at, y->name_bytes));
	int order = filename_compare_arrival(s.base, t.base);

	return order ? order
		     : (int)x->in_new - (int)y->in_new; /* cur/ is where a message belongs */
}

static int add_unknown(struct mailbox *mailbox, size_t i, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;
	struct slice whole = sync_files_name(&sync->unknown, i);
	struct filename name = filename_parse(whole);

	if (i > 0) {
		struct filename before = filename_parse(sync_files_name(&sync->unknown, i - 1));

		if (slice_equal(before.base, name.base))
			return sync_files_add(
				       &sync->duplicates, whole, sync->unknown.files[i].in_new)
				       ? 0
				       : -ENOMEM;
	}
	if (mailbox->uidlist.header.uidnext >= UINT32_MAX - 1)
		return -EOVERFLOW;

	size_t number = list_add(&mailbox->list, mailbox->uidlist.header.uidnext, name.base,
		(struct slice){ NULL, 0 });

	if (number == SIZE_MAX)
		return -ENOMEM;
	mailbox->uidlist.header.uidnext++;
	list_entry(&mailbox->list, (size_t)number)->seen = sync->scan;
	mailbox_take_name(mailbox, number, name.info, sync->unknown.files[i].in_new, now_usec);
	return 0;
}

static int add_all_unknown(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_files *unknown = &mailbox->sync.unknown;
	int r = 0;

	if (unknown->n > 0)
		qsort_r(unknown->files, unknown->n, sizeof *unknown->files, compare_files,
			unknown->names.p);
	list_reserve(&mailbox->list, mailbox->list.n + unknown->n,
		mailbox->list.bytes_n + unknown->names.n + 1);
	for (size_t i = 0; r == 0 && i < unknown->n; i++)
		r = add_unknown(mailbox, i, now_usec);
	return r;
}

/* UIDs that did not get onto the disk were not given. */
static void take_back(struct mailbox *mailbox, size_t first, uint32_t uidnext)
{
	for (size_t i = first; i < mailbox->list.n; i++)
		mailbox->n_in_new -= list_entry(&mailbox->list, i)->in_new;
	list_truncate(&mailbox->list, first);
	mailbox->uidlist.header.uidnext = uidnext;
}

int sync_assign_uids(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	size_t first = mailbox->list.n;
	uint32_t uidnext = mailbox->uidlist.header.uidnext ? mailbox->uidlist.header.uidnext : 1;

	mailbox->uidlist.header.uidnext = uidnext;

	int r = add_all_unknown(mailbox, work->now_usec);

	if (r == 0)
		r = uidlist_file_write(mailbox, first, work);
	if (r < 0) {
		take_back(mailbox, first, uidnext);
		mailbox_unlock(mailbox);
		sync->have_lock = false;
	}
	if (r == -EOVERFLOW || r == -EAGAIN)
		sync->phase = SYNC_LOCK;
	if (r == -EOVERFLOW) {
		r = mailbox_lock(mailbox, work);
		sync->have_lock = r == 0;
		return r < 0 ? r : start_over(mailbox, work->now_usec);
	}
	if (r < 0)
		return r == -EAGAIN ? r : degrade(mailbox, r);
	if (first < mailbox->list.n && sync->first_new_uid == 0)
		sync->first_new_uid = uidnext;
	if (sync->scan_cur && keyword_files_compact(mailbox, work->now_usec) < 0)
		mailbox_log(
			mailbox, LOG_PRIORITY_WARNING, "restante-keywords cannot be written anew");
	sync->phase = SYNC_MOVE;
	return 0;
}

/* Returns 0 also where the file stays in new/: it is shown all the same. */
static int move_one(struct mailbox *mailbox, size_t number, uint64_t now_usec)
{
	_cleanup_buf_ struct buf to = BUF(FILE_NAME_MAX_BYTES);
	struct list *list = &mailbox->list;
	struct slice info = list_odd_info(list, number);
	char from_name[FILE_NAME_MAX_BYTES + 1], to_name[FILE_NAME_MAX_BYTES + 1];

	mailbox_file_name(mailbox, number, from_name);
	if (filename_format(list_base(list, number), info, list_entry(list, number)->letters, &to) < 0)
		return -ENAMETOOLONG;
	must(slice_to_str(buf_slice(&to), to_name, sizeof to_name));

	int r = dirs_rename(mailbox->new_fd, from_name, mailbox->cur_fd, to_name);

	if (r == -ENOENT) { /* moved by another program, or gone */
		mailbox->must_scan = true;
		return 0;
	}
	if (r == -EEXIST)
		return sync_files_add(&mailbox->sync.duplicates, slice_str(from_name), true)
			       ? 0
			       : -ENOMEM;
	if (r == 0)
		mailbox_take_name(
			mailbox, number, filename_parse(buf_slice(&to)).info, false, now_usec);
	return r;
}

/* So that our own changes of cur/ cost no look at it: was it, before them, as it was scanned? */
static bool cur_is_known(const struct mailbox *mailbox)
{
	const struct sync_state *sync = &mailbox->sync;
	struct stamp stamp;

	return dirs_stamp_fd(mailbox->cur_fd, &stamp) == 0 &&
	       stamp_equal(&stamp, sync->scan_cur && !sync->stamps_moved ? &sync->cur_before
									 : &mailbox->cur_stamp);
}

static void note_cur_stamp(struct mailbox *mailbox)
{
	struct stamp stamp;

	if (dirs_stamp_fd(mailbox->cur_fd, &stamp) < 0)
		return;
	mailbox->cur_stamp = stamp;
	mailbox->sync.stamps_moved = true;
}

/* The first message in new/. They are mostly the last ones, so they are looked for from the end. */
static size_t first_in_new(const struct mailbox *mailbox)
{
	const struct list *list = &mailbox->list;
	size_t left = mailbox->n_in_new, i = list->n;

	while (i > 0 && left > 0)
		left -= list->entries[--i].in_new;
	return i;
}

static int move_some(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	struct list *list = &mailbox->list;
	size_t i = first_in_new(mailbox), next = list_lower_bound(list, sync->move_uid);

	for (i = i > next ? i : next; i < list->n && mailbox->n_in_new > 0; i++) {
		if (!list->entries[i].in_new || list->entries[i].seen < sync->first_scan)
			continue;
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
		sync->move_uid = list->messages[i].msg_uid + 1;

		int r = move_one(mailbox, i, work->now_usec);

		if (r < 0)
			return r;
	}
	return 0;
}

int sync_move_new(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;

	if (mailbox->n_in_new > 0)
		mailbox_watch_changes(mailbox);

	bool known = mailbox->n_in_new > 0 && cur_is_known(mailbox);
	bool any = mailbox->n_in_new > 0;
	int r = move_some(mailbox, work);

	if (known)
		note_cur_stamp(mailbox);
	if (r == -EINPROGRESS)
		return r;
	if (r == 0 && any && mailbox_fsync_always(mailbox) && fsync(mailbox->cur_fd) < 0)
		r = -errno;
	if (r < 0 && !sync->complained)
		mailbox_log(
			mailbox, LOG_PRIORITY_WARNING, "messages stay in new/: %s", strerror(-r));
	sync->stuck = r < 0;
	sync->phase = SYNC_DUPLICATES;
	return 0;
}

/* A second message under the base name of a first one gets a name of its own. */
static int give_new_name(struct mailbox *mailbox, const char *name, bool in_new, uint64_t now_usec)
{
	_cleanup_buf_ struct buf to = BUF(FILE_NAME_MAX_BYTES);
	struct filename old = filename_parse(slice_str(name));
	char to_name[FILE_NAME_MAX_BYTES + 1];
	struct filename_unique unique = {
		.now_usec = now_usec,
		.pid = getpid(),
		.count = ++mailbox->store->names_made,
		.hostname = mailbox->store->settings.hostname,
	};
	int r = filename_format_unique(&unique, old.base, &to);

	if (r == 0)
		r = buf_add(&to, old.info.n > 0 ? old.info : SLICE(":2,"));
	if (r < 0)
		return -ENAMETOOLONG;
	must(slice_to_str(buf_slice(&to), to_name, sizeof to_name));
	r = dirs_rename(in_new ? mailbox->new_fd : mailbox->cur_fd, name, mailbox->cur_fd, to_name);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	mailbox->must_scan = true;
	mailbox_log(mailbox, LOG_PRIORITY_WARNING, "two files have the name %s: one is %s now",
		name, to_name);
	return 0;
}

static int part_files(
	struct mailbox *mailbox, size_t number, const char *name, bool in_new, uint64_t now_usec)
{
	int dir_fd = in_new ? mailbox->new_fd : mailbox->cur_fd;
	char known[FILE_NAME_MAX_BYTES + 1];
	struct stat ours, other;

	mailbox_file_name(mailbox, number, known);
	if (fstatat(dir_fd, name, &other, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstatat(mailbox_entry_dir(mailbox, number), known, &ours, AT_SYMLINK_NOFOLLOW) < 0) {
		mailbox->must_scan = true; /* it was a renaming under our eyes */
		return errno == ENOENT ? 0 : -errno;
	}
	if (ours.st_ino != other.st_ino || ours.st_dev != other.st_dev)
		return give_new_name(mailbox, name, in_new, now_usec);
	if (other.st_nlink < 2)
		return 0; /* the same name twice */
	return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int sync_part_duplicates(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	char name[FILE_NAME_MAX_BYTES + 1];

	for (; sync->duplicate < sync->duplicates.n; sync->duplicate++) {
		struct slice whole = sync_files_name(&sync->duplicates, sync->duplicate);
		bool in_new = sync->duplicates.files[sync->duplicate].in_new;
		ssize_t number = list_find_base(&mailbox->list, filename_parse(whole).base);

		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget--;
		if (number < 0 || !slice_to_str(whole, name, sizeof name))
			continue;

		int r = part_files(mailbox, (size_t)number, name, in_new, work->now_usec);

		if (r == 0)
			continue;
		if (!sync->complained)
			mailbox_log(mailbox, LOG_PRIORITY_WARNING, "two files have the name %s: %s",
				name, strerror(-r));
		sync->degraded = true; /* one of them is not shown: looked for once more */
	}
	sync->phase = SYNC_COMMIT;
	return 0;
}
