#include "maildir/name.h"
#include "maildir/store_state.h"
#include "maildir/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

/* Names as they are found. */
struct found {
	struct arena *arena;
	struct slice *names;
	size_t n, allocated;
};

static void add_name(struct found *found, struct slice name)
{
	if (found->n == found->allocated) {
		size_t more = found->allocated ? 2 * found->allocated : 64;
		struct slice *names = arena_array(found->arena, more, sizeof *names);

		if (found->n > 0)
			memcpy(names, found->names, found->n * sizeof *names);
		found->names = names;
		found->allocated = more;
	}
	found->names[found->n++] = arena_copy(found->arena, name);
}

/* Returns 1, 0, or -errno. */
static int is_directory(int root_fd, const struct dirent *e)
{
	struct stat st;

	if (e->d_type != DT_UNKNOWN)
		return e->d_type == DT_DIR;
	if (fstatat(root_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISDIR(st.st_mode);
}

/*
 * A home directory that is the Maildir too has others that begin with a dot; one that cannot be entered may be a mailbox.
 * Returns 1, 0, or -errno.
 */
static int has_cur(int root_fd, const char *name)
{
	char path[2 * NAME_DIRECTORY_BYTES];
	struct stat st;

	snprintf(path, sizeof path, "%s/cur", name);
	if (fstatat(root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno == EACCES)
		return 1;
	return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 0 : -errno;
}

/* A mailbox that is left out by a fault would be left behind by a RENAME: so a fault ends it all. */
static int add_entry(const struct store *store, const struct dirent *e, struct found *found)
{
	_cleanup_buf_ struct buf name = BUF(NAME_UTF8_BYTES);

	if (strcmp(e->d_name, ".") == 0 || name_from_directory(slice_str(e->d_name),
						   store->settings.hierarchy_separator, &name) < 0)
		return 0;

	int r = is_directory(store->root_fd, e);

	if (r > 0)
		r = has_cur(store->root_fd, e->d_name);
	if (r > 0)
		add_name(found, buf_slice(&name));
	return r < 0 ? r : 0;
}

static int find_all(const struct store *store, struct found *found)
{
	DIR *dir;
	int r = dirs_open_entries(store->root_fd, ".", &dir);

	if (r < 0)
		return r;
	add_name(found, SLICE("INBOX"));

	struct dirent *e = NULL;

	while (r == 0 && (errno = 0, e = readdir(dir)))
		r = add_entry(store, e, found);
	if (r == 0)
		r = -errno;
	closedir(dir);
	return r;
}

static int compare(const void *a, const void *b, void *separator)
{
	return name_compare(*(const struct slice *)a, *(const struct slice *)b, *(char *)separator);
}

/* The levels of name that the name before it in order does not share, but for the last one. */
static size_t missing_parents(
	struct slice before, struct slice name, char separator, struct tree_entry *ret_entries)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n; i++) {
		struct slice parent = slice_head(name, i);

		if (name.p[i] != separator || slice_equal(before, parent) ||
			name_is_below(before, parent, separator))
			continue;
		if (ret_entries)
			ret_entries[n] = (struct tree_entry){ .name = parent };
		n++;
	}
	return n;
}

/* Fill entries, or, with NULL, only count them. */
static size_t fill(const struct found *found, char separator, struct tree_entry *entries)
{
	struct slice before = { NULL, 0 };
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++) {
		n += missing_parents(
			before, found->names[i], separator, entries ? entries + n : NULL);
		if (entries)
			entries[n] = (struct tree_entry){ found->names[i], true, false };
		n++;
		before = found->names[i];
	}
	for (size_t i = 1; entries && i < n; i++)
		entries[i - 1].has_children =
			name_is_below(entries[i].name, entries[i - 1].name, separator);
	return n;
}

int tree_list(struct store *store, struct arena *arena, const struct tree_entry **ret_entries,
	size_t *ret_n)
{
	char separator = store->settings.hierarchy_separator;
	struct found found = { .arena = arena };
	int r = find_all(store, &found);

	if (r < 0) {
		log_line(store->log, LOG_PRIORITY_ERROR, "maildir %s: %s", store->settings.path,
			strerror(-r));
		return r;
	}
	qsort_r(found.names, found.n, sizeof *found.names, compare, &separator);

	struct tree_entry *entries =
		arena_array(arena, fill(&found, separator, NULL), sizeof *entries);

	*ret_n = fill(&found, separator, entries);
	*ret_entries = entries;
	return 0;
}
