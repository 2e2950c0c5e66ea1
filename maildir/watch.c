#include "maildir/watch.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/filename.h"
#include "maildir/name.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* A mailbox that is watched by its name, on behalf of one connection. */
struct watched {
	struct watched *next;
	char directory[NAME_DIRECTORY_BYTES];
	int cur_watch, new_watch; /* -1 */
	bool is_local, is_lost;
	uint64_t count;
};

static bool tells_all_of(const struct watched *w)
{
	return w->cur_watch >= 0 && w->new_watch >= 0 && w->is_local && !w->is_lost;
}

static int watch_part(struct store *store, int dir_fd, const char *part, bool *is_local)
{
	_cleanup_close_ int fd = dir_fd < 0 ? dir_fd : dirs_open(dir_fd, part, false);

	*is_local &= fd >= 0 && dirs_is_local(fd);
	return fd < 0 ? -1 : add_watch(store, fd);
}

static void begin_watch(struct store *store, struct watched *w)
{
	_cleanup_close_ int dir_fd = dirs_open(store->root_fd, w->directory, false);

	w->is_lost = false;
	w->is_local = true;
	w->cur_watch = watch_part(store, dir_fd, "cur", &w->is_local);
	w->new_watch = watch_part(store, dir_fd, "new", &w->is_local);
}

/* Two that watch one directory have the same watch. */
static bool is_used(const struct store *store, int watch)
{
	for (const struct mailbox *m = store->mailboxes; m; m = m->next)
		if (m->cur_watch == watch || m->new_watch == watch)
			return true;
	for (const struct watched *w = store->watched; w; w = w->next)
		if (w->cur_watch == watch || w->new_watch == watch)
			return true;
	return false;
}

static void end_watch(struct store *store, int watch)
{
	if (store->watch_fd >= 0 && watch >= 0 && !is_used(store, watch))
		inotify_rm_watch(store->watch_fd, watch);
}

struct watched *store_watch_name(struct store *store, struct slice name)
{
	struct watched *w = calloc(1, sizeof *w);

	must(w != NULL);
	w->cur_watch = w->new_watch = -1;
	if (name_to_directory(name, store->settings.hierarchy_separator, w->directory) < 0)
		w->directory[0] = '\0'; /* no such mailbox: nothing will be seen */
	w->next = store->watched;
	store->watched = w;
	if (store->watch_fd >= 0)
		begin_watch(store, w);
	return w;
}

void store_unwatch(struct store *store, struct watched *watched)
{
	struct watched **link = &store->watched;

	while (*link != watched)
		link = &(*link)->next;
	*link = watched->next;
	end_watch(store, watched->cur_watch);
	end_watch(store, watched->new_watch);
	free(watched);
}

uint64_t watched_count(const struct watched *watched)
{
	return watched->count;
}

bool watched_is_same(const struct watched *a, const struct watched *b)
{
	return a->cur_watch == b->cur_watch && a->new_watch == b->new_watch;
}

bool watched_is_sure(struct store *store, struct watched *watched)
{
	if (store->watch_fd >= 0 && watched->is_lost)
		begin_watch(store, watched);
	return store->watch_fd >= 0 && tells_all_of(watched);
}

void store_watch_tree(struct store *store)
{
	if (store->tree_watchers++ == 0 && store->watch_fd >= 0)
		store->tree_watch = add_watch(store, store->root_fd);
}

void store_unwatch_tree(struct store *store)
{
	if (--store->tree_watchers > 0)
		return;
	if (store->watch_fd >= 0 && store->tree_watch >= 0)
		inotify_rm_watch(store->watch_fd, store->tree_watch);
	store->tree_watch = -1;
}

uint64_t store_tree_count(const struct store *store)
{
	return store->tree_count;
}

bool store_tree_is_sure(const struct store *store)
{
	return store->watch_fd >= 0 && store->tree_watch >= 0 && dirs_is_local(store->root_fd);
}

bool store_must_poll(const struct store *store)
{
	for (const struct mailbox *m = store->mailboxes; m; m = m->next)
		if (!m->watched)
			return true;
	for (const struct watched *w = store->watched; w; w = w->next)
		if (!tells_all_of(w))
			return true;
	return store->tree_watchers > 0 && !store_tree_is_sure(store);
}

/*
 * What is watched by name, from the moment that there is something to watch by. It was looked at before that: what came in
 * between nobody tells, so all of it counts as changed.
 */
static void watch_names(struct store *store)
{
	for (struct watched *w = store->watched; w; w = w->next) {
		begin_watch(store, w);
		w->count++;
		store->changes++;
	}
	if (store->tree_watchers == 0)
		return;
	store->tree_watch = add_watch(store, store->root_fd);
	store->tree_count++;
	store->changes++;
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

	int cur_watch = mailbox->cur_watch, new_watch = mailbox->new_watch;

	/* A mailbox opened anew while a replaced one was still in use has the same watches. */
	mailbox->cur_watch = mailbox->new_watch = -1;
	end_watch(store, cur_watch);
	end_watch(store, new_watch);
}

int store_watch(struct store *store)
{
	if (store->watch_fd < 0) {
		store->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (store->watch_fd < 0)
			return -errno;
		for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next) {
			store_watch_mailbox(store, mailbox);
			store->changes++; /* as in watch_names() */
		}
		watch_names(store);
	}
	return store->watch_fd;
}

/* While a sync is under way there may be two of a name. */
static bool is_at(const struct mailbox *mailbox, size_t number, struct slice base)
{
	const struct list *list = &mailbox->list;

	return mailbox->sync.phase == SYNC_LOOK && number < list->n && list_is_loaded(list, number) &&
	       !list_entry(list, number)->orphan && slice_equal(list_base(list, number), base);
}

/* Our own changes go from message to message: mostly an event is about the same as the last one, or the next. */
static ssize_t find_message(struct mailbox *mailbox, struct slice base)
{
	ssize_t number = (ssize_t)mailbox->last_event;

	if (!is_at(mailbox, (size_t)number, base) && !is_at(mailbox, (size_t)++number, base)) {
		list_expect_find(&mailbox->list);
		number = list_find_base(&mailbox->list, base);
	}
	if (number >= 0)
		mailbox->last_event = (size_t)number;
	return number;
}

/* Whether an event in cur/ is the echo of a change of our own: it ends in what is known anyway. */
static bool is_echo(struct mailbox *mailbox, const struct inotify_event *event)
{
	struct slice whole = slice_str(event->len > 0 ? event->name : "");

	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)))
		return false;

	ssize_t number = find_message(mailbox, filename_parse(whole).base);
	bool is_there = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;

	if (number < 0)
		return !is_there;

	bool is_known = !list_entry(&mailbox->list, (size_t)number)->in_new &&
			list_has_file_name(&mailbox->list, (size_t)number, whole);

	return is_there == is_known;
}

static void take_event_by_name(struct store *store, const struct inotify_event *event)
{
	const uint32_t LOST = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED;
	bool overflow = event->mask & IN_Q_OVERFLOW;

	for (struct watched *w = store->watched; w; w = w->next) {
		if (!overflow && event->wd != w->cur_watch && event->wd != w->new_watch)
			continue;
		w->is_lost |= (event->mask & LOST) != 0;
		w->count++;
		store->changes++;
	}
	if (overflow || (event->wd == store->tree_watch && event->len > 0 &&
				(event->name[0] == '.' ||
					strcmp(event->name, "subscriptions") == 0))) {
		store->tree_count++;
		store->changes++;
	}
}

static void take_event(struct store *store, const struct inotify_event *event)
{
	take_event_by_name(store, event);
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
