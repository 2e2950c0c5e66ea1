#include "maildir/uidlist_file.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/store_state.h"
#include "maildir/uidvalidity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>

#define UIDLIST_TEMPORARY_NAME "dovecot-uidlist.tmp"
#define COURIER_NAME           "courierimapuiddb"

enum { RECORD_BYTES_GUESS = 64, RECORD_BYTES_MIN = 5, RECORDS_WASTE_MIN = 64 };

void uidlist_file_forget(struct mailbox *mailbox)
{
	if (mailbox->uidlist.fd >= 0)
		close(mailbox->uidlist.fd);
	mailbox->uidlist = (struct uidlist_state){ .fd = -1 };
	list_done(&mailbox->list);
	list_init(&mailbox->list);
	mailbox->n_in_new = 0;
	mailbox_note_members(mailbox);
}

/* Reading: one pass over the text, with a cursor in the list, since both ascend. */
struct reading {
	struct mailbox *mailbox;
	size_t cursor;     /* the next message of the list that was known before */
	size_t known;      /* how many were */
	uint32_t last_uid; /* of the records of this text */
	size_t lost_records; /* at most so many */
	unsigned version;
};

/* Messages the file has passed over have no record (any more). */
static void orphan_until(struct reading *reading, uint32_t msg_uid)
{
	struct list *list = &reading->mailbox->list;

	while (reading->cursor < reading->known &&
		list->messages[reading->cursor].msg_uid < msg_uid) {
		list_entry(list, reading->cursor)->orphan = true;
		list_touch(list, reading->cursor++);
		reading->mailbox->must_scan = true;
	}
}

static bool take_record(struct reading *reading, const struct uidlist_record *record)
{
	struct mailbox *mailbox = reading->mailbox;
	struct list *list = &mailbox->list;

	if (record->msg_uid <= reading->last_uid)
		return false;
	reading->last_uid = record->msg_uid;
	mailbox->uidlist.records++;
	orphan_until(reading, record->msg_uid);
	if (reading->cursor < reading->known &&
		list->messages[reading->cursor].msg_uid == record->msg_uid) {
		size_t at = reading->cursor++;

		if (!slice_equal(list_base(list, at), record->base))
			return false; /* a UID never means another message */
		list_set_fields(list, at, record->fields);
		if (list_entry(list, at)->orphan)
			list_touch(list, at);
		list_entry(list, at)->orphan = false;
		return true;
	}

	/* Below what was known once, it is a record of a message that is gone. */
	if (record->msg_uid < mailbox->uidnext)
		return true;
	return list_add(list, record->msg_uid, record->base, record->fields) != SIZE_MAX;
}

/*
 * Returns how many bytes of text were whole lines; -1 if a line is bad. One with a NUL in it is what is left of lines
 * that were being appended when the power went, as is all behind it: not synced, so shown to nobody by us. Another
 * program may have been less careful: no UID that could have been in them is given again.
 */
static ssize_t take_records(struct reading *reading, struct slice text)
{
	struct slice rest = text;
	struct uidlist_record record;

	for (;;) {
		ssize_t end = slice_find(rest, '\n');

		if (end < 0)
			return (ssize_t)(text.n - rest.n);
		if (slice_find(slice_head(rest, (size_t)end), '\0') >= 0) {
			reading->lost_records = rest.n / RECORD_BYTES_MIN + 1;
			return (ssize_t)(text.n - rest.n);
		}
		if (!uidlist_parse_record(
			    reading->version, slice_head(rest, (size_t)end), &record) ||
			!take_record(reading, &record))
			return -1;
		rest = slice_tail(rest, (size_t)end + 1);
	}
}

static void finish_reading(struct reading *reading)
{
	struct mailbox *mailbox = reading->mailbox;
	struct uidlist_header *header = &mailbox->uidlist.header;

	if (reading->last_uid >= header->uidnext)
		header->uidnext = reading->last_uid + 1;

	uint64_t beyond = (uint64_t)reading->last_uid + 1 + reading->lost_records;

	if (reading->lost_records > 0 && beyond > header->uidnext && beyond < UINT32_MAX / 2)
		header->uidnext = (uint32_t)beyond;
	if (mailbox->list.n > reading->known) {
		list_orphan_duplicates(&mailbox->list, reading->known);
	}
}

static int read_whole(struct mailbox *mailbox, struct slice text)
{
	struct uidlist_state *uidlist = &mailbox->uidlist;
	struct uidlist_header header;
	ssize_t end = slice_find(text, '\n');

	if (end < 0 || !uidlist_parse_header(slice_head(text, (size_t)end), &header))
		return -EBADMSG;
	if (mailbox->synced && uidlist->header.uidvalidity != header.uidvalidity)
		return -EBADMSG; /* clients were told another */
	if (!mailbox->synced &&
		mailbox->list.n > 0) { /* read before, but nothing was shown of it */
		list_done(&mailbox->list);
		list_init(&mailbox->list);
	}

	struct reading reading = {
		.mailbox = mailbox, .known = mailbox->list.n, .version = header.version
	};

	uidlist->records = 0;
	list_reserve(&mailbox->list, reading.known + text.n / RECORD_BYTES_GUESS,
		mailbox->list.bytes_n + text.n);

	ssize_t whole = take_records(&reading, slice_tail(text, (size_t)end + 1));

	if (whole < 0)
		return -EBADMSG;
	orphan_until(&reading, UINT32_MAX);
	uidlist->header = header;
	uidlist->must_rewrite = header.version != 3 || header.guid[0] == '\0';
	finish_reading(&reading);
	if (uidlist->header.uidnext < mailbox->uidnext) { /* it never falls */
		uidlist->header.uidnext = mailbox->uidnext;
		uidlist->must_rewrite = true;
	}
	uidlist->read_bytes = (uint64_t)end + 1 + (uint64_t)whole;
	return 0;
}

static int read_appended(struct mailbox *mailbox, struct slice text)
{
	struct list *list = &mailbox->list;
	struct reading reading = {
		.mailbox = mailbox,
		.cursor = list->n,
		.known = list->n,
		.last_uid = list->n > 0 ? list->messages[list->n - 1].msg_uid : 0,
		.version = mailbox->uidlist.header.version,
	};
	ssize_t whole = take_records(&reading, text);

	if (whole < 0)
		return -EBADMSG;
	finish_reading(&reading);
	mailbox->uidlist.read_bytes += (uint64_t)whole;
	return 0;
}

static int read_text(int fd, uint64_t offset, uint64_t end, struct buf *out)
{
	while (offset < end) {
		char *at = buf_reserve(out, (size_t)(end - offset));

		if (!at)
			return -EFBIG;

		ssize_t n = dirs_read_at(fd, at, (size_t)(end - offset), offset);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		buf_grown(out, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

static int read_file(struct mailbox *mailbox, const struct stamp *stamp, bool appended)
{
	struct uidlist_state *uidlist = &mailbox->uidlist;
	_cleanup_buf_ struct buf text = BUF(UIDLIST_FILE_MAX_BYTES);
	uint64_t from = appended ? uidlist->read_bytes : 0;
	int r = read_text(uidlist->fd, from, stamp->size, &text);

	if (r == -EFBIG)
		return -EBADMSG;
	if (r < 0)
		return r;
	r = appended ? read_appended(mailbox, buf_slice(&text))
		     : read_whole(mailbox, buf_slice(&text));
	if (r < 0)
		return r;
	uidlist->stamp = *stamp;
	if (uidlist->read_bytes < stamp->size)
		uidlist->stamp.size = 0; /* a line is being written: look again */
	return 0;
}

/* Courier's file has the form of our version 1. It is read once: what is written then is dovecot-uidlist. */
static int adopt_courier(struct mailbox *mailbox)
{
	_cleanup_buf_ struct buf text = BUF(UIDLIST_FILE_MAX_BYTES);
	struct stamp stamp;
	int r = dirs_read_file(mailbox->dir_fd, COURIER_NAME, &text, &stamp);

	if (r == 0 && read_whole(mailbox, buf_slice(&text)) < 0) {
		mailbox_log(mailbox, LOG_PRIORITY_WARNING,
			"%s is not understood: messages get new UIDs", COURIER_NAME);
		uidlist_file_forget(mailbox);
	}
	mailbox->uidlist.must_rewrite = true;
	return r == -ENOENT ? 0 : r;
}

static int open_file(struct mailbox *mailbox)
{
	int fd = openat(
		mailbox->dir_fd, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (mailbox->uidlist.fd >= 0)
		close(mailbox->uidlist.fd);
	mailbox->uidlist.fd = fd;
	return 0;
}

int uidlist_file_refresh(struct mailbox *mailbox)
{
	struct uidlist_state *uidlist = &mailbox->uidlist;
	struct stamp stamp;
	struct stat st;
	int r = dirs_stamp(mailbox->dir_fd, UIDLIST_NAME, &stamp);

	if (r < 0)
		return r;
	if (stamp.ino == 0) {
		if (mailbox->synced)
			return -EBADMSG; /* removed under us */
		uidlist_file_forget(mailbox);
		return adopt_courier(mailbox);
	}

	bool same_file = uidlist->fd >= 0 && uidlist->stamp.ino == stamp.ino;

	if (same_file && stamp.size == uidlist->stamp.size)
		return 0;
	if (same_file && stamp.size < uidlist->read_bytes)
		return -EBADMSG;
	if (!same_file) {
		r = open_file(mailbox);
		if (r == -ENOENT)
			return -EBADMSG;
		if (r < 0)
			return r;
	}
	if (fstat(uidlist->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	stamp = stamp_from_stat(&st);
	return read_file(mailbox, &stamp, same_file);
}

int uidlist_file_set_aside(struct mailbox *mailbox, uint64_t now_usec)
{
	char name[64];
	unsigned long long seconds = now_usec / USEC_PER_SEC;

	for (unsigned n = 0; n < 100; n++) {
		snprintf(name, sizeof name, UIDLIST_NAME ".broken-%llu.%u", seconds, n);

		int r = dirs_rename(mailbox->dir_fd, UIDLIST_NAME, mailbox->dir_fd, name);

		if (r == 0)
			mailbox_log(mailbox, LOG_PRIORITY_ERROR,
				"%s cannot be used: kept as %s; all messages get new UIDs",
				UIDLIST_NAME, name);
		if (r != -EEXIST)
			return r == -ENOENT ? 0 : r;
	}
	return -EEXIST;
}

static int make_guid(char ret_guid[UIDLIST_GUID_CHARS + 1])
{
	uint8_t bytes[UIDLIST_GUID_CHARS / 2];

	if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
		return -EIO;
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(ret_guid + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static int complete_header(struct mailbox *mailbox, uint64_t now_usec)
{
	struct uidlist_header *header = &mailbox->uidlist.header;
	int r = 0;

	if (header->uidvalidity == 0)
		r = uidvalidity_next(mailbox->store->root_fd, now_usec, &header->uidvalidity);
	if (r == 0 && header->guid[0] == '\0')
		r = make_guid(header->guid);
	header->version = 3;
	return r;
}

/* A size that was counted goes into the record, where the name does not carry it, so that it is counted once. */
static int format_message(const struct list *list, size_t number, struct buf *out)
{
	_cleanup_buf_ struct buf with_size = BUF(2 * UIDLIST_FIELDS_MAX_BYTES);
	struct uidlist_record record = {
		.msg_uid = list->messages[number].msg_uid,
		.fields = list_fields(list, number),
		.base = list_base(list, number),
	};
	uint64_t octets = list_entry(list, number)->rfc822_size, known;
	struct slice value;
	char text[24];

	if (octets != ENTRY_SIZE_UNKNOWN && !uidlist_field(record.fields, 'W', &value) &&
		!filename_size(record.base, 'W', &known)) {
		int n = snprintf(text, sizeof text, "%llu", (unsigned long long)octets);

		if (uidlist_fields_with(
			    record.fields, 'W', slice_from(text, (size_t)n), &with_size) == 0)
			record.fields = buf_slice(&with_size);
	}
	return uidlist_format_record(&record, out);
}

static int format_messages(
	const struct list *list, size_t first, struct buf *out, size_t *ret_records)
{
	size_t records = 0;

	for (size_t i = first; i < list->n; i++) {
		if (list_entry(list, i)->orphan)
			continue;

		int r = format_message(list, i, out);

		if (r < 0)
			return r;
		records++;
	}
	*ret_records = records;
	return 0;
}

/* After our own writing: the file is as we know it. */
static int take_written(struct mailbox *mailbox, size_t records)
{
	struct uidlist_state *uidlist = &mailbox->uidlist;
	struct stat st;

	if (fstat(uidlist->fd, &st) < 0)
		return -errno;
	uidlist->stamp = stamp_from_stat(&st);
	uidlist->read_bytes = uidlist->stamp.size;
	uidlist->records = records;
	uidlist->must_rewrite = false;
	mailbox->snapshot.noted_modseq = 0;
	snapshot_note_modseq(mailbox, clock_realtime_usec());
	return 0;
}

static int rewrite(struct mailbox *mailbox, struct work *work)
{
	const struct list *list = &mailbox->list;
	_cleanup_buf_ struct buf text = BUF(UIDLIST_FILE_MAX_BYTES);
	struct stamp stamp;
	size_t records;
	int r = complete_header(mailbox, work->now_usec);

	if (r == 0 && !buf_reserve(&text, list->n * RECORD_BYTES_GUESS + UIDLIST_HEADER_MAX_BYTES))
		r = -EFBIG;
	if (r == 0)
		r = uidlist_format_header(&mailbox->uidlist.header, &text);
	if (r == 0)
		r = format_messages(list, 0, &text, &records);
	if (r == 0 && mailbox->replaced)
		r = -ESTALE; /* names could not be had */
	if (r < 0)
		return r;
	if (!lock_is_ours(&mailbox->lock, mailbox->dir_fd, UIDLIST_LOCK_NAME)) {
		work->retry_usec = LOCK_RETRY_USEC;
		return -EAGAIN;
	}
	r = dirs_replace_file(mailbox->dir_fd,
		&(struct replacement){ .name = UIDLIST_NAME,
			.temporary_name = UIDLIST_TEMPORARY_NAME,
			.text = buf_slice(&text),
			.sync = !mailbox_fsync_never(mailbox) },
		&stamp);
	if (r == 0)
		r = open_file(mailbox);
	return r < 0 ? r : take_written(mailbox, records);
}

/* What is half written would spoil the next line: it is cut off again. */
static int append_text(struct mailbox *mailbox, struct slice text)
{
	_cleanup_close_ int fd = dirs_open_append(mailbox->dir_fd, UIDLIST_NAME);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != mailbox->uidlist.stamp.ino ||
		(uint64_t)st.st_size != mailbox->uidlist.read_bytes)
		return -EAGAIN;

	int r = dirs_write(fd, text);

	if (r == 0 && !mailbox_fsync_never(mailbox) && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0 && ftruncate(fd, st.st_size) < 0)
		mailbox_log(mailbox, LOG_PRIORITY_ERROR,
			"%s: cannot take back what was written: %m", UIDLIST_NAME);
	return r;
}

static int append(struct mailbox *mailbox, size_t first, struct work *work)
{
	_cleanup_buf_ struct buf text = BUF(UIDLIST_FILE_MAX_BYTES);
	size_t records;
	int r = format_messages(&mailbox->list, first, &text, &records);

	if (r < 0)
		return r;
	if (!lock_is_ours(&mailbox->lock, mailbox->dir_fd, UIDLIST_LOCK_NAME))
		r = -EAGAIN;
	if (r == 0)
		r = append_text(mailbox, buf_slice(&text));
	if (r == -EAGAIN)
		work->retry_usec = LOCK_RETRY_USEC;
	return r < 0 ? r : take_written(mailbox, mailbox->uidlist.records + records);
}

int uidlist_file_write(struct mailbox *mailbox, size_t first, struct work *work)
{
	must(mailbox->lock_count > 0);
	if (mailbox->uidlist.must_rewrite ||
		mailbox->uidlist.read_bytes != mailbox->uidlist.stamp.size ||
		uidlist_file_is_wasteful(mailbox))
		return rewrite(mailbox, work);
	return first < mailbox->list.n ? append(mailbox, first, work) : 0;
}

bool uidlist_file_is_wasteful(const struct mailbox *mailbox)
{
	size_t records = mailbox->uidlist.records;

	return records > RECORDS_WASTE_MIN && mailbox->list.n <= records / 4 * 3;
}
