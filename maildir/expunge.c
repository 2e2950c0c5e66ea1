#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <stdlib.h>

enum { UNLINKED = 1 };

/* UIDs whose files were unlinked, ascending; and what they take off the quota. */
struct unlinked {
	struct mailbox *mailbox;
	uint32_t *uids;
	size_t n;
	bool counts, only_deleted;
	struct quota_sum freed;
};

/*
 * Whoever undeletes a message renames its file: so what has gone by its name when it was unlinked was \Deleted until
 * then. A file that is not there by that name is looked at anew.
 *
 * Returns UNLINKED; 0: it is not there (any more), or not \Deleted; -ERESTART: try again; -EINPROGRESS, -EAGAIN, -errno.
 */
static int unlink_message(
	struct mailbox *mailbox, uint32_t msg_uid, struct unlinked *unlinked, struct work *work)
{
	ssize_t number = list_find_uid(&mailbox->list, msg_uid);
	char name[FILE_NAME_MAX_BYTES + 1];

	if (number < 0 || (size_t)number >= mailbox->list.n_shown)
		return 0;
	if (unlinked->only_deleted && !(mailbox->list.messages[number].flags & FLAG_DELETED))
		return 0;
	mailbox_file_name(mailbox, (size_t)number, name);

	int dir_fd = mailbox_entry_dir(mailbox, (size_t)number);
	struct quota_sum sum = { 0 };

	if (unlinked->counts)
		sum = quota_file_sum(dir_fd, name);
	if (unlinkat(dir_fd, name, 0) == 0) {
		unlinked->freed.bytes -= sum.bytes;
		unlinked->freed.messages -= sum.messages;
		return UNLINKED;
	}
	if (errno != ENOENT)
		return -errno;

	/* Renamed by another program: a sync tells. */
	int r = mailbox_find_vanished(mailbox, msg_uid, work);

	if (r == 0)
		return -ERESTART;
	return r == -ENOENT ? 0 : r;
}

struct taking_off {
	struct mailbox *mailbox;
	const uint32_t *uids;
	size_t n, at;
};

static bool is_taken_off(void *arg, size_t number)
{
	struct taking_off *t = arg;
	struct mailbox *mailbox = t->mailbox;
	uint32_t msg_uid = mailbox->list.messages[number].msg_uid;

	while (t->at < t->n && t->uids[t->at] < msg_uid)
		t->at++;
	if (t->at == t->n || t->uids[t->at] != msg_uid)
		return false;
	mailbox->n_in_new -= mailbox->list.entries[number].in_new;
	mailbox_note_vanished(mailbox, number);
	return true;
}

void mailbox_take_off(struct mailbox *mailbox, const uint32_t *uids, size_t n, uint64_t now_usec)
{
	struct taking_off taking_off = { .mailbox = mailbox, .uids = uids, .n = n };

	if (n == 0)
		return;
	list_remove_if(&mailbox->list, is_taken_off, &taking_off);
	mailbox_note_vanished_done(mailbox, mailbox_next_modseq(mailbox, now_usec));
	mailbox_note_members(mailbox);
}

/* A record without a file harms nobody: the uidlist is written anew only when many of them have come together. */
void mailbox_trim_uidlist(struct mailbox *mailbox, uint64_t now_usec)
{
	struct work quiet = { .now_usec = now_usec };

	if (!uidlist_file_is_wasteful(mailbox) || mailbox->sync.phase != SYNC_LOOK ||
		mailbox_lock(mailbox, &quiet) < 0)
		return;

	/* Another program wrote meanwhile: then it is the next sync's to read that. */
	uint64_t known = mailbox->uidlist.stamp.size;
	int r = uidlist_file_refresh(mailbox);

	if (r == 0 && mailbox->uidlist.stamp.size == known &&
		mailbox->list.n == mailbox->list.n_shown)
		r = uidlist_file_write(mailbox, mailbox->list.n, &quiet);
	if (r < 0 && r != -EAGAIN)
		mailbox_log(mailbox, LOG_PRIORITY_WARNING, "%s cannot be written anew: %s",
			UIDLIST_NAME, strerror(-r));
	mailbox_unlock(mailbox);
}

static int unlink_some(struct expunging *expunging, struct unlinked *unlinked, struct work *work)
{
	while (expunging->done < expunging->n) {
		uint32_t msg_uid = expunging->uids[expunging->done];

		if (work->budget == 0)
			return -EINPROGRESS;

		int r = unlink_message(unlinked->mailbox, msg_uid, unlinked, work);

		if (r == -ERESTART)
			continue;
		if (r < 0)
			return r;
		if (r == UNLINKED)
			unlinked->uids[unlinked->n++] = msg_uid;
		if (expunging->removed)
			expunging->removed[expunging->done] = r == UNLINKED;
		work->budget--;
		expunging->done++;
	}
	return 0;
}

int mailbox_expunge(
	struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work)
{
	struct expunging expunging = { .uids = uids, .n = n, .done = *done };
	int r = mailbox_expunge_step(mailbox, &expunging, work);

	*done = expunging.done;
	return r;
}

int mailbox_expunge_deleted(
	struct mailbox *mailbox, const uint32_t *uids, size_t n, size_t *done, struct work *work)
{
	struct expunging expunging = { .uids = uids, .n = n, .done = *done, .only_deleted = true };
	int r = mailbox_expunge_step(mailbox, &expunging, work);

	*done = expunging.done;
	return r;
}

int mailbox_expunge_step(struct mailbox *mailbox, struct expunging *expunging, struct work *work)
{
	if (mailbox->replaced)
		return -ESTALE;
	if (expunging->done >= expunging->n)
		return 0;

	size_t left = expunging->n - expunging->done;
	size_t most = left < work->budget ? left : work->budget;
	_cleanup_free_ uint32_t *memory = calloc(most + 1, sizeof *memory);
	struct unlinked unlinked = { .mailbox = mailbox,
		.uids = memory,
		.only_deleted = expunging->only_deleted,
		.counts = quota_counts(mailbox->store) &&
			  quota_counts_mailbox(mailbox->store, mailbox_name(mailbox)) };

	if (!memory)
		return -ENOMEM;

	bool known = mailbox_cur_begin(mailbox);
	int r = unlink_some(expunging, &unlinked, work);

	mailbox_take_off(mailbox, unlinked.uids, unlinked.n, work->now_usec);
	if (unlinked.n > 0)
		quota_note(mailbox->store, &unlinked.freed);
	mailbox_cur_end(mailbox, known);
	if (r == 0 && mailbox_fsync_always(mailbox) && fsync(mailbox->cur_fd) < 0)
		r = -errno;
	if (r == 0)
		mailbox_trim_uidlist(mailbox, work->now_usec);
	return r;
}
