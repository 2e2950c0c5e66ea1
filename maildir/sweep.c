/*
 * First: which GUIDs do uidlists have? Then one number of the index after the other: if its GUID is none of these, its
 * records go, the one that says whose the number is as the last, so that a sweep that stops half-way goes on another
 * time. One that is open is left alone, whatever its name; where a uidlist cannot be read, all stay.
 */
#include "maildir/sweep.h"

#include "base/arena.h"
#include "base/must.h"
#include "maildir/name.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"
#include "maildir/uidlist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { STEPS_MAX = 64, KEYS = 512 };

struct sweep {
	struct arena arena;
	const struct tree_entry *entries;
	size_t n;
	char (*guids)[INDEX_GUID_CHARS + 1]; /* of each entry, or "" */
};

/* Returns 0: there is none, or it has no GUID yet; -errno. */
static int read_guid(const struct store *store, struct slice name, char ret_guid[INDEX_GUID_CHARS + 1])
{
	char dir[NAME_DIRECTORY_BYTES], bytes[UIDLIST_HEADER_MAX_BYTES];
	struct uidlist_header header;
	int r = name_to_directory(name, store->settings.hierarchy_separator, dir);

	if (r < 0)
		return r;

	_cleanup_close_ int dir_fd = dirs_open(store->root_fd, dir, false);
	_cleanup_close_ int fd = dir_fd < 0 ? -1
					    : openat(dir_fd, UIDLIST_NAME,
						      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (dir_fd < 0 || fd < 0)
		return (dir_fd < 0 ? -dir_fd : errno) == ENOENT ? 0 : -EIO;

	ssize_t n = dirs_read_at(fd, bytes, sizeof bytes, 0);
	ssize_t end = n > 0 ? slice_find(slice_from(bytes, (size_t)n), '\n') : -1;

	if (n < 0)
		return (int)n;
	if (end >= 0 && uidlist_parse_header(slice_from(bytes, (size_t)end), &header))
		snprintf(ret_guid, INDEX_GUID_CHARS + 1, "%s", header.guid);
	return 0;
}

/* Returns whether all are known. */
static bool look(struct store *store, struct sweep *sweep)
{
	if (tree_list(store, &sweep->arena, &sweep->entries, &sweep->n) < 0)
		return false;
	sweep->guids = calloc(sweep->n + 1, sizeof *sweep->guids);
	must(sweep->guids != NULL);
	for (size_t i = 0; i < sweep->n; i++)
		if (sweep->entries[i].exists &&
			read_guid(store, sweep->entries[i].name, sweep->guids[i]) < 0)
			return false;
	return true;
}

static bool is_there(const struct store *store, const struct sweep *sweep, struct slice guid)
{
	for (const struct mailbox *mailbox = store->mailboxes; mailbox; mailbox = mailbox->next)
		if (slice_equal(slice_str(mailbox->uidlist.header.guid), guid))
			return true;
	for (size_t i = 0; i < sweep->n; i++)
		if (slice_equal(slice_str(sweep->guids[i]), guid))
			return true;
	return false;
}

/* Delete some of what it has. Returns whether there may be more. */
static bool delete_some(struct index *index, uint32_t number)
{
	static const enum index_table tables[] = { INDEX_CARDS, INDEX_DIGESTS,
		INDEX_MESSAGES, INDEX_NAMES };
	struct slice record;

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		uint64_t key = 0;

		if (index_next(index, tables[i], number, &key, &record) == 0) {
			index_delete(index, tables[i], number, 0, key + KEYS);
			return true;
		}
	}
	index_delete(index, INDEX_EXPUNGED, number, 0, UINT64_MAX); /* LIMIT_EXPUNGE_LOG at most */
	index_delete(index, INDEX_HEADERS, number, 0, UINT64_MAX);
	index_delete(index, INDEX_MAILBOXES, 0, number, number);
	return false;
}

static void remove_gone(struct store *store, const struct sweep *sweep)
{
	uint64_t number = 0;
	struct slice guid;

	for (int steps = 0; steps < STEPS_MAX; steps++) {
		while (index_next(store->index, INDEX_MAILBOXES, 0, &number, &guid) == 0 &&
			is_there(store, sweep, guid))
			number++;
		if (index_get(store->index, INDEX_MAILBOXES, 0, number, &guid) < 0)
			return;
		if (!delete_some(store->index, (uint32_t)number))
			number++;
	}
}

void sweep_index(struct store *store)
{
	struct sweep sweep = { 0 };

	if (index_works(store->index) && look(store, &sweep))
		remove_gone(store, &sweep);
	arena_done(&sweep.arena);
	free(sweep.guids);
}
