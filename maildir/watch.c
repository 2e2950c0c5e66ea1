#include "base/clock.h"
#include "maildir/filename.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdio.h>
#include <sys/inotify.h>

enum { EVENTS_BYTES = 16 * 1024 };

static const uint32_t WATCHED = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
				IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_EXCL_UNLINK;

/* By descriptor: the name could lead elsewhere by now. */
static int add_watch(const struct store *store, int dir_fd)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd);
	return inotify_add_watch(store->watch_fd, path, WATCHED);
}

/* Whether changes from before the watch may hide under the stamp that is known, or will be after the sync under way. */
static bool may_hide(const struct mailbox *mailbox)
{
	const struct sync_state *sync = &mailbox->sync;

	if (sync->stamps_moved)
		return true;
	if (sync->phase > SYNC_READ && sync->scan_cur)
		return stamp_is_young(&sync->cur_before, clock_realtime_usec(), mailbox->is_local);
	return mailbox->synced && mailbox->cur_young;
}

void store_watch_mailbox(struct store *store, struct mailbox *mailbox)
{
	if (store->watch_fd < 0)
		return;
	mailbox->cur_watch = add_watch(store, mailbox->cur_fd);
	mailbox->new_watch = add_watch(store, mailbox->new_fd);
	if (mailbox->cur_watch < 0 || mailbox->new_watch < 0)
		mailbox_log(mailbox, LOG_PRIORITY_NOTICE, "cannot be watched: %s", strerror(errno));
	else
		mailbox->watched = mailbox->is_local;
	if (may_hide(mailbox))
		mailbox->must_scan = true;
}

void store_unwatch_mailbox(struct store *store, struct mailbox *mailbox)
{
	if (store->watch_fd < 0)
		return;

	/* A mailbox opened anew while a replaced one was still in use has the same watches. */
	for (const struct mailbox *other = store->mailboxes; other; other = other->next)
		if (other->cur_watch == mailbox->cur_watch)
			return;
	if (mailbox->cur_watch >= 0)
		inotify_rm_watch(store->watch_fd, mailbox->cur_watch);
	if (mailbox->new_watch >= 0)
		inotify_rm_watch(store->watch_fd, mailbox->new_watch);
}

int store_watch(struct store *store)
{
	if (store->watch_fd < 0) {
		store->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (store->watch_fd < 0)
			return -errno;
		for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
			store_watch_mailbox(store, mailbox);
	}
	return store->watch_fd;
}

/* Whether an event in cur/ is the echo of a change of our own: it ends in what is known anyway. */
static bool is_echo(struct mailbox *mailbox, const struct inotify_event *event)
{
	struct slice whole = slice_str(event->len > 0 ? event->name : "");
	char known[FILE_NAME_MAX_BYTES + 1];

	list_expect_find(&mailbox->list);
	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		return false;

	ssize_t number = list_find_base(&mailbox->list, filename_parse(whole).base);
	bool is_there = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;

	if (number < 0)
		return !is_there;
	mailbox_file_name(mailbox, (size_t)number, known);

	bool is_known =
		!list_entry(&mailbox->list, (size_t)number)->in_new && slice_equal(slice_str(known), whole);

	return is_there == is_known;
}

static void take_event(struct store *store, const struct inotify_event *event)
{
	for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next) {
		bool before = mailbox->must_scan;

		if (event->mask & IN_Q_OVERFLOW)
			mailbox->must_scan = true;
		else if (event->wd == mailbox->cur_watch && !mailbox->must_scan)
			mailbox->must_scan = !is_echo(mailbox, event);

		/* A stamp tells of new mail, but those who wait must be woken, whoever takes the event. */
		bool is_new = event->wd == mailbox->new_watch && (event->mask & (IN_CREATE | IN_MOVED_TO));

		store->changes += is_new || (mailbox->must_scan && !before);
	}
}

void store_watch_drain(struct store *store)
{
	_Alignas(struct inotify_event) char events[EVENTS_BYTES];
	ssize_t n;

	while (store->watch_fd >= 0 && (n = read(store->watch_fd, events, sizeof events)) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(events + at);

			take_event(store, event);
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
}
