#include "maildir/tree_change.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/events.h"
#include "maildir/name.h"
#include "maildir/quota_file.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "maildir/uidvalidity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const PARTS[] = { "cur", "new", "tmp" };
enum { PARTS_COUNT = sizeof PARTS / sizeof *PARTS };

static int complain(const struct store *store, const char *directory, const char *what, int error)
{
	if (error < 0 && error != -EEXIST && error != -ENOENT && error != -EAGAIN)
		log_line(store->log, LOG_PRIORITY_ERROR, "maildir %s/%s: cannot be %s: %s",
			store->settings.path, directory, what, strerror(-error));
	return error;
}

/* Rename a directory; never onto another. -EEXIST, -errno. */
static int move_directory(int from_fd, const char *from, int to_fd, const char *to)
{
	struct stat st;

	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	return renameat(from_fd, from, to_fd, to) < 0 ? -errno : 0;
}

static int make_durable(const struct store *store, int fd)
{
	return store->settings.fsync != FSYNC_NEVER && fsync(fd) < 0 ? -errno : 0;
}

/* A name in tmp/ that nobody else takes. */
static void make_temporary_name(
	struct store *store, const char *prefix, char ret_name[TREE_TEMPORARY_BYTES])
{
	snprintf(ret_name, TREE_TEMPORARY_BYTES, "%s%llu.%d.%u", prefix,
		(unsigned long long)clock_realtime_usec(), (int)getpid(), store->names_made++);
}

/* New mailboxes are as open to others of the host as the Maildir itself. */
static int copy_mode(const struct store *store, int fd)
{
	struct stat root, here;

	if (fstat(store->root_fd, &root) < 0 || fstat(fd, &here) < 0)
		return -errno;

	mode_t mode = (root.st_mode & 02777) | 0700;

	return (here.st_mode & 07777) == mode || fchmod(fd, mode) == 0 ? 0 : -errno;
}

/* Courier's delivery agent knows a mailbox by it. */
static int make_mark(int fd)
{
	int mark = openat(fd, "maildirfolder", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (mark < 0)
		return -errno;
	close(mark);
	return 0;
}

static int make_file(const struct store *store, int fd, const struct tree_file *file)
{
	struct stamp stamp;

	return dirs_replace_file(fd,
		&(struct replacement){ .name = file->name,
			.temporary_name = "restante-created.tmp",
			.text = file->text,
			.sync = store->settings.fsync != FSYNC_NEVER },
		&stamp);
}

/* Make what a mailbox consists of, in a directory that is there. */
static int fill_directory(const struct store *store, int parent_fd, const char *name,
	const struct tree_file *file)
{
	_cleanup_close_ int fd = dirs_open(parent_fd, name, false);
	int r = fd < 0 ? fd : copy_mode(store, fd);

	for (size_t i = 0; r == 0 && i < PARTS_COUNT; i++) {
		_cleanup_close_ int part_fd = dirs_open(fd, PARTS[i], true);

		r = part_fd < 0 ? part_fd : copy_mode(store, part_fd);
	}
	if (r == 0)
		r = make_mark(fd);
	if (r == 0 && file)
		r = make_file(store, fd, file);
	return r == 0 ? make_durable(store, fd) : r;
}

/* A directory without cur/ has the name: what was begun elsewhere is completed. */
static int complete_directory(
	const struct store *store, const char *directory, const struct tree_file *file)
{
	_cleanup_close_ int fd = dirs_open(store->root_fd, directory, false);

	if (fd < 0)
		return fd;
	if (faccessat(fd, "cur", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	if (errno != ENOENT)
		return -errno;
	return fill_directory(store, store->root_fd, directory, file);
}

static int create_directory(
	struct store *store, const char *directory, const struct tree_file *file)
{
	struct work work = { .now_usec = clock_realtime_usec(), .budget = 100 };
	_cleanup_close_ int tmp_fd = dirs_open(store->root_fd, "tmp", false);
	char temporary[TREE_TEMPORARY_BYTES];

	if (tmp_fd < 0)
		return tmp_fd;
	make_temporary_name(store, TREE_CREATED_PREFIX, temporary);
	if (mkdirat(tmp_fd, temporary, 0700) < 0)
		return -errno;

	int r = fill_directory(store, tmp_fd, temporary, file);

	if (r == 0)
		r = move_directory(tmp_fd, temporary, store->root_fd, directory);
	if (r == 0) {
		r = make_durable(store, store->root_fd);
		if (r == 0 ||
			move_directory(store->root_fd, directory, tmp_fd, temporary) < 0)
			return r;
	}
	if (tree_remove_directory(tmp_fd, temporary, &work) < 0)
		log_line(store->log, LOG_PRIORITY_WARNING, "maildir %s/tmp/%s: is left over",
			store->settings.path, temporary);
	return r;
}

static int check_count(struct store *store)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n, mailboxes = 0;
	int r = tree_list(store, &arena, &entries, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		mailboxes += entries[i].exists;
	return r < 0 ? r : mailboxes >= LIMIT_MAILBOXES ? -ENFILE : 0;
}

static void note_created(struct store *store, const char *directory)
{
	_cleanup_buf_ struct buf name = BUF(NAME_UTF8_BYTES);

	if (name_from_directory(slice_str(directory), store->settings.hierarchy_separator, &name) ==
		0)
		store_event_add(store, STORE_EVENT_CREATED, buf_slice(&name), SLICE(""));
}

int tree_create_with(struct store *store, struct slice name, const struct tree_file *file)
{
	char separator = store->settings.hierarchy_separator, directory[NAME_DIRECTORY_BYTES];
	int r = name_to_directory(name, separator, directory);
	struct stat st;

	if (r < 0)
		return r;
	if (name_is_inbox(name))
		return -EEXIST;
	r = name_check_new(name, separator);
	if (r == 0)
		r = check_count(store);
	if (r < 0)
		return r;
	if (fstatat(store->root_fd, directory, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = complete_directory(store, directory, file);
	else
		r = errno == ENOENT ? create_directory(store, directory, file) : -errno;
	if (r == 0)
		note_created(store, directory);
	return complain(store, directory, "created", r);
}

int tree_create(struct store *store, struct slice name)
{
	return tree_create_with(store, name, NULL);
}

/* The name as mailboxes have it: INBOX as first level in capitals. */
static int canonical_name(const struct store *store, struct slice name,
	char ret_directory[NAME_DIRECTORY_BYTES], struct buf *out)
{
	char separator = store->settings.hierarchy_separator;
	int r = name_to_directory(name, separator, ret_directory);

	return r < 0 ? r : name_from_directory(slice_str(ret_directory), separator, out);
}

/* Why there is no mailbox of that name: -ENOTEMPTY: but there are some below; -ENOENT; -errno. */
static int why_missing(struct store *store, struct slice name)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n;
	int r = tree_list(store, &arena, &entries, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (slice_equal(entries[i].name, name) && entries[i].has_children)
			return -ENOTEMPTY;
	return r < 0 ? r : -ENOENT;
}

/* Whatever has this name from now on must not have its UIDVALIDITY. */
static int remember_uidvalidity(const struct store *store, int fd)
{
	_cleanup_close_ int uidlist_fd =
		openat(fd, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[UIDLIST_HEADER_MAX_BYTES];
	struct uidlist_header header;
	struct slice rest, line;

	if (uidlist_fd < 0)
		return errno == ENOENT ? 0 : -errno;

	ssize_t n = dirs_read_at(uidlist_fd, text, sizeof text, 0);

	if (n < 0)
		return (int)n;
	rest = slice_from(text, (size_t)n);
	if (!slice_split(&rest, '\n', &line) || !uidlist_parse_header(line, &header))
		return 0;
	return uidvalidity_raise(store->root_fd, header.uidvalidity);
}

static int move_away(struct store *store, const char *directory, bool counted)
{
	_cleanup_close_ int tmp_fd = dirs_open(store->root_fd, "tmp", false);
	char temporary[TREE_TEMPORARY_BYTES];

	if (tmp_fd < 0)
		return tmp_fd;
	make_temporary_name(store,
		counted ? TREE_DELETED_PREFIX : TREE_DELETED_UNCOUNTED_PREFIX, temporary);

	int r = move_directory(store->root_fd, directory, tmp_fd, temporary);

	if (r == 0)
		r = make_durable(store, tmp_fd);
	return r == 0 ? make_durable(store, store->root_fd) : r;
}

static void end_open_ones(struct store *store, struct slice name)
{
	for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
		if (slice_equal(mailbox_name(mailbox), name))
			mailbox->replaced = true;
	store_event_add(store, STORE_EVENT_DELETED, name, SLICE(""));
}

/* Under the lock of the uidlist, so that no other program is in the middle of a change. */
static int delete_directory(
	struct store *store, const char *directory, bool counted, struct work *work)
{
	_cleanup_close_ int fd = dirs_open(store->root_fd, directory, false);
	struct lock lock = LOCK_INIT;

	if (fd < 0)
		return fd;

	int r = lock_take(&lock, fd, UIDLIST_LOCK_NAME, store->settings.hostname, work);

	if (r == 0)
		r = remember_uidvalidity(store, fd);
	if (r == 0)
		r = move_away(store, directory, counted);
	lock_release(&lock, fd, UIDLIST_LOCK_NAME);
	return r;
}

/* Also where a fault came after the rename. */
static bool is_gone(const struct store *store, const char *directory)
{
	struct stat st;

	return fstatat(store->root_fd, directory, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

int tree_delete(struct store *store, struct slice name, struct work *work)
{
	_cleanup_buf_ struct buf canonical = BUF(NAME_UTF8_BYTES);
	char directory[NAME_DIRECTORY_BYTES];
	int r = name_is_inbox(name) ? -EINVAL : canonical_name(store, name, directory, &canonical);

	if (r < 0)
		return r;
	r = delete_directory(
		store, directory, quota_counts_mailbox(store, buf_slice(&canonical)), work);
	if (r == 0 || is_gone(store, directory))
		end_open_ones(store, buf_slice(&canonical));
	if (r == -ENOENT)
		return why_missing(store, buf_slice(&canonical));
	return complain(store, directory, "deleted", r);
}

/* One mailbox of those that a rename moves. */
struct move {
	char from[NAME_DIRECTORY_BYTES], to[NAME_DIRECTORY_BYTES];
	struct slice old_name, new_name;
};

struct moves {
	struct arena arena;
	struct move *moves;
	size_t n;
};

static void moves_done(struct moves *moves)
{
	arena_done(&moves->arena);
}
#define _cleanup_moves_ _cleanup_(moves_done)

static int add_move(const struct store *store, struct moves *moves, struct slice old_name,
	struct slice new_name)
{
	char separator = store->settings.hierarchy_separator;
	struct move *move = &moves->moves[moves->n];
	int r = name_to_directory(old_name, separator, move->from);

	if (r == 0)
		r = name_to_directory(new_name, separator, move->to);
	move->old_name = old_name;
	move->new_name = new_name;
	moves->n += r == 0;
	return r;
}

/* The mailbox, if it is one, and all below it, parents first. */
static int plan_moves(
	struct store *store, struct slice from, struct slice to, struct moves *ret_moves)
{
	char separator = store->settings.hierarchy_separator;
	const struct tree_entry *entries;
	bool found = false;
	size_t n;
	int r = tree_list(store, &ret_moves->arena, &entries, &n);

	if (r < 0)
		return r;
	ret_moves->moves = arena_array(&ret_moves->arena, n, sizeof *ret_moves->moves);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct slice name = entries[i].name;

		if (!slice_equal(name, from) && !name_is_below(name, from, separator))
			continue;
		found = true;
		if (entries[i].exists)
			r = add_move(store, ret_moves, name,
				arena_format(&ret_moves->arena, "%.*s%.*s", SLICE_FMT(to),
					SLICE_FMT(slice_tail(name, from.n))));
	}
	return r == 0 && !found ? -ENOENT : r;
}

static bool is_moved(const struct moves *moves, const char *directory)
{
	for (size_t i = 0; i < moves->n; i++)
		if (strcmp(moves->moves[i].from, directory) == 0)
			return true;
	return false;
}

static int check_target(const struct store *store, const struct moves *moves, const char *to)
{
	struct stat st;

	if (fstatat(store->root_fd, to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return is_moved(moves, to) ? 0 : -EEXIST;
}

/* Whether the new names are free, or will be. */
static int check_targets(const struct store *store, const struct moves *moves, const char *to)
{
	int r = check_target(store, moves, to);

	for (size_t i = 0; r == 0 && i < moves->n; i++)
		r = check_target(store, moves, moves->moves[i].to);
	return complain(store, to, "looked for", r);
}

static void take_back(const struct store *store, const struct moves *moves, size_t n)
{
	while (n-- > 0) {
		const struct move *move = &moves->moves[n];
		int r = move_directory(store->root_fd, move->to, store->root_fd, move->from);

		(void)complain(store, move->to, "renamed back", r == -EEXIST ? -ENOTEMPTY : r);
	}
}

static int rename_all(const struct store *store, const struct moves *moves)
{
	for (size_t i = 0; i < moves->n; i++) {
		const struct move *move = &moves->moves[i];
		int r = move_directory(store->root_fd, move->from, store->root_fd, move->to);

		if (r < 0) {
			take_back(store, moves, i);
			return complain(store, move->from, "renamed", r);
		}
	}

	int r = make_durable(store, store->root_fd);

	if (r < 0)
		take_back(store, moves, moves->n);
	return complain(store, ".", "synced", r);
}

/* Mailboxes that are not counted may be counted now, or the other way round. */
static void note_quota(struct store *store, const struct moves *moves)
{
	for (size_t i = 0; i < moves->n; i++)
		if (quota_counts_mailbox(store, moves->moves[i].old_name) !=
			quota_counts_mailbox(store, moves->moves[i].new_name)) {
			quota_done(store);
			quota_forget(store);
			return;
		}
}

/* Who has one of the mailboxes open goes on with it, under its new name. */
static void rename_open_ones(struct store *store, const struct moves *moves)
{
	for (struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
		for (size_t i = 0; i < moves->n; i++) {
			const struct move *move = &moves->moves[i];

			if (mailbox->replaced ||
				!slice_equal(mailbox_name(mailbox), move->old_name))
				continue;
			free(mailbox->name);
			mailbox->name = strndup(move->new_name.p, move->new_name.n);
			must(mailbox->name != NULL);
			break; /* the name it has now may be the old one of another */
		}
	store->changes++;
}

int tree_rename(struct store *store, struct slice from, struct slice to)
{
	_cleanup_buf_ struct buf old_name = BUF(NAME_UTF8_BYTES), new_name = BUF(NAME_UTF8_BYTES);
	char separator = store->settings.hierarchy_separator;
	char old_directory[NAME_DIRECTORY_BYTES], new_directory[NAME_DIRECTORY_BYTES];
	_cleanup_moves_ struct moves moves = { 0 };
	int r = name_is_inbox(from) ? -EINVAL
				    : canonical_name(store, from, old_directory, &old_name);

	if (r == 0)
		r = canonical_name(store, to, new_directory, &new_name);
	if (r == 0)
		r = name_check_new(buf_slice(&new_name), separator);
	if (r < 0)
		return r;
	if (name_is_inbox(to) || slice_equal(buf_slice(&old_name), buf_slice(&new_name)))
		return -EEXIST;
	if (name_is_below(buf_slice(&new_name), buf_slice(&old_name), separator))
		return -EINVAL;
	r = plan_moves(store, buf_slice(&old_name), buf_slice(&new_name), &moves);
	if (r == 0)
		r = check_targets(store, &moves, new_directory);
	if (r == 0)
		r = rename_all(store, &moves);
	if (r == 0) {
		rename_open_ones(store, &moves);
		store_event_add(store, STORE_EVENT_RENAMED, buf_slice(&new_name),
			buf_slice(&old_name));
		note_quota(store, &moves);
	}
	return r;
}
