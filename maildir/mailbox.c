#include "base/clock.h"
#include "base/must.h"
#include "maildir/card_cache.h"
#include "maildir/keyword_files.h"
#include "maildir/pop3_uidl.h"
#include "maildir/store_state.h"
#include "maildir/sync.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LOG_TEXT_BYTES = 600,
	VANISHED_TRIES = 3,
	NEW_MEANWHILE = 1024, /* files beside those of the list for which there is room at once */
};

void mailbox_log(const struct mailbox *mailbox, enum log_priority priority, const char *format, ...)
{
	char text[LOG_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_line(mailbox->store->log, priority, "maildir %s, mailbox %s: %s",
		mailbox->store->settings.path, mailbox->name, text);
}

static const struct {
	uint32_t letter, flag;
} STANDARD_FLAGS[] = {
	{ LETTER_DRAFT, FLAG_DRAFT },
	{ LETTER_FLAGGED, FLAG_FLAGGED },
	{ LETTER_FORWARDED, FLAG_FORWARDED },
	{ LETTER_ANSWERED, FLAG_ANSWERED },
	{ LETTER_SEEN, FLAG_SEEN },
	{ LETTER_DELETED, FLAG_DELETED },
};
enum { STANDARD_FLAGS_COUNT = sizeof STANDARD_FLAGS / sizeof *STANDARD_FLAGS };

/*
 * Mail readers on the host say $Forwarded by the letter P, Dovecot by a keyword of that name. Either is read. The
 * keyword's letter is written, and P only where there is none: P beside it would stay when Dovecot takes the keyword
 * away. A P that is there stays as long as the message is $Forwarded.
 */
static uint32_t forwarded_letter(const struct mailbox *mailbox)
{
	return mailbox->keywords.forwarded >= 0 ? (uint32_t)1 << mailbox->keywords.forwarded : 0;
}

void mailbox_flags_from_letters(const struct mailbox *mailbox, uint32_t letters,
	uint32_t *ret_flags, uint64_t *ret_keywords)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < STANDARD_FLAGS_COUNT; i++)
		if (letters & STANDARD_FLAGS[i].letter)
			flags |= STANDARD_FLAGS[i].flag;
	if (letters & forwarded_letter(mailbox))
		flags |= FLAG_FORWARDED;
	*ret_flags = flags;
	*ret_keywords = letters & LETTERS_KEYWORDS & ~forwarded_letter(mailbox);
}

uint32_t mailbox_letters_from_flags(
	const struct mailbox *mailbox, uint32_t flags, uint64_t keywords, uint32_t old_letters)
{
	uint32_t letters = (uint32_t)(keywords & LETTERS_KEYWORDS) & ~forwarded_letter(mailbox);

	for (size_t i = 0; i < STANDARD_FLAGS_COUNT; i++)
		if (flags & STANDARD_FLAGS[i].flag)
			letters |= STANDARD_FLAGS[i].letter;
	if ((flags & FLAG_FORWARDED) && forwarded_letter(mailbox))
		letters = (letters & ~(uint32_t)LETTER_FORWARDED) |
			  (old_letters & LETTER_FORWARDED) | forwarded_letter(mailbox);
	return letters;
}

uint64_t mailbox_next_modseq(struct mailbox *mailbox, uint64_t now_usec)
{
	mailbox->highestmodseq =
		mailbox->highestmodseq + 1 > now_usec ? mailbox->highestmodseq + 1 : now_usec;
	return mailbox->highestmodseq;
}

void mailbox_set_flags(
	struct mailbox *mailbox, size_t number, struct message_flags now, uint64_t now_usec)
{
	size_t keep = mailbox->list.n > CHANGES_KEPT_MIN ? mailbox->list.n : CHANGES_KEPT_MIN;
	struct message *message = &mailbox->list.messages[number];
	struct flag_log_change change = { .msg_uid = message->msg_uid,
		.flags = message->flags ^ now.flags,
		.keywords = message->keywords ^ now.keywords,
		.modseq_before = message->modseq };

	if (change.flags == 0 && change.keywords == 0)
		return;
	message->flags = now.flags;
	message->keywords = now.keywords;
	message->modseq = change.modseq = mailbox_next_modseq(mailbox, now_usec);
	flag_log_add(&mailbox->flag_log, &change);
	list_touch(&mailbox->list, number);
	if (number >= mailbox->list.n_shown)
		return;
	changes_add(&mailbox->changes, message->msg_uid, keep);
	mailbox->store->changes++;
}

void mailbox_note_vanished(struct mailbox *mailbox, size_t number)
{
	uint32_t msg_uid = mailbox->list.messages[number].msg_uid;

	if (number < mailbox->list.n_shown)
		vanished_add(&mailbox->vanished, msg_uid);
	card_cache_forget(mailbox, msg_uid);
}

void mailbox_note_vanished_done(struct mailbox *mailbox, uint64_t modseq)
{
	vanished_stamp(&mailbox->vanished, modseq, LIMIT_EXPUNGE_LOG);
}

int mailbox_vanished(struct mailbox *mailbox, uint64_t modseq, struct arena *arena,
	const uint32_t **ret_uids, size_t *ret_n)
{
	return modseq < mailbox->vanished.complete_from
		       ? snapshot_vanished(mailbox, modseq, arena, ret_uids, ret_n)
		       : vanished_since(&mailbox->vanished, modseq, arena, ret_uids, ret_n);
}

void mailbox_note_members(struct mailbox *mailbox)
{
	uid_array_unref(mailbox->uids);
	mailbox->uids = NULL;
	mailbox_note_added(mailbox);
}

void mailbox_note_added(struct mailbox *mailbox)
{
	mailbox->members_count++;
	mailbox->store->changes++;
}

struct uid_array *mailbox_uid_array(struct mailbox *mailbox)
{
	const struct list *list = &mailbox->list;
	struct uid_array *old = mailbox->uids;
	size_t known = old ? old->n : 0;

	must(known <= list->n_shown &&
		(known == 0 || old->uids[known - 1] == list->messages[known - 1].msg_uid));
	if (!old || known < list->n_shown) {
		mailbox->uids = uid_array_new(list->n_shown);
		if (known > 0)
			memcpy(mailbox->uids->uids, old->uids, known * sizeof *old->uids);
		for (size_t i = known; i < list->n_shown; i++)
			mailbox->uids->uids[i] = list->messages[i].msg_uid;
		uid_array_unref(old);
	}
	return mailbox->uids;
}

int mailbox_lock(struct mailbox *mailbox, struct work *work)
{
	if (mailbox->lock_count == 0) {
		int r = lock_take(&mailbox->lock, mailbox->dir_fd, UIDLIST_LOCK_NAME,
			mailbox->store->settings.hostname, work);

		if (r < 0)
			return r;
	}
	mailbox->lock_count++;
	return 0;
}

void mailbox_unlock(struct mailbox *mailbox)
{
	must(mailbox->lock_count > 0);
	if (--mailbox->lock_count == 0)
		lock_release(&mailbox->lock, mailbox->dir_fd, UIDLIST_LOCK_NAME);
}

void mailbox_take_name(
	struct mailbox *mailbox, size_t number, struct slice info, bool in_new, uint64_t now_usec)
{
	struct entry *entry = list_entry(&mailbox->list, number);
	const struct message *message = &mailbox->list.messages[number];
	struct message_flags now;

	mailbox->n_in_new += (size_t)in_new;
	mailbox->n_in_new -= (size_t)entry->in_new;
	if (entry->in_new != in_new)
		list_touch(&mailbox->list, number);
	entry->in_new = in_new;
	list_set_info(&mailbox->list, number, info);
	mailbox->keywords.letters_seen |= entry->letters & LETTERS_KEYWORDS;
	mailbox_flags_from_letters(mailbox, entry->letters, &now.flags, &now.keywords);
	now.keywords |= message->keywords & ~(uint64_t)LETTERS_KEYWORDS;
	mailbox_set_flags(mailbox, number, now, now_usec);
}

void mailbox_file_name(
	const struct mailbox *mailbox, size_t number, char ret_name[FILE_NAME_MAX_BYTES + 1])
{
	_cleanup_buf_ struct buf name = BUF(2 * FILE_NAME_MAX_BYTES);

	/* A name of ours that is too long for a file is one no file has. */
	if (list_file_name(&mailbox->list, number, &name) < 0 || name.n > FILE_NAME_MAX_BYTES ||
		!slice_to_str(buf_slice(&name), ret_name, FILE_NAME_MAX_BYTES + 1))
		snprintf(ret_name, FILE_NAME_MAX_BYTES + 1, ".none");
}

size_t mailbox_whole_bytes(const struct mailbox *mailbox)
{
	const struct list *list = &mailbox->list;

	return list->bytes_n + (list->n + NEW_MEANWHILE) * ENTRIES_ROOM_BYTES;
}

/* Returns 1: found, the name taken over; 0; -errno. All at one moment: it may be renamed again and again. */
static int look_in(struct mailbox *mailbox, int dir_fd, size_t number)
{
	struct entries entries = ENTRIES_CLOSED;
	const struct dirent64 *e;
	int r = entries_open(&entries, dir_fd, mailbox_whole_bytes(mailbox));

	while (r >= 0 && (r = entries_next(&entries, &e)) > 0) {
		struct filename name = filename_parse(slice_str(e->d_name));

		if (!slice_equal(name.base, list_base(&mailbox->list, number)))
			continue;
		mailbox_take_name(mailbox, number, name.info, dir_fd == mailbox->new_fd,
			clock_realtime_usec());
		break;
	}
	entries_close(&entries);
	return r;
}

int mailbox_look_for(struct mailbox *mailbox, size_t number)
{
	int r = look_in(mailbox, mailbox->new_fd, number);

	if (r == 0)
		r = look_in(mailbox, mailbox->cur_fd, number);
	if (r == 0)
		mailbox->must_scan = true;
	return r > 0 ? 0 : r == 0 ? -ENOENT : r;
}

int mailbox_find_vanished(struct mailbox *mailbox, uint32_t msg_uid, struct work *work)
{
	if (mailbox->vanished_uid != msg_uid) {
		mailbox->vanished_uid = msg_uid;
		mailbox->vanished_tries = 0;
	}
	if (mailbox->sync.phase == SYNC_LOOK) {
		if (mailbox->vanished_tries++ >= VANISHED_TRIES)
			return -ENOENT;
		mailbox->must_scan = true;
	}
	return mailbox_sync(mailbox, work);
}

void mailbox_watch_changes(struct mailbox *mailbox)
{
	struct store *store = mailbox->store;

	if (mailbox->watched || !mailbox->is_local || store->watch_tried)
		return;
	store->watch_tried = true;
	(void)!store_watch(store);
}

bool mailbox_cur_begin(struct mailbox *mailbox)
{
	struct stamp stamp;

	mailbox_watch_changes(mailbox);
	return dirs_stamp_fd(mailbox->cur_fd, &stamp) == 0 &&
	       stamp_equal(&stamp, &mailbox->cur_stamp);
}

/* What another program changed between two of our own changes is an event, or shows when cur/ is read once more. */
void mailbox_cur_end(struct mailbox *mailbox, bool was_known)
{
	struct stamp stamp;

	if (!was_known || dirs_stamp_fd(mailbox->cur_fd, &stamp) < 0)
		return;
	mailbox->cur_stamp = stamp;
	mailbox->cur_young = true;
}

void mailbox_cur_doubt(struct mailbox *mailbox)
{
	mailbox->cur_stamp = (struct stamp){ 0 };
	mailbox->must_scan = true;
}

bool mailbox_fsync_always(const struct mailbox *mailbox)
{
	return mailbox->store->settings.fsync == FSYNC_ALWAYS;
}

bool mailbox_fsync_never(const struct mailbox *mailbox)
{
	return mailbox->store->settings.fsync == FSYNC_NEVER;
}

struct slice mailbox_name(const struct mailbox *mailbox)
{
	return slice_str(mailbox->name);
}

struct store *mailbox_store(const struct mailbox *mailbox)
{
	return mailbox->store;
}

bool mailbox_is_stale(const struct mailbox *mailbox)
{
	return mailbox->replaced;
}

uint32_t mailbox_uidvalidity(const struct mailbox *mailbox)
{
	return mailbox->uidlist.header.uidvalidity;
}

uint32_t mailbox_uidnext(const struct mailbox *mailbox)
{
	return mailbox->uidnext;
}

uint64_t mailbox_highestmodseq(const struct mailbox *mailbox)
{
	return mailbox->highestmodseq;
}

struct slice mailbox_guid(const struct mailbox *mailbox)
{
	return slice_str(mailbox->uidlist.header.guid);
}

size_t mailbox_messages(const struct mailbox *mailbox, const struct message **ret_messages)
{
	*ret_messages = mailbox->list.messages;
	return mailbox->list.n_shown;
}

static ssize_t find_shown(const struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);

	return number >= 0 && (size_t)number < mailbox->list.n_shown ? number : -1;
}

const struct message *mailbox_message(const struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = find_shown(mailbox, msg_uid);

	return number >= 0 ? &mailbox->list.messages[number] : NULL;
}

struct slice mailbox_message_guid(struct mailbox *mailbox, uint32_t msg_uid)
{
	ssize_t number = find_shown(mailbox, msg_uid);
	struct slice guid;

	if (number < 0)
		return (struct slice){ NULL, 0 };
	if (uidlist_field(list_fields(&mailbox->list, (size_t)number), 'G', &guid) && guid.n > 0)
		return guid;
	return list_base(&mailbox->list, (size_t)number);
}

int mailbox_savedate(const struct mailbox *mailbox, uint32_t msg_uid, int64_t *ret_seconds)
{
	ssize_t number = find_shown(mailbox, msg_uid);
	uint64_t seconds;

	if (number < 0)
		return -ENOENT;

	struct slice base = list_base(&mailbox->list, (size_t)number);
	size_t digits = 0;

	while (digits < base.n && base.p[digits] >= '0' && base.p[digits] <= '9')
		digits++;
	if (!slice_number(slice_head(base, digits), UINT32_MAX, &seconds))
		return -ENODATA;
	*ret_seconds = (int64_t)seconds;
	return 0;
}

unsigned mailbox_keywords(const struct mailbox *mailbox)
{
	return keyword_table_end(&mailbox->keywords.table);
}

struct slice mailbox_keyword(const struct mailbox *mailbox, unsigned n)
{
	if (n >= LIMIT_KEYWORDS || (int)n == mailbox->keywords.forwarded)
		return (struct slice){ NULL, 0 };
	return slice_str(mailbox->keywords.table.names[n]);
}

int mailbox_find_keyword(struct mailbox *mailbox, struct slice name, bool create, struct work *work)
{
	int number = keyword_table_find(&mailbox->keywords.table, name);

	if (number >= 0)
		return number;
	if (!create)
		return -ENOENT;
	if (!keyword_is_valid(name))
		return -EINVAL;
	return keyword_files_create(mailbox, name, LIMIT_KEYWORDS, work);
}

int mailbox_uidl(
	struct mailbox *mailbox, uint32_t msg_uid, struct arena *arena, struct slice *ret_uidl)
{
	_cleanup_buf_ struct buf text = BUF(POP3_UIDL_MAX_BYTES);
	ssize_t number = find_shown(mailbox, msg_uid);
	struct slice value;
	int r;

	if (number < 0)
		return -ENOENT;

	struct slice base = list_base(&mailbox->list, (size_t)number);
	struct slice fields = list_fields(&mailbox->list, (size_t)number);

	if (uidlist_field(fields, 'P', &value)) {
		r = pop3_uidl_add(value.n > 0 ? value : base,
			&text); /* an empty one stands for the base name */
	} else {
		struct pop3_uidl_values values = {
			.msg_uid = msg_uid,
			.uidvalidity = mailbox_uidvalidity(mailbox),
			.base = base,
			.guid = uidlist_field(fields, 'G', &value) && value.n > 0 ? value : base,
		};

		/* The header field P is not looked at: Dovecot does not, and the unique-ids must stay what they were. */
		r = pop3_uidl_format(
			slice_str(mailbox->store->settings.uidl_format), &values, &text);
	}
	must(r == 0);
	*ret_uidl = arena_copy(arena, buf_slice(&text));
	return 0;
}

struct ordered {
	uint64_t order;
	uint32_t msg_uid;
};

static int compare_order(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->msg_uid < y->msg_uid ? -1 : x->msg_uid > y->msg_uid;
}

/* Messages without the field follow those that have it, as Dovecot has them. */
void mailbox_pop3_order(const struct mailbox *mailbox, uint32_t *ret_uids)
{
	const struct list *list = &mailbox->list;
	struct ordered *ordered = calloc(list->n_shown + 1, sizeof *ordered);
	bool any = false;
	struct slice value;

	must(ordered != NULL);
	for (size_t i = 0; i < list->n_shown; i++) {
		ordered[i] = (struct ordered){ .order = UINT64_MAX,
			.msg_uid = list->messages[i].msg_uid };
		if (uidlist_field(list_fields(list, i), 'O', &value) &&
			slice_number(value, UINT32_MAX, &ordered[i].order))
			any = true;
	}
	if (any)
		qsort(ordered, list->n_shown, sizeof *ordered, compare_order);
	for (size_t i = 0; i < list->n_shown; i++)
		ret_uids[i] = ordered[i].msg_uid;
	free(ordered);
}
