#include "maildir/metadata_file.h"

#include "maildir/events.h"
#include "maildir/name.h"
#include "maildir/store_state.h"

#include <errno.h>
#include <fcntl.h>

#define TEMPORARY_NAME   METADATA_NAME ".tmp"
#define SERVER_NAME      METADATA_NAME ".server"
#define SERVER_TEMPORARY METADATA_NAME ".server.tmp"
#define SERVER_LOCK_NAME METADATA_NAME ".server.lock"

/* Which file it is. */
struct place {
	int dir_fd;
	const char *name, *temporary_name;
};

static int find_place(const struct store *store, struct slice mailbox_name, struct place *ret_place)
{
	char directory[NAME_DIRECTORY_BYTES];

	if (mailbox_name.n == 0) {
		*ret_place = (struct place){ dirs_open(store->root_fd, ".", false), SERVER_NAME,
			SERVER_TEMPORARY };
		return ret_place->dir_fd < 0 ? ret_place->dir_fd : 0;
	}

	int r = name_to_directory(mailbox_name, store->settings.hierarchy_separator, directory);
	_cleanup_close_ int fd = r < 0 ? r : dirs_open(store->root_fd, directory, false);

	if (fd < 0)
		return fd;
	if (faccessat(fd, "cur", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret_place = (struct place){ take_fd(&fd), METADATA_NAME, TEMPORARY_NAME };
	return 0;
}

static int read_place(
	const struct place *place, struct arena *arena, struct metadata *ret_metadata)
{
	_cleanup_buf_ struct buf text = BUF(LIMIT_METADATA_BYTES + 1);
	struct stamp stamp;
	int r = dirs_read_file(place->dir_fd, place->name, &text, &stamp);

	if (r == -ENOENT) {
		*ret_metadata = metadata_none(arena);
		return 0;
	}
	if (r < 0)
		return r;
	return metadata_parse(buf_slice(&text), arena, ret_metadata) ? 0 : -EBADMSG;
}

int metadata_read(struct store *store, struct slice mailbox_name, struct arena *arena,
	struct metadata *ret_metadata)
{
	struct place place;
	int r = find_place(store, mailbox_name, &place);

	if (r < 0)
		return r;

	_cleanup_close_ int dir_fd = place.dir_fd;

	r = read_place(&place, arena, ret_metadata);
	if (r < 0)
		log_line(store->log, LOG_PRIORITY_ERROR,
			"maildir %s, mailbox %.*s: %s cannot be read: %s", store->settings.path,
			SLICE_FMT(mailbox_name), place.name, strerror(-r));
	return r;
}

static int apply(const struct metadata_changes *changes, struct metadata *metadata)
{
	/* What goes makes room for what comes. */
	for (size_t i = 0; i < changes->n; i++)
		if (!changes->entries[i].value.p)
			(void)metadata_set(metadata, &changes->entries[i]);
	for (size_t i = 0; i < changes->n; i++) {
		if (changes->entries[i].value.n > LIMIT_METADATA_VALUE_BYTES)
			return -EMSGSIZE;
		if (changes->entries[i].value.p && !metadata_set(metadata, &changes->entries[i]))
			return -E2BIG;
	}
	return 0;
}

static int change_locked(
	struct store *store, const struct metadata_changes *changes, const struct place *place)
{
	_cleanup_buf_ struct buf text = BUF(LIMIT_METADATA_BYTES);
	_cleanup_arena_ struct arena arena = { 0 };
	struct metadata metadata;
	struct stamp stamp;
	int r = read_place(place, &arena, &metadata);

	if (r == 0)
		r = apply(changes, &metadata);
	if (r < 0)
		return r;
	if (metadata_format(&metadata, &text) < 0)
		return -E2BIG;
	return dirs_replace_file(place->dir_fd,
		&(struct replacement){ .name = place->name,
			.temporary_name = place->temporary_name,
			.text = buf_slice(&text),
			.sync = store->settings.fsync != FSYNC_NEVER },
		&stamp);
}

static int change_server(struct store *store, const struct metadata_changes *changes,
	const struct place *place, struct work *work)
{
	struct lock lock = LOCK_INIT;
	int r = lock_take(
		&lock, place->dir_fd, SERVER_LOCK_NAME, store->settings.hostname, work);

	if (r < 0)
		return r;
	r = change_locked(store, changes, place);
	lock_release(&lock, place->dir_fd, SERVER_LOCK_NAME);
	return r;
}

/* By the mailbox if it is open: a sync of ours in steps may have the lock. */
static int change_mailbox(struct store *store, const struct metadata_changes *changes,
	const struct place *place, struct work *work)
{
	struct mailbox *mailbox;
	int r = mailbox_open(store, changes->mailbox_name, &mailbox);

	if (r < 0)
		return r;
	r = mailbox_lock(mailbox, work);
	if (r == 0) {
		r = change_locked(store, changes, place);
		mailbox_unlock(mailbox);
	}
	mailbox_close(mailbox);
	return r;
}

static void note_changed(struct store *store, const struct metadata_changes *changes)
{
	_cleanup_buf_ struct buf names =
		BUF(LIMIT_METADATA_ENTRIES * (LIMIT_METADATA_NAME_BYTES + 1));

	for (size_t i = 0; i < changes->n; i++)
		if (buf_add(&names, changes->entries[i].name) < 0 || buf_add_char(&names, '\n') < 0)
			return; /* not met: as many as there can be fit */
	store_event_add(store, STORE_EVENT_METADATA, changes->mailbox_name, buf_slice(&names));
}

int metadata_change(struct store *store, const struct metadata_changes *changes, struct work *work)
{
	struct place place;
	int r = find_place(store, changes->mailbox_name, &place);

	if (r < 0)
		return r;

	_cleanup_close_ int dir_fd = place.dir_fd;

	r = changes->mailbox_name.n == 0 ? change_server(store, changes, &place, work)
					 : change_mailbox(store, changes, &place, work);
	if (r == 0)
		note_changed(store, changes);
	return r;
}
