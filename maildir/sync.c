/*
 * mailbox_sync(): the list of messages follows the files.
 *
 *   LOOK --nothing changed--> done
 *    |
 *   READ      uidlist and keywords, as far as they changed
 *    |
 *   SCAN_NEW, SCAN_CUR    new/ first: a file that moves meanwhile is met once at least.   <-----+
 *    |                    cur/ only if its stamp changed                                        |
 *   SCANNED --something is missing, and cur/ changed during the scan: a second scan must        |
 *    |         miss it as well before it counts as gone (CONFIRM)-------------------------------+
 *    |                                                                                          |
 *    +--no new files-----------------> COMMIT                                                   |
 *    |                                   ^                                                      |
 *   LOCK      read what other programs gave UIDs to; a record whose file was not met: scan------+
 *    |        once more under the lock
 *   ASSIGN    UIDs in order of arrival, durable in the uidlist before anyone sees them
 *    |
 *   MOVE      new/ to cur/
 *    |
 *   DUPLICATES, then COMMIT, which alone changes what is shown (but for flags), and gives the lock back
 *
 * Invariants
 *  1. A UID is shown only after it is durable in the uidlist; one that was shown never means another file:
 *     a file that comes back after it was seen to be gone gets a new UID.
 *  2. A file is never renamed onto another (dirs_rename()); a message is never removed here.
 *  3. A message leaves the list only if a whole scan missed its file while the directory did not change, or two did.
 *     The second one (CONFIRM) reads each directory by one call, during which local file systems let nobody rename: a
 *     file whose name goes to and fro is met however often that is. Where a directory is read in pieces in any case, two
 *     that are renamed in either scan may be missed.
 *  4. Who begins to look after another program has changed cur/ or new/ sees the change (mailbox_sync_anew()). What a
 *     stamp says is taken before the directory is read, so a change that came later has a stamp of its own, but for two
 *     cases: a stamp younger than a tick of the clock may stand for two states; and our own changes of cur/ take its
 *     stamp anew (mailbox_cur_end(), note_cur_stamp()), so that they cost no look, and with it the stamp of what
 *     another program did meanwhile. For these there is
 *       a watch       every such change is an event, and the kernel queued it before the change returned: events are
 *                     taken whenever stamps are compared. An event that ends in what the list says is our own
 *                     (watch.c): whether it was is no matter. A watch that begins late tells nothing of before:
 *                     then cur/ is read once.
 *       no watch      new/ is read again as long as its stamp is young; cur/ after each change of our own, and as
 *                     long as its stamp is young. On file systems that other hosts change as well a stamp is young
 *                     for seconds: there cur/ is read when it has aged, and until then such a change may not show.
 *     A sync that waits for the lock compares again whenever it is called, lest its scan grow old. One that is in the
 *     midst of a scan is finished, and a further one begun, for who asked meanwhile.
 *
 * Odd things among the messages
 *   a file in new/ and in cur/, one inode        the one in new/ is unlinked
 *   a file in new/ and in cur/, two inodes       two messages: the one in new/ gets a new base name
 *   one base name twice in cur/, one inode       the name met second is unlinked
 *   one base name twice in cur/, two inodes      two messages: the one met second gets a new base name
 *   a name with CR or LF, an empty base name     left alone, not shown, logged
 *   a directory, FIFO, socket, symbolic link     left alone, not shown, logged
 *   two records (UIDs) for one file              the higher UID counts, the lower one is gone
 *   a record whose file is gone                  dropped at the next rewrite of the uidlist
 *   a file whose record another program dropped  a new UID
 *   cur/ cannot be read                          -EACCES; the list stays as it is
 *   keywords cannot be read                      the same
 *   the uidlist cannot be written                messages that have UIDs are shown, others when it can be
 *   the uidlist cannot be read as one            kept aside; new UIDVALIDITY; whoever has the mailbox open gets -ESTALE
 */
#include "maildir/sync.h"

#include "base/must.h"
#include "maildir/courier_adopt.h"
#include "maildir/keyword_files.h"
#include "maildir/store_state.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <stdlib.h>

enum { SYNC_NAMES_MAX_BYTES = INT32_MAX };

void sync_init(struct sync_state *sync)
{
	*sync = (struct sync_state){
		.entries = ENTRIES_CLOSED,
		.unknown.names = BUF(SYNC_NAMES_MAX_BYTES),
		.duplicates.names = BUF(SYNC_NAMES_MAX_BYTES),
	};
}

void sync_files_clear(struct sync_files *files)
{
	free(files->files);
	files->files = NULL;
	files->n = files->cap = 0;
	buf_done(&files->names);
}

bool sync_files_add(struct sync_files *files, struct slice name, bool in_new)
{
	uint32_t at = (uint32_t)files->names.n;

	if (buf_add(&files->names, name) < 0)
		return false;
	if (files->n == files->cap) {
		files->cap = files->cap + files->cap / 2 + 32;
		files->files = realloc(files->files, files->cap * sizeof *files->files);
		must(files->files != NULL);
	}
	files->files[files->n++] = (struct sync_file){ at, (uint16_t)name.n, in_new };
	return true;
}

/* What is kept from one sync to the next: numbers, and what was logged already. */
static void finish(struct mailbox *mailbox)
{
	struct sync_state *sync = &mailbox->sync;
	uint64_t round = sync->round;
	uint32_t scan = sync->scan;
	size_t ignored = sync->ignored_before;
	bool complained = sync->complained;

	entries_close(&sync->entries);
	if (sync->have_lock)
		mailbox_unlock(mailbox);
	sync_files_clear(&sync->unknown);
	sync_files_clear(&sync->duplicates);
	sync_init(sync);
	sync->round = round;
	sync->scan = scan;
	sync->ignored_before = ignored;
	sync->complained = complained;
}

/* Entries that are not loaded are not in new/. */
static void count_in_new(struct mailbox *mailbox)
{
	size_t n = 0;

	if (mailbox->n_in_new == 0)
		return;
	for (size_t i = 0; i < mailbox->list.n; i++)
		n += mailbox->list.entries[i].in_new;
	mailbox->n_in_new = n;
}

void sync_abort(struct mailbox *mailbox)
{
	if (mailbox->list.n > mailbox->list.n_shown) {
		/* Records read, but not shown: they must be read again, so the file as a whole. */
		list_truncate(&mailbox->list, mailbox->list.n_shown);
		if (mailbox->uidlist.fd >= 0)
			close(mailbox->uidlist.fd);
		mailbox->uidlist.fd = -1;
		mailbox->uidlist.stamp = (struct stamp){ 0 };
	}
	count_in_new(mailbox);
	mailbox->must_scan = true;
	finish(mailbox);
}

static bool uidlist_changed(const struct mailbox *mailbox)
{
	struct stamp stamp;

	return dirs_stamp(mailbox->dir_fd, UIDLIST_NAME, &stamp) < 0 ||
	       stamp.ino != mailbox->uidlist.stamp.ino || stamp.size != mailbox->uidlist.stamp.size;
}

/* Without a watch: whether now is the time to read cur/ once more for what its stamp may hide. */
static bool may_hide(const struct mailbox *mailbox, const struct stamp *cur, uint64_t now_usec)
{
	return mailbox->cur_young && !mailbox->watched &&
	       (mailbox->is_local || !stamp_is_young(cur, now_usec, false));
}

/* Returns 1: there is something to do; 0; -errno. */
static int look(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;
	struct stamp cur, new;

	sync->round++;
	if (mailbox->watched)
		store_watch_drain(mailbox->store);

	int r = dirs_stamp_fd(mailbox->cur_fd, &cur);

	if (r == 0)
		r = dirs_stamp_fd(mailbox->new_fd, &new);
	if (r < 0)
		return r;
	sync->scan_cur =
		!mailbox->synced || mailbox->must_scan || !stamp_equal(&cur, &mailbox->cur_stamp) ||
		may_hide(mailbox, &cur, now_usec);
	return sync->scan_cur || !stamp_equal(&new, &mailbox->new_stamp) ||
	       stamp_is_young(&new, now_usec, mailbox->is_local) || uidlist_changed(mailbox) ||
	       keyword_files_changed(mailbox);
}

/* What the index said does not fit the files. Nobody was told of it: all is read from the files. */
static void forget_restored(struct mailbox *mailbox)
{
	finish(mailbox);
	snapshot_forget(mailbox);
	uidlist_file_forget(mailbox);
}

/* Without them messages would be shown as ones that lost their keywords, and clients would carry that further. */
static int keywords_failed(struct mailbox *mailbox, int error)
{
	mailbox_log(mailbox, LOG_PRIORITY_WARNING, "keywords cannot be read: %s", strerror(-error));
	return error;
}

static int read_files(struct mailbox *mailbox, struct work *work)
{
	size_t before = mailbox->list.n;
	int r = uidlist_file_refresh(mailbox);

	if (r == -EBADMSG && mailbox->snapshot.is_restored) {
		forget_restored(mailbox);
		return 0;
	}
	if (r == -EBADMSG) { /* whether it is will be decided under the lock */
		mailbox->sync.phase = SYNC_LOCK;
		mailbox->sync.uidlist_broken = true;
		mailbox->sync.scan_cur = true;
		return 0;
	}
	if (r < 0)
		return r;
	if (mailbox->list.n > mailbox->list.n_shown || mailbox->must_scan)
		mailbox->sync.scan_cur = true; /* where are their files? */
	if (mailbox->list.n > before)
		work->budget -= work->budget < mailbox->list.n - before ? work->budget
									: mailbox->list.n - before;
	r = keyword_files_refresh(mailbox, work->now_usec);
	if (r < 0)
		return keywords_failed(mailbox, r);
	sync_scan_begin(mailbox);
	mailbox->sync.phase = SYNC_SCAN_NEW;
	return 0;
}

/* A stamp that changed while the directory was read, or may have, proves nothing about what was missed. */
static bool scan_is_sure(const struct mailbox *mailbox, uint64_t now_usec)
{
	const struct sync_state *sync = &mailbox->sync;
	struct stamp cur, new;

	return dirs_stamp_fd(mailbox->cur_fd, &cur) == 0 && stamp_equal(&cur, &sync->cur_before) &&
	       !stamp_is_young(&cur, now_usec, mailbox->is_local) && dirs_stamp_fd(mailbox->new_fd, &new) == 0 &&
	       stamp_equal(&new, &sync->new_before) && !stamp_is_young(&new, now_usec, mailbox->is_local);
}

static bool needs_lock(const struct mailbox *mailbox)
{
	const struct sync_state *sync = &mailbox->sync;

	return sync->unknown.n > 0 || sync->duplicates.n > 0 || mailbox->n_in_new > 0 ||
	       mailbox->uidlist.must_rewrite;
}

/* The phase that follows a scan. */
static enum sync_phase after_scan(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;

	if (sync_scan_missed_any(mailbox)) {
		if (!sync->scan_cur) { /* moved to cur/ by another program? */
			sync->scan_cur = true;
			sync_scan_begin(mailbox);
			return SYNC_SCAN_NEW;
		}
		if (!sync->confirming && !scan_is_sure(mailbox, now_usec)) {
			sync_scan_confirm(mailbox);
			return SYNC_SCAN_NEW;
		}
	}
	if (sync->have_lock)
		return SYNC_ASSIGN;
	return needs_lock(mailbox) ? SYNC_LOCK : SYNC_COMMIT;
}

static bool is_gone(void *arg, size_t number)
{
	struct mailbox *mailbox = arg;

	if (!sync_scan_missed(mailbox, number))
		return false;
	mailbox->n_in_new -= mailbox->list.entries[number].in_new;
	mailbox_note_vanished(mailbox, number);
	return true;
}

/* removed: or messages left that were shown. */
static void show_arrived(struct mailbox *mailbox, bool removed, uint64_t now_usec)
{
	struct list *list = &mailbox->list;
	uint64_t modseq = mailbox_next_modseq(mailbox, now_usec);

	for (size_t i = list->n_shown; i < list->n; i++)
		list->messages[i].modseq = modseq;
	list->n_shown = list->n;
	mailbox_note_vanished_done(mailbox, modseq);
	if (!mailbox->synced)
		vanished_reset(&mailbox->vanished, modseq);
	if (removed)
		mailbox_note_members(mailbox);
	else
		mailbox_note_added(mailbox);
}

/* The next look compares with what the directories were before they were read, or after our own changes. */
static void keep_stamps(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;

	if (sync->degraded)
		return; /* read again the next time */
	mailbox->new_stamp = sync->new_before;
	if (stamp_is_young(&sync->new_before, now_usec, mailbox->is_local))
		mailbox->new_stamp = (struct stamp){ 0 }; /* read it once more when it is older */
	if (sync->stamps_moved) {
		mailbox->cur_young = true;
	} else if (sync->scan_cur) {
		mailbox->cur_stamp = sync->cur_before;
		mailbox->cur_young = stamp_is_young(&sync->cur_before, now_usec, mailbox->is_local);
	}
}

static int commit(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	struct list *list = &mailbox->list;
	size_t shown = list->n_shown;

	mailbox->keywords.beyond_stale |= list->n > list->n_shown;

	int r = keyword_files_refresh(mailbox, work->now_usec);

	if (r < 0)
		return keywords_failed(mailbox, r);
	if (sync->scan_cur || mailbox->n_in_new > 0)
		list_remove_if(list, is_gone, mailbox);
	mailbox->snapshot.is_restored = false;
	if (!mailbox->synced && mailbox->recent_from == 0)
		mailbox->recent_from =
			sync->first_new_uid ? sync->first_new_uid : mailbox->uidlist.header.uidnext;
	if (list->n_shown < shown || list->n > list->n_shown || !mailbox->synced)
		show_arrived(mailbox, list->n_shown < shown, work->now_usec);
	mailbox->uidnext = mailbox->uidlist.header.uidnext;
	keep_stamps(mailbox, work->now_usec);
	if (sync->scan_cur) {
		if (sync->ignored > sync->ignored_before)
			mailbox_log(mailbox, LOG_PRIORITY_WARNING,
				"%zu files or directories among the messages are none, and not "
				"shown",
				sync->ignored);
		sync->ignored_before = sync->ignored;
	}
	sync->complained = sync->degraded || sync->stuck;
	mailbox->synced = true;
	return 0;
}

/* Whether what was done gives reason for one more round at once: files that got new names. */
static bool once_more(struct mailbox *mailbox)
{
	bool again = mailbox->must_scan && !mailbox->sync.again;

	finish(mailbox);
	mailbox->sync.again = again;
	return again;
}

/* Whether cur/ changed, or may have, since the scan of a sync that waits for the lock. */
static bool scan_is_outdated(struct mailbox *mailbox, uint64_t now_usec)
{
	const struct sync_state *sync = &mailbox->sync;
	const struct stamp *known = sync->scan_cur ? &sync->cur_before : &mailbox->cur_stamp;
	struct stamp cur;

	if (mailbox->watched)
		store_watch_drain(mailbox->store);
	if (mailbox->must_scan)
		return true;
	if (dirs_stamp_fd(mailbox->cur_fd, &cur) < 0)
		return false; /* who has the lock will be told */
	if (!stamp_equal(&cur, known))
		return true;
	return !mailbox->watched && mailbox->is_local &&
	       (sync->scan_cur ? stamp_is_young(known, now_usec, true) : mailbox->cur_young);
}

/* The lock of others may be held for long: who asks meanwhile is not told of the flags of before. */
static void renew_scan(struct mailbox *mailbox, uint64_t now_usec)
{
	struct sync_state *sync = &mailbox->sync;

	if (sync->phase != SYNC_LOCK || sync->have_lock || sync->uidlist_broken ||
		!scan_is_outdated(mailbox, now_usec))
		return;
	sync->scan_cur = true;
	sync->phase = SYNC_READ;
}

/* One phase. Returns 1: it is over, go on; 0: the sync is over; else as mailbox_sync(). */
static int step(struct mailbox *mailbox, struct work *work)
{
	struct sync_state *sync = &mailbox->sync;
	int r = 0;

	switch (sync->phase) {
	case SYNC_LOOK:
		if (!mailbox->synced)
			snapshot_restore(mailbox);
		r = look(mailbox, work->now_usec);
		if (r <= 0) {
			sync->again = false;
			mailbox->snapshot.is_restored &= r < 0;
			return r;
		}
		sync->phase = SYNC_READ;
		return 1;
	case SYNC_READ:
		r = read_files(mailbox, work);
		break;
	case SYNC_SCAN_NEW:
		r = sync_scan_dir(mailbox, true, work);
		if (r == 0)
			sync->phase = sync->scan_cur ? SYNC_SCAN_CUR : SYNC_SCANNED;
		break;
	case SYNC_SCAN_CUR:
		r = sync_scan_dir(mailbox, false, work);
		if (r == 0)
			sync->phase = SYNC_SCANNED;
		break;
	case SYNC_SCANNED:
		sync->phase = after_scan(mailbox, work->now_usec);
		break;
	case SYNC_LOCK:
		r = sync_take_lock(mailbox, work);
		if (r == -EBADMSG && mailbox->snapshot.is_restored) {
			forget_restored(mailbox);
			r = 0;
		}
		break;
	case SYNC_ASSIGN:
		r = sync_assign_uids(mailbox, work);
		break;
	case SYNC_MOVE:
		r = sync_move_new(mailbox, work);
		break;
	case SYNC_DUPLICATES:
		r = sync_part_duplicates(mailbox, work);
		break;
	case SYNC_COMMIT:
		r = commit(mailbox, work);
		return r < 0 ? r : once_more(mailbox);
	}
	return r < 0 ? r : 1;
}

/* Another program removed the directory, or what is in it. */
static bool is_deleted(const struct mailbox *mailbox)
{
	struct stamp stamp;

	return dirs_stamp_fd(mailbox->dir_fd, &stamp) == -ENOENT ||
	       dirs_stamp_fd(mailbox->cur_fd, &stamp) == -ENOENT;
}

static int sync_files(struct mailbox *mailbox, struct work *work)
{
	int r = mailbox->replaced ? -ESTALE : 1;

	lock_touch(&mailbox->lock, work->now_usec);
	renew_scan(mailbox, work->now_usec);
	while (r > 0)
		r = mailbox->replaced ? -ESTALE : step(mailbox, work);
	if (r == 0 || r == -EINPROGRESS || r == -EAGAIN)
		return r;
	if (is_deleted(mailbox)) {
		mailbox->replaced = true;
		r = -ESTALE;
	}
	if (!mailbox->replaced || mailbox->sync.phase != SYNC_LOOK)
		mailbox_log(mailbox, LOG_PRIORITY_ERROR, "cannot be read: %s", strerror(-r));
	sync_abort(mailbox);
	return r;
}

/* Keywords of a mailbox that was Courier's come before anybody sees it. */
int mailbox_sync(struct mailbox *mailbox, struct work *work)
{
	int r = mailbox->adoption_looked_for ? 0 : courier_adopt_begin(mailbox);

	if (r == 0 && !courier_adopt_pending(mailbox))
		r = sync_files(mailbox, work);

	if (r == 0 && courier_adopt_pending(mailbox))
		r = courier_adopt_step(mailbox, work);
	return r;
}

/* A sync that is under way was begun for somebody else, and may have passed what is new now. */
int mailbox_sync_anew(struct mailbox *mailbox, uint64_t *round, struct work *work)
{
	int r;

	if (*round == 0)
		*round = mailbox->sync.round + 1;
	do {
		r = mailbox_sync(mailbox, work);
	} while (r == 0 && mailbox->sync.round < *round);
	return r;
}
