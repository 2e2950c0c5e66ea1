#include "base/must.h"
#include "maildir/card_cache.h"
#include "maildir/courier_adopt.h"
#include "maildir/digest.h"
#include "maildir/events.h"
#include "maildir/name.h"
#include "maildir/pop3_uidl.h"
#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/sweep.h"
#include "maildir/sync.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static const char *const PARTS[] = { "cur", "new", "tmp" };
enum { PARTS_COUNT = sizeof PARTS / sizeof *PARTS };

/* The path's own parents are the admin's affair; the root itself is made, and may be a link the admin put there. */
static int open_root(const char *path, bool must_exist)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && !must_exist) {
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

static int make_parts(const struct log *log, const char *path, int root_fd)
{
	for (size_t i = 0; i < PARTS_COUNT; i++) {
		_cleanup_close_ int fd = dirs_open(root_fd, PARTS[i], true);

		if (fd < 0) {
			log_line(log, LOG_PRIORITY_ERROR, "maildir %s/%s: %s", path, PARTS[i],
				strerror(-fd));
			return fd;
		}
	}
	return 0;
}

static void open_index(struct store *store)
{
	const struct store_settings *settings = &store->settings;

	if (settings->index_path)
		store->index = index_open(
			&(struct index_settings){
				.path = settings->index_path,
				.boot_id = settings->boot_id,
				.max_bytes = settings->index_max_bytes,
				.drop = settings->drop_index,
				.sync = settings->fsync != FSYNC_NEVER,
			},
			store->log);
}

int store_open(
	const struct store_settings *settings, const struct log *log, struct store **ret_store)
{
	if (!pop3_uidl_format_is_valid(slice_str(settings->uidl_format))) {
		log_line(log, LOG_PRIORITY_ERROR, "maildir %s: \"%s\" is no format of unique-ids",
			settings->path, settings->uidl_format ? settings->uidl_format : "");
		return -EINVAL;
	}

	_cleanup_close_ int root_fd = open_root(settings->path, settings->must_exist);

	if (root_fd < 0) {
		log_line(log, LOG_PRIORITY_ERROR, "maildir %s: %s", settings->path,
			strerror(-root_fd));
		return root_fd;
	}

	int r = settings->must_exist ? 0 : make_parts(log, settings->path, root_fd);

	if (r < 0)
		return r;

	struct store *store = calloc(1, sizeof *store);

	must(store != NULL);
	store->settings = *settings;
	store->log = log;
	store->root_fd = take_fd(&root_fd);
	store->watch_fd = store->tree_watch = -1;
	open_index(store);
	*ret_store = store;
	return 0;
}

uint64_t store_change_count(const struct store *store)
{
	return store->changes;
}

int store_lock_maildrop(struct store *store)
{
	if (store->maildrop_locked)
		return -EBUSY;
	store->maildrop_locked = true;
	return 0;
}

char store_hierarchy_separator(const struct store *store)
{
	return store->settings.hierarchy_separator;
}

void store_unlock_maildrop(struct store *store)
{
	store->maildrop_locked = false;
}

static void free_mailbox(struct mailbox *mailbox)
{
	int *fds[] = { &mailbox->dir_fd, &mailbox->cur_fd, &mailbox->new_fd, &mailbox->uidlist.fd };

	mailbox_drop_counts(mailbox);
	courier_adoption_free(mailbox->adoption);
	card_makings_free(mailbox->card_makings);
	card_cache_free(mailbox->card_cache);
	digest_cache_free(mailbox->digests);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (*fds[i] >= 0)
			close(*fds[i]);
	list_done(&mailbox->list);
	keyword_table_done(&mailbox->keywords.table);
	changes_done(&mailbox->changes);
	flag_log_done(&mailbox->flag_log);
	vanished_done(&mailbox->vanished);
	uid_array_unref(mailbox->uids);
	free(mailbox->name);
	free(mailbox);
}

static void remove_mailbox(struct mailbox *mailbox)
{
	struct mailbox **link = &mailbox->store->mailboxes;

	while (*link != mailbox)
		link = &(*link)->next;
	*link = mailbox->next;
	digest_rest(mailbox);
	store_unwatch_mailbox(mailbox->store, mailbox);
	sync_abort(mailbox);
	free_mailbox(mailbox);
}

uint64_t store_rest(struct store *store)
{
	uint64_t again_usec = UINT64_MAX;

	for (struct mailbox *mailbox = store->mailboxes, *next; mailbox; mailbox = next) {
		uint64_t usec = snapshot_save(mailbox, false);

		next = mailbox->next;
		digest_rest(mailbox);
		if (usec < again_usec)
			again_usec = usec;
		if (usec == UINT64_MAX && mailbox->opened == 0)
			remove_mailbox(mailbox);
	}
	index_rest(store->index);
	return again_usec;
}

void store_settle(struct store *store)
{
	for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
		while (snapshot_save(mailbox, true) == 0)
			;
	sweep_index(store);
	index_sync(store->index);
}

void store_close(struct store *store)
{
	while (store->mailboxes) {
		must(store->mailboxes->opened == 0);
		while (snapshot_save(store->mailboxes, true) == 0)
			;
		remove_mailbox(store->mailboxes);
	}
	index_close(store->index);
	quota_close(store);
	store_events_done(store);
	if (store->watch_fd >= 0)
		close(store->watch_fd);
	close(store->root_fd);
	free(store);
}

static struct mailbox *new_mailbox(struct store *store, struct slice name)
{
	struct mailbox *mailbox = calloc(1, sizeof *mailbox);

	must(mailbox != NULL);
	mailbox->store = store;
	mailbox->name = strndup(name.p, name.n);
	must(mailbox->name != NULL);
	mailbox->dir_fd = mailbox->cur_fd = mailbox->new_fd = -1;
	mailbox->cur_watch = mailbox->new_watch = -1;
	mailbox->uidlist.fd = -1;
	mailbox->keywords.forwarded = -1;
	mailbox->lock = LOCK_INIT;
	list_init(&mailbox->list);
	sync_init(&mailbox->sync);
	return mailbox;
}

static int open_directories(struct mailbox *mailbox, const char *dir)
{
	struct stat st;

	mailbox->dir_fd = dirs_open(mailbox->store->root_fd, dir, false);
	if (mailbox->dir_fd < 0)
		return mailbox->dir_fd;
	mailbox->cur_fd = dirs_open(mailbox->dir_fd, "cur", false);
	if (mailbox->cur_fd < 0)
		return mailbox->cur_fd;
	mailbox->is_local = dirs_is_local(mailbox->cur_fd);
	mailbox->new_fd = dirs_open(mailbox->dir_fd, "new", true);
	if (mailbox->new_fd < 0 || fstat(mailbox->new_fd, &st) < 0)
		return mailbox->new_fd < 0 ? mailbox->new_fd : -errno;
	mailbox->new_ino = st.st_ino;
	return 0;
}

/* One that was replaced under its users is left to them: who opens it now gets a fresh one. */
static struct mailbox *find_open(const struct store *store, struct slice name)
{
	for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
		if (!mailbox->replaced && slice_equal(mailbox_name(mailbox), name))
			return mailbox;
	return NULL;
}

bool store_has_open(const struct store *store, const char *dir)
{
	_cleanup_buf_ struct buf name = BUF(NAME_UTF8_BYTES);

	return store->mailboxes &&
	       name_from_directory(slice_str(dir), store->settings.hierarchy_separator, &name) == 0 &&
	       find_open(store, buf_slice(&name)) != NULL;
}

struct mailbox *mailbox_opened(const struct store *store, struct slice name)
{
	return find_open(store, name);
}

/*
 * Whether the directory of that name is (still) the one that is open: other programs delete and rename mailboxes too.
 * Returns 1, 0, or -errno: that cannot be told.
 */
static int is_in_place(const struct mailbox *mailbox, const char *dir)
{
	struct stat open_one, there;

	if (fstat(mailbox->dir_fd, &open_one) < 0)
		return -errno;
	if (fstatat(mailbox->store->root_fd, dir, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return open_one.st_ino == there.st_ino && open_one.st_dev == there.st_dev;
}

static int open_mailbox(
	struct store *store, struct slice name, const char *dir, struct mailbox **ret_mailbox)
{
	struct mailbox *mailbox = new_mailbox(store, name);
	int r = open_directories(mailbox, dir);

	if (r < 0) {
		if (r != -ENOENT)
			mailbox_log(mailbox, LOG_PRIORITY_ERROR, "cannot be opened: %s",
				strerror(-r));
		free_mailbox(mailbox);
		return r;
	}
	mailbox->next = store->mailboxes;
	store->mailboxes = mailbox;
	store_watch_mailbox(store, mailbox);
	*ret_mailbox = mailbox;
	return 0;
}

int mailbox_open(struct store *store, struct slice name, struct mailbox **ret_mailbox)
{
	char separator = store->settings.hierarchy_separator, dir[NAME_DIRECTORY_BYTES];
	_cleanup_buf_ struct buf canonical = BUF(NAME_UTF8_BYTES);
	int r = name_to_directory(name, separator, dir);

	if (r < 0)
		return r;
	r = name_from_directory(slice_str(dir), separator, &canonical);
	if (r < 0)
		return r;

	struct mailbox *mailbox = find_open(store, buf_slice(&canonical));

	r = mailbox ? is_in_place(mailbox, dir) : 0;
	if (r < 0) {
		mailbox_log(mailbox, LOG_PRIORITY_ERROR, "cannot be looked for: %s", strerror(-r));
		return r;
	}
	if (mailbox && r == 0) {
		mailbox->replaced = true;
		mailbox = NULL;
	}
	if (!mailbox) {
		r = open_mailbox(store, buf_slice(&canonical), dir, &mailbox);
		if (r < 0)
			return r;
	}
	mailbox->opened++;
	*ret_mailbox = mailbox;
	return 0;
}

/* One that is not saved yet stays until it is: store_rest(). Who opens it again meanwhile finds it as it was. */
void mailbox_close(struct mailbox *mailbox)
{
	must(mailbox->opened > 0);
	if (--mailbox->opened > 0)
		return;
	mailbox_drop_counts(mailbox);
	if (mailbox->sync.phase != SYNC_LOOK || snapshot_save(mailbox, false) == UINT64_MAX)
		remove_mailbox(mailbox);
}
