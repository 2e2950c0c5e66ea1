#include "maildir/sync.h"

#include <errno.h>
#include <fcntl.h>

void sync_scan_begin(struct mailbox *mailbox)
{
	struct sync_state *sync = &mailbox->sync;

	sync->first_scan = ++sync->scan;
	sync->ignored = 0;
	sync->confirming = false;
	if (sync->scan_cur)
		mailbox->must_scan = false; /* set again from now on, it is for the next time */
	sync_files_clear(&sync->unknown);
	sync_files_clear(&sync->duplicates);
}

void sync_scan_confirm(struct mailbox *mailbox)
{
	uint32_t first = mailbox->sync.first_scan;

	sync_scan_begin(mailbox);
	mailbox->sync.first_scan = first;
	mailbox->sync.confirming = true;
}

static int open_scan(struct mailbox *mailbox, bool in_new)
{
	struct sync_state *sync = &mailbox->sync;
	int dir_fd = in_new ? mailbox->new_fd : mailbox->cur_fd;
	int r = dirs_stamp_fd(dir_fd, in_new ? &sync->new_before : &sync->cur_before);

	if (r == 0)
		r = entries_open(&sync->entries, dir_fd, sync->confirming ? mailbox_whole_bytes(mailbox) : 0);
	return r;
}

/* Returns 1, 0, or -errno: -ENOENT if it is gone already. */
static int is_regular(int dir_fd, const struct dirent64 *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_REG;
	if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISREG(st.st_mode);
}

/* Whether the file has the name that is known. For every file of every scan: nothing is formatted. */
static bool has_known_name(
	const struct mailbox *mailbox, size_t number, struct slice info, bool in_new)
{
	const struct entry *entry = list_entry(&mailbox->list, number);

	if (entry->in_new != in_new || entry->no_info != (info.n == 0))
		return false;
	if (info.n == 0)
		return true;
	if (entry->info_at)
		return slice_equal(list_odd_info(&mailbox->list, number), info);
	return filename_is_canonical(info) && filename_letters(info) == entry->letters;
}

/* Returns 1, 0, or -errno. */
static int known_name_exists(const struct mailbox *mailbox, size_t number)
{
	char name[FILE_NAME_MAX_BYTES + 1];
	struct stat st;

	mailbox_file_name(mailbox, number, name);
	if (fstatat(mailbox_entry_dir(mailbox, number), name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static int keep(struct sync_files *files, struct slice name, bool in_new)
{
	return sync_files_add(files, name, in_new) ? 0 : -ENOMEM;
}

/* Met in new/ just now, and again in cur/: it was moved, or there are two. cur/ is where a message with a UID lies. */
static int prefer_cur(struct mailbox *mailbox, size_t number, struct slice info, uint64_t now_usec)
{
	char name[FILE_NAME_MAX_BYTES + 1];

	mailbox_file_name(mailbox, number, name);
	mailbox_take_name(mailbox, number, info, false, now_usec);
	return keep(&mailbox->sync.duplicates, slice_str(name), true);
}

/*
 * A file with the base name of a known message. A new name means changed flags only if no file has the old one;
 * else there are two, and the UID stays with the one it was shown for.
 */
static int meet_known(struct mailbox *mailbox, size_t number, const struct filename *name,
	struct slice whole, bool in_new, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;
	struct entry *entry = list_entry(&mailbox->list, number);
	bool never_met = entry->seen == 0;

	if (!never_met && has_known_name(mailbox, number, name->info, in_new)) {
		entry->seen = sync->scan;
		return 0;
	}
	if (entry->seen == sync->scan && entry->in_new && !in_new &&
		number >= mailbox->list.n_shown)
		return prefer_cur(mailbox, number, name->info, now_usec);

	int r = never_met ? 0 : known_name_exists(mailbox, number);

	if (r < 0)
		return r;
	entry->seen = sync->scan;
	if (r > 0) /* met, if not here: what was read may have been renamed back meanwhile, and have no other name */
		return keep(&sync->duplicates, whole, in_new);
	mailbox_take_name(mailbox, number, name->info, in_new, now_usec);
	return 0;
}

static int meet(struct mailbox *mailbox, const struct dirent64 *e, bool in_new, uint64_t now_usec)
{
	struct slice whole = slice_str(e->d_name);

	if (whole.p[0] == '.')
		return 0;

	int r = filename_is_message(whole)
			? is_regular(in_new ? mailbox->new_fd : mailbox->cur_fd, e)
			: 0;

	if (r == 0)
		mailbox->sync.ignored++;
	if (r <= 0)
		return r == -ENOENT ? 0 : r;

	struct filename name = filename_parse(whole);
	ssize_t number = list_find_base(&mailbox->list, name.base);

	return number >= 0 ? meet_known(mailbox, (size_t)number, &name, whole, in_new, now_usec)
			   : keep(&mailbox->sync.unknown, whole, in_new);
}

int sync_scan_dir(struct mailbox *mailbox, bool in_new, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	int r = sync->entries.fd >= 0 ? 0 : open_scan(mailbox, in_new);
	const struct dirent64 *e;

	while (r == 0) {
		if (work->budget == 0)
			return -EINPROGRESS;
		list_expect_find(&mailbox->list);
		r = entries_next(&sync->entries, &e);
		if (r <= 0)
			break;
		work->budget--;
		r = meet(mailbox, e, in_new, work->now_usec);
	}
	entries_close(&sync->entries);
	return r;
}

bool sync_scan_missed(const struct mailbox *mailbox, size_t number)
{
	/* One that is not loaded was met by no scan. */
	const struct entry *entry = &mailbox->list.entries[number];

	return (mailbox->sync.scan_cur || entry->in_new) && entry->seen < mailbox->sync.first_scan;
}

bool sync_scan_missed_any(const struct mailbox *mailbox)
{
	if (!mailbox->sync.scan_cur && mailbox->n_in_new == 0)
		return false;
	for (size_t i = 0; i < mailbox->list.n; i++)
		if (sync_scan_missed(mailbox, i) && !list_entry(&mailbox->list, i)->orphan)
			return true;
	return false;
}
