#include "base/must.h"
#include "maildir/keyword_files.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdio.h>

enum { LINES_MAX_BYTES = 16 * 1024 * 1024 };
static const uint64_t LOW_KEYWORDS = LETTERS_KEYWORDS;

/* One call of mailbox_store_flags(). */
struct storing {
	struct mailbox *mailbox;
	struct flags_change change; /* $Forwarded is a flag here, never a keyword */
	struct work *work;
	struct buf lines; /* for restante-keywords */
	bool locked, unlockable;
};

/*
 * A file that is renamed while another program reads cur/ may show under neither name: the directory is read in pieces,
 * and a name may go from one that is still to be read to one that was read. Dovecot reads under the lock of the uidlist,
 * and believes that what it did not meet is gone: its clients are told so, and the message gets another UID. So nothing
 * is renamed in cur/ without that lock. Where there can be none, as on a full disk, flags are changed all the same.
 */
static int lock_files(struct storing *storing)
{
	if (storing->locked || storing->unlockable)
		return 0;

	int r = mailbox_lock(storing->mailbox, storing->work);

	if (r == -EAGAIN)
		return r;
	storing->locked = r == 0;
	storing->unlockable = r < 0;
	return 0;
}

static void change_flags(const struct storing *storing, const struct message *message,
	uint32_t *ret_flags, uint64_t *ret_keywords)
{
	const struct flags_change *change = &storing->change;

	*ret_flags = change->flags;
	*ret_keywords = change->keywords;
	switch (change->operation) {
	case FLAGS_REPLACE:
		break;
	case FLAGS_ADD:
		*ret_flags = message->flags | change->flags;
		*ret_keywords = message->keywords | change->keywords;
		break;
	case FLAGS_REMOVE:
		*ret_flags = message->flags & ~change->flags;
		*ret_keywords = message->keywords & ~change->keywords;
		break;
	}
}

/* Returns 0; -ENOENT: the file is not where it was; -errno. */
static int rename_file(struct mailbox *mailbox, size_t number, uint32_t letters,
	struct slice *ret_info, struct buf *to)
{
	struct list *list = &mailbox->list;
	char from_name[FILE_NAME_MAX_BYTES + 1], to_name[FILE_NAME_MAX_BYTES + 1];
	struct slice base = list_base(list, number);

	mailbox_file_name(mailbox, number, from_name);
	if (filename_format(base, list_odd_info(list, number), letters, to) < 0 ||
		!slice_to_str(buf_slice(to), to_name, sizeof to_name))
		return -ENAMETOOLONG;
	*ret_info = slice_tail(buf_slice(to), base.n);
	if (strcmp(from_name, to_name) == 0 && !list_entry(list, number)->in_new)
		return 0;
	return dirs_rename(mailbox_entry_dir(mailbox, number), from_name, mailbox->cur_fd, to_name);
}

static int store_one(struct storing *storing, size_t number)
{
	struct mailbox *mailbox = storing->mailbox;
	const struct message *message = &mailbox->list.messages[number];
	struct entry *entry = list_entry(&mailbox->list, number);
	_cleanup_buf_ struct buf to = BUF(2 * FILE_NAME_MAX_BYTES);
	struct slice info;
	uint32_t flags;
	uint64_t keywords;
	int r = 0;

	change_flags(storing, message, &flags, &keywords);

	uint32_t letters =
		flags == message->flags && keywords == message->keywords
			? entry->letters
			: mailbox_letters_from_flags(mailbox, flags, keywords, entry->letters);
	bool beyond = (keywords & ~LOW_KEYWORDS) != (message->keywords & ~LOW_KEYWORDS);

	if (letters != entry->letters) {
		r = lock_files(storing);
		if (r == 0)
			r = rename_file(mailbox, number, letters, &info, &to);
		if (r < 0)
			return r;
		mailbox->n_in_new -= entry->in_new;
		entry->in_new = false;
		list_touch(&mailbox->list, number);
		entry->seen = mailbox->sync.scan;
		list_set_info(&mailbox->list, number, info);
		mailbox->keywords.letters_seen |= entry->letters & LETTERS_KEYWORDS;
	}
	if (beyond)
		r = keywords_format_message(
			list_base(&mailbox->list, number), keywords, &storing->lines);
	if (flags == message->flags && keywords == message->keywords)
		return r;
	mailbox_set_flags(
		mailbox, number, (struct message_flags){ flags, keywords }, storing->work->now_usec);
	return r;
}

/*
 * Whether unchangedsince forbids the change: not where flags are added or taken away that stayed as they were, as far as
 * that is known. RFC 7162 section 3.1.12.
 */
static bool is_forbidden(const struct storing *storing, const struct message *message)
{
	const struct flags_change *change = &storing->change;
	uint32_t flags;
	uint64_t keywords;

	if (message->modseq <= change->unchangedsince)
		return false;
	if (change->operation == FLAGS_REPLACE || change->unchangedsince == 0 ||
		!flag_log_since(&storing->mailbox->flag_log, message->msg_uid, message->modseq,
			change->unchangedsince, &flags, &keywords))
		return true;
	return (flags & change->flags) || (keywords & change->keywords);
}

/* Returns 0: done or passed over; -EINPROGRESS, -EAGAIN, -errno. */
static int store_uid(struct storing *storing, uint32_t msg_uid, bool *modified)
{
	struct mailbox *mailbox = storing->mailbox;
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);

	if (number < 0 || (size_t)number >= mailbox->list.n_shown)
		return 0;
	if (is_forbidden(storing, &mailbox->list.messages[number])) {
		if (modified)
			*modified = true;
		return 0;
	}

	int r = store_one(storing, (size_t)number);

	if (r != -ENOENT && r != -EEXIST)
		return r;

	/* Renamed by another program, or there are two files of the name: a sync tells, then it is tried again. */
	r = mailbox_find_vanished(mailbox, msg_uid, storing->work);
	if (r == 0)
		r = -ERESTART;
	return r == -ENOENT ? 0 : r;
}

static int store_some(
	struct storing *storing, const uint32_t *uids, size_t n, size_t *done, bool *modified)
{
	while (*done < n) {
		if (storing->work->budget == 0)
			return -EINPROGRESS;

		int r = store_uid(storing, uids[*done], modified ? &modified[*done] : NULL);

		if (r == -ERESTART)
			continue;
		if (r < 0)
			return r;
		storing->work->budget--;
		++*done;
		if (storing->lines.n > LINES_MAX_BYTES / 2)
			return -EINPROGRESS;
	}
	return 0;
}

/* Dovecot knows $Forwarded by a letter with that name: it gets one, if there is one left. */
static int prepare_forwarded(struct storing *storing)
{
	struct mailbox *mailbox = storing->mailbox;
	int forwarded = mailbox->keywords.forwarded;

	if (forwarded >= 0 && (storing->change.keywords >> forwarded & 1)) {
		storing->change.keywords &= ~((uint64_t)1 << forwarded);
		storing->change.flags |= FLAG_FORWARDED;
	}
	if (!(storing->change.flags & FLAG_FORWARDED) ||
		storing->change.operation == FLAGS_REMOVE || forwarded >= 0 ||
		keyword_table_find(&mailbox->keywords.table, SLICE("$Forwarded")) >= 0)
		return 0;

	int r = keyword_files_create(
		mailbox, SLICE("$Forwarded"), FILENAME_KEYWORD_LETTERS, storing->work);

	return r == -EAGAIN ? r : 0; /* P alone does */
}

/* Whether keywords without letters may be changed: then the lock is needed. */
static bool touches_beyond(const struct mailbox *mailbox, const struct flags_change *change)
{
	return (change->keywords & ~LOW_KEYWORDS) != 0 ||
	       (change->operation == FLAGS_REPLACE &&
		       keyword_table_end(&mailbox->keywords.table) > KEYWORD_FIRST_BEYOND);
}

static int store_locked(
	struct storing *storing, const uint32_t *uids, size_t n, size_t *done, bool *modified)
{
	struct mailbox *mailbox = storing->mailbox;
	int r = keyword_files_refresh(mailbox, storing->work->now_usec);

	if (r == 0)
		r = store_some(storing, uids, n, done, modified);
	if (storing->lines.n > 0) {
		int q = keyword_files_append(
			mailbox, buf_slice(&storing->lines), mailbox_fsync_always(mailbox));

		if (q < 0) {
			mailbox_log(mailbox, LOG_PRIORITY_ERROR,
				"restante-keywords cannot be written: %s", strerror(-q));
			mailbox->keywords.beyond_stale = true; /* what the file says counts */
			r = q;
		}
	}
	return r;
}

int mailbox_store_flags(struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done,
	const struct flags_change *change, bool *modified, struct work *work)
{
	struct storing storing = {
		.mailbox = mailbox,
		.change = *change,
		.work = work,
		.lines = BUF(LINES_MAX_BYTES),
	};

	if (mailbox->replaced)
		return -ESTALE;

	int r = prepare_forwarded(&storing);

	if (r < 0)
		return r;

	bool known = mailbox_cur_begin(mailbox);

	if (touches_beyond(mailbox, change)) {
		r = mailbox_lock(mailbox, work);
		if (r < 0)
			return r;
		storing.locked = true;
		r = store_locked(&storing, uids, n, done, modified);
	} else {
		r = store_some(&storing, uids, n, done, modified);
	}
	if (storing.locked)
		mailbox_unlock(mailbox);
	if (r < 0 && r != -EINPROGRESS && r != -EAGAIN)
		mailbox_cur_doubt(mailbox); /* both names of a file may be there */
	else
		mailbox_cur_end(mailbox, known);
	buf_done(&storing.lines);
	if (r == 0 && mailbox_fsync_always(mailbox) && fsync(mailbox->cur_fd) < 0)
		return -errno;
	return r;
}
