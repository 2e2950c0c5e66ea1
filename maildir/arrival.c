/*
 * From tmp/, or from the mailbox that they are moved out of, into the mailbox, under the lock of its uidlist:
 *
 *   keywords    get their numbers; those beyond the letters are noted for the new base names, durably
 *   cur/        each file is renamed (arrival_place.c); the directory is synced
 *   uidlist     records are appended, synced
 *   list        the messages are shown
 *
 * With many files the first part takes several steps. In between the lock stays ours: other connections see the
 * mailbox as it was, and whoever wants the lock waits (mailbox.arriving).
 *
 * Files before records: a program that meets a file without record waits for the lock to give it a UID, while a
 * record without file would count as that of a message gone. A fault before the end renames all files back. After a
 * crash in between, files that were renamed are messages without UID: whole ones, that nobody was promised, or that
 * are not in the source any more; the next sync gives them UIDs.
 */
#include "maildir/arrival.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/arrival_place.h"
#include "maildir/keyword_files.h"
#include "maildir/leftovers.h"
#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/sync.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum {
	INFO_MAX_BYTES = 3 + 6 + FILENAME_KEYWORD_LETTERS, /* ":2,", flags, keywords */
	BASE_MAX_BYTES = FILE_NAME_MAX_BYTES - INFO_MAX_BYTES,
	LINES_MAX_BYTES = 64 * 1024 * 1024,
};

#define KEYWORDS_BEYOND (~(uint64_t)LETTERS_KEYWORDS)

static void give_up(struct committing *c);

/* Before the first file of ours; a tmp/ that cannot be read is no reason to fail. */
static void remove_leftovers(const struct arrival *arrival)
{
	struct mailbox *mailbox = arrival->mailbox;
	int n;

	if (mailbox->leftovers_removed)
		return;
	mailbox->leftovers_removed = true;
	n = leftovers_remove(arrival->tmp_fd, clock_realtime_usec());
	if (n > 0)
		mailbox_log(mailbox, LOG_PRIORITY_INFO,
			"%d files that nobody finished are removed from tmp/", n);
}

int arrival_init(struct arrival *arrival, struct mailbox *mailbox)
{
	int fd = dirs_open(mailbox->dir_fd, "tmp", true);

	if (fd < 0)
		return fd;
	*arrival = (struct arrival){ .mailbox = mailbox, .tmp_fd = fd };
	remove_leftovers(arrival);
	return 0;
}

static void free_file(struct arriving *file)
{
	free(file->temporary);
	free(file->base);
	free(file->guid);
	free(file->source_name);
}

void arrival_drop_last(struct arrival *arrival)
{
	struct arriving *file = &arrival->files[--arrival->n];

	if (!arrival->source)
		unlinkat(arrival->tmp_fd, file->temporary, 0);
	free_file(file);
}

void arrival_done(struct arrival *arrival)
{
	if (arrival->committing)
		give_up(arrival->committing);
	while (arrival->n > 0)
		arrival_drop_last(arrival);
	free(arrival->files);
	free(arrival->taken);
	keyword_table_done(&arrival->keywords);
	if (arrival->tmp_fd >= 0)
		close(arrival->tmp_fd);
	*arrival = (struct arrival){ .tmp_fd = -1 };
}

static char *new_name(struct store *store, uint64_t now_usec)
{
	_cleanup_buf_ struct buf name = BUF(4 * FILE_NAME_MAX_BYTES);
	struct filename_unique unique = {
		.now_usec = now_usec,
		.pid = getpid(),
		.count = ++store->names_made,
		.hostname = store->settings.hostname,
	};

	must(filename_format_unique(&unique, SLICE(""), &name) == 0);

	char *text = strndup(name.p, name.n);

	must(text != NULL);
	return text;
}

struct arriving *arrival_add(struct arrival *arrival, uint64_t now_usec)
{
	if (arrival->n == arrival->cap) {
		arrival->cap = arrival->cap + arrival->cap / 2 + 4;
		arrival->files = reallocarray(arrival->files, arrival->cap, sizeof *arrival->files);
		must(arrival->files != NULL);
	}

	struct arriving *file = &arrival->files[arrival->n++];

	*file = (struct arriving){
		.temporary = new_name(arrival->mailbox->store, now_usec),
		.rfc822_size = ENTRY_SIZE_UNKNOWN,
		.internaldate = ENTRY_DATE_UNKNOWN,
	};
	return file;
}

int arrival_create(struct arrival *arrival, const struct arriving *file)
{
	_cleanup_close_ int fd = openat(arrival->tmp_fd, file->temporary,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(arrival->mailbox->dir_fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 0066) && fchmod(fd, st.st_mode & 0666) < 0)
		return -errno;
	return take_fd(&fd);
}

/* The comma fields of a base name, but for the sizes, which are written anew. */
static int add_other_fields(struct slice old_base, struct buf *out)
{
	struct slice field;
	int r = 0;

	(void)slice_split(&old_base, ',', &field);
	while (r == 0 && slice_split(&old_base, ',', &field))
		if (!slice_starts_with(field, SLICE("S=")) &&
			!slice_starts_with(field, SLICE("W=")))
			r = buf_addf(out, ",%.*s", SLICE_FMT(field));
	return r;
}

int arrival_name(struct arriving *file, struct slice old_base, uint64_t file_size)
{
	_cleanup_buf_ struct buf base = BUF(BASE_MAX_BYTES);
	int r = buf_addf(&base, "%s,S=%llu", file->temporary, (unsigned long long)file_size);

	if (r == 0 && file->rfc822_size != ENTRY_SIZE_UNKNOWN)
		r = buf_addf(&base, ",W=%llu", (unsigned long long)file->rfc822_size);
	if (r < 0)
		return -ENAMETOOLONG;

	size_t sizes_end = base.n;

	if (add_other_fields(old_base, &base) < 0)
		buf_truncate(
			&base, sizes_end); /* fields of others are not worth losing a message */
	free(file->base);
	file->base = strndup(base.p, base.n);
	must(file->base != NULL);
	return 0;
}

/* Returns 0; *ret_number is -1 if the mailbox cannot have it: a message without a keyword is better than none. */
static int find_number(struct committing *c, struct slice name, unsigned end, int *ret_number)
{
	int r = keyword_table_find(&c->mailbox->keywords.table, name);

	if (r < 0 && !keyword_is_valid(name))
		r = -EINVAL;
	else if (r < 0)
		r = keyword_files_create(c->mailbox, name, end, c->work);
	*ret_number = r >= 0 ? r : -1;
	return r >= 0 || r == -EINVAL || r == -E2BIG ? 0 : r;
}

static int find_numbers(struct committing *c)
{
	const struct keyword_table *names = &c->arrival->keywords;
	uint64_t used = 0;
	uint32_t flags = 0;
	int r = 0, forwarded;

	for (size_t i = 0; i < c->arrival->n; i++) {
		used |= c->arrival->files[i].keywords;
		flags |= c->arrival->files[i].flags;
	}
	for (unsigned n = 0; r == 0 && n < LIMIT_KEYWORDS; n++) {
		c->numbers[n] = -1;
		if ((used >> n & 1) && names->names[n])
			r = find_number(
				c, slice_str(names->names[n]), LIMIT_KEYWORDS, &c->numbers[n]);
	}
	if (r == 0 && (flags & FLAG_FORWARDED)) /* by a letter, as STORE does it; else by P */
		r = find_number(c, SLICE("$Forwarded"), FILENAME_KEYWORD_LETTERS, &forwarded);
	return r;
}

static int note_keywords_beyond(struct committing *c)
{
	_cleanup_buf_ struct buf lines = BUF(LINES_MAX_BYTES);
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->arrival->n; i++) {
		const struct arriving *file = &c->arrival->files[i];
		uint64_t keywords = arrival_keywords_here(c, file);

		if (keywords & KEYWORDS_BEYOND)
			r = keywords_format_message(slice_str(file->base), keywords, &lines);
	}
	if (r == 0 && lines.n > 0)
		r = keyword_files_append(
			c->mailbox, buf_slice(&lines), !mailbox_fsync_never(c->mailbox));
	return r;
}

static int add_to_list(struct committing *c, const struct arriving *file)
{
	struct mailbox *mailbox = c->mailbox;
	char name[FILE_NAME_MAX_BYTES + 1], fields[FILE_NAME_MAX_BYTES + 2] = "";

	if (file->guid)
		snprintf(fields, sizeof fields, "G%s", file->guid);
	arrival_format_name(c, file, name);

	size_t number = list_add(&mailbox->list, mailbox->uidlist.header.uidnext,
		slice_str(file->base), slice_str(fields));

	if (number == SIZE_MAX)
		return -ENOMEM;

	struct entry *entry = list_entry(&mailbox->list, number);

	mailbox->uidlist.header.uidnext++;
	entry->seen = mailbox->sync.scan;
	entry->rfc822_size = file->rfc822_size;
	entry->internaldate = file->internaldate;
	mailbox_take_name(
		mailbox, number, filename_parse(slice_str(name)).info, false, c->work->now_usec);
	mailbox->list.messages[number].keywords |= arrival_keywords_here(c, file) & KEYWORDS_BEYOND;
	return 0;
}

/* UIDs that did not get onto the disk were not given. */
static int give_uids(struct committing *c, uint32_t *ret_first_uid)
{
	struct mailbox *mailbox = c->mailbox;
	size_t first = mailbox->list.n;
	uint32_t uidnext = mailbox->uidlist.header.uidnext;
	int r = c->arrival->n >= UINT32_MAX - 1 - uidnext ? -EOVERFLOW : 0;

	for (size_t i = 0; r == 0 && i < c->arrival->n; i++)
		if (!c->arrival->files[i].missed)
			r = add_to_list(c, &c->arrival->files[i]);
	if (r == 0 && mailbox->list.n > first)
		r = uidlist_file_write(mailbox, first, c->work);
	if (r < 0) {
		list_truncate(&mailbox->list, first);
		mailbox->uidlist.header.uidnext = uidnext;
		return r;
	}
	*ret_first_uid = uidnext;
	return 0;
}

/* Records another program wrote meanwhile come first: then it is the next sync that shows all. */
static void show(struct mailbox *mailbox, size_t known, uint64_t now_usec)
{
	struct list *list = &mailbox->list;

	if (list->n_shown < known) {
		mailbox->must_scan = true;
		return;
	}

	uint64_t modseq = mailbox_next_modseq(mailbox, now_usec);

	for (size_t i = list->n_shown; i < list->n; i++)
		list->messages[i].modseq = modseq;
	list->n_shown = list->n;
	mailbox->uidnext = mailbox->uidlist.header.uidnext;
	mailbox_note_added(mailbox);
}

/* They are messages now: nothing of them is to be removed. */
static void forget_files(struct arrival *arrival)
{
	while (arrival->n > 0)
		free_file(&arrival->files[--arrival->n]);
}

static struct quota_sum quota_sum_of(const struct arrival *arrival)
{
	struct quota_sum sum = { 0 };
	uint64_t bytes;

	for (size_t i = 0; i < arrival->n; i++) {
		if (arrival->files[i].missed)
			continue;
		sum.messages++;
		if (filename_size(slice_str(arrival->files[i].base), 'S', &bytes))
			sum.bytes += (int64_t)bytes;
	}
	return sum;
}

/* Both sides of a move in one line: whoever reads it in between is not told of a message that counts twice, or not at all. */
static void note_quota(const struct arrival *arrival)
{
	struct store *store = arrival->mailbox->store;
	struct quota_sum change = { 0 };

	if (quota_counts_mailbox(store, mailbox_name(arrival->mailbox)))
		change = quota_sum_of(arrival);
	if (arrival->source && quota_counts_mailbox(store, mailbox_name(arrival->source)))
		for (size_t i = 0; i < arrival->n; i++)
			if (!arrival->files[i].missed) {
				change.messages--;
				change.bytes -= (int64_t)arrival->files[i].source_bytes;
			}
	if (change.messages != 0 || change.bytes != 0)
		quota_note(store, &change);
}

static int check_quota(struct arrival *arrival, struct work *work)
{
	struct quota_sum sum = quota_sum_of(arrival);
	struct quota_sum more = { sum.bytes - arrival->freed.bytes,
		sum.messages - arrival->freed.messages };
	int r = arrival->moved || arrival->quota_checked
			? 0
			: quota_check(arrival->mailbox->store, mailbox_name(arrival->mailbox),
				  &more, work);

	arrival->quota_checked |= r == 0;
	return r;
}

/* What comes before the files: read what others wrote, find the keywords' numbers. */
static int prepare(struct committing *c)
{
	struct mailbox *mailbox = c->mailbox;
	int r = uidlist_file_refresh(mailbox);

	if (r == -EBADMSG) { /* the sync before the next try finds out what to do about it */
		c->work->retry_usec = LOCK_RETRY_USEC;
		return -EAGAIN;
	}
	if (r == 0)
		r = keyword_files_refresh(mailbox, c->work->now_usec);
	if (r == 0)
		r = find_numbers(c);
	return r == 0 ? note_keywords_beyond(c) : r;
}

/* A sync of another connection that waits for the lock knows the files in cur/ as ones without UID: it begins anew. */
static int finish(struct committing *c, uint32_t *ret_first_uid)
{
	struct mailbox *mailbox = c->mailbox;
	struct arrival *arrival = c->arrival;
	int r = 0;

	if (mailbox->sync.phase != SYNC_LOOK) {
		sync_abort(mailbox);
		r = uidlist_file_refresh(mailbox);
	}

	size_t known = mailbox->list.n;

	if (r == 0)
		r = give_uids(c, ret_first_uid);
	if (r < 0)
		return r;
	if (mailbox->list.n > known)
		show(mailbox, known, c->work->now_usec);
	note_quota(arrival);
	return 0;
}

/* The lock goes back, with everything done or nothing. */
static void end_commit(struct committing *c)
{
	c->arrival->committing = NULL;
	c->mailbox->arriving = NULL;
	mailbox_unlock(c->mailbox);
	free(c);
}

static void give_up(struct committing *c)
{
	arrival_take_files_back(c);
	mailbox_cur_doubt(c->mailbox); /* what could not be taken back is there */
	end_commit(c);
}

static int begin_commit(struct arrival *arrival, struct work *work)
{
	struct mailbox *mailbox = arrival->mailbox;
	int r = check_quota(arrival, work);

	if (r == 0) /* behind it no other connection is inside the lock */
		r = mailbox_sync(mailbox, work);
	if (r == 0 && mailbox->arriving) {
		work->retry_usec = LOCK_RETRY_USEC;
		r = -EAGAIN;
	}
	if (r == 0)
		r = mailbox_lock(mailbox, work);
	if (r < 0)
		return r;
	must(mailbox->lock_count == 1);

	struct committing *c = calloc(1, sizeof *c);

	must(c != NULL);
	*c = (struct committing){ .arrival = arrival, .mailbox = mailbox, .work = work };
	arrival->committing = c;
	mailbox->arriving = arrival;
	for (size_t i = 0; i < arrival->n; i++)
		arrival->files[i].missed = false;
	r = prepare(c);
	if (r < 0)
		give_up(c);
	return r;
}

static int step_commit(struct committing *c, uint32_t *ret_first_uid)
{
	struct mailbox *mailbox = c->mailbox, *source = c->arrival->source;
	bool cur_known = mailbox_cur_begin(mailbox);
	bool source_known = source && mailbox_cur_begin(source);
	int r = mailbox->replaced ? -ESTALE : arrival_place_files(c);

	lock_touch(&mailbox->lock, c->work->now_usec);
	if (r == 0)
		r = finish(c, ret_first_uid);
	if (r == 0 || r == -EINPROGRESS)
		arrival_leave_source(c);
	if (source)
		mailbox_cur_end(source, source_known);
	mailbox_cur_end(mailbox, cur_known);
	return r;
}

int arrival_commit(struct arrival *arrival, struct work *work, uint32_t *ret_first_uid)
{
	int r = arrival->committing ? 0 : begin_commit(arrival, work);

	if (r < 0)
		return r;
	arrival->committing->work = work;
	r = step_commit(arrival->committing, ret_first_uid);
	if (r == 0) {
		forget_files(arrival);
		end_commit(arrival->committing);
	} else if (r != -EINPROGRESS) {
		if (r == -EAGAIN && arrival->committing->left > 0)
			r = -EBUSY; /* what is put back was seen to be gone: it has other UIDs */
		give_up(arrival->committing);
	}
	return r;
}
