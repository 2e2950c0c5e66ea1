#include "base/must.h"
#include "maildir/message/crlf.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <fcntl.h>

enum { COUNT_BYTES = 64 * 1024, COUNT_UNITS = 4 };

static ssize_t find_shown(const struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);

	return number >= 0 && (size_t)number < mailbox->list.n_shown ? number : -1;
}

static int open_named(const struct mailbox *mailbox, size_t number)
{
	char name[FILE_NAME_MAX_BYTES + 1];
	struct stat st;

	mailbox_file_name(mailbox, number, name);

	_cleanup_close_ int fd = openat(mailbox_entry_dir(mailbox, number), name,
		O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP ? -EINVAL : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(&fd) : -EINVAL;
}

/* A file that disappeared was renamed, or is gone: looked for once, a program that goes on renaming has it so. */
int mailbox_open_file(struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	if (number < 0)
		return -ENOENT;

	int r = open_named(mailbox, (size_t)number);

	if (r != -ENOENT)
		return r;
	r = mailbox_look_for(mailbox, (size_t)number);
	return r < 0 ? r : open_named(mailbox, (size_t)number);
}

static int stat_named(const struct mailbox *mailbox, size_t number, struct stat *ret_st)
{
	char name[FILE_NAME_MAX_BYTES + 1];

	mailbox_file_name(mailbox, number, name);
	return fstatat(mailbox_entry_dir(mailbox, number), name, ret_st, AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

int mailbox_internaldate(struct mailbox *mailbox, uint32_t msg_uid, int64_t *ret_seconds)
{
	ssize_t number = find_shown(mailbox, msg_uid);
	struct stat st;
	int r = 0;

	if (number < 0)
		return -ENOENT;

	struct entry *entry = list_entry(&mailbox->list, number);

	if (entry->internaldate == ENTRY_DATE_UNKNOWN)
		mailbox_facts_from_card(mailbox, (size_t)number);
	if (entry->internaldate == ENTRY_DATE_UNKNOWN) {
		r = stat_named(mailbox, (size_t)number, &st);
		if (r == -ENOENT)
			r = mailbox_look_for(mailbox, (size_t)number);
		if (r == 0 && entry->internaldate == ENTRY_DATE_UNKNOWN)
			r = stat_named(mailbox, (size_t)number, &st);
		if (r < 0)
			return r;
		entry->internaldate = st.st_mtim.tv_sec;
		list_touch(&mailbox->list, (size_t)number);
	}
	*ret_seconds = entry->internaldate;
	return 0;
}

int mailbox_file_size(struct mailbox *mailbox, uint32_t msg_uid, uint64_t *ret_bytes)
{
	ssize_t number = find_shown(mailbox, msg_uid);
	struct stat st;

	if (number < 0)
		return -ENOENT;
	if (filename_size(list_base(&mailbox->list, (size_t)number), 'S', ret_bytes))
		return 0;

	int r = stat_named(mailbox, (size_t)number, &st);

	if (r == -ENOENT) {
		r = mailbox_look_for(mailbox, (size_t)number);
		if (r == 0)
			r = stat_named(mailbox, (size_t)number, &st);
	}
	if (r == 0)
		*ret_bytes = (uint64_t)st.st_size;
	return r;
}

static void drop_count(struct size_count *count)
{
	close(count->fd);
	*count = (struct size_count){ 0 };
}

/* The count of a message, or a new one, in place of the one longest unused. */
static struct size_count *find_count(struct mailbox *mailbox, uint32_t msg_uid)
{
	struct size_count *oldest = &mailbox->counts[0];

	for (size_t i = 0; i < SIZE_COUNTS; i++) {
		struct size_count *count = &mailbox->counts[i];

		if (count->msg_uid == msg_uid)
			return count;
		if (count->used_usec < oldest->used_usec)
			oldest = count;
	}
	if (oldest->msg_uid != 0)
		drop_count(oldest);
	return oldest;
}

static int count_on(struct size_count *count, struct work *work, uint64_t *ret_octets)
{
	char bytes[COUNT_BYTES];
	struct crlf_count octets = { .octets = count->octets, .last_was_cr = count->last_was_cr };

	for (;;) {
		if (work->budget == 0)
			return -EINPROGRESS;
		work->budget -= work->budget < COUNT_UNITS ? work->budget : COUNT_UNITS;

		ssize_t n = dirs_read_at(count->fd, bytes, sizeof bytes, count->offset);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		crlf_count(&octets, slice_from(bytes, (size_t)n));
		count->offset += (uint64_t)n;
		count->octets = octets.octets;
		count->last_was_cr = octets.last_was_cr;
		if ((size_t)n < sizeof bytes)
			break; /* the end; a file that grows now was not whole before */
	}
	*ret_octets = count->octets;
	return 0;
}

int mailbox_rfc822_size(
	struct mailbox *mailbox, uint32_t msg_uid, struct work *work, uint64_t *ret_octets)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	if (number < 0)
		return -ENOENT;

	uint64_t octets = ENTRY_SIZE_UNKNOWN;

	if (!list_rfc822_size(&mailbox->list, (size_t)number, &octets)) {
		mailbox_facts_from_card(mailbox, (size_t)number);
		octets = list_entry(&mailbox->list, (size_t)number)->rfc822_size;
	}
	if (octets == ENTRY_SIZE_UNKNOWN) {
		struct size_count *count = find_count(mailbox, msg_uid);

		if (count->msg_uid == 0) {
			int fd = mailbox_open_file(mailbox, msg_uid);

			if (fd < 0)
				return fd;
			*count = (struct size_count){ .msg_uid = msg_uid, .fd = fd };
		}
		count->used_usec = work->now_usec;

		int r = count_on(count, work, &octets);

		if (r == -EINPROGRESS)
			return r;
		drop_count(count);
		if (r < 0)
			return r;
		list_touch(&mailbox->list, (size_t)number);
	}
	list_entry(&mailbox->list, number)->rfc822_size = octets;
	*ret_octets = octets;
	return 0;
}

void mailbox_drop_counts(struct mailbox *mailbox)
{
	for (size_t i = 0; i < SIZE_COUNTS; i++)
		if (mailbox->counts[i].msg_uid != 0)
			drop_count(&mailbox->counts[i]);
}
