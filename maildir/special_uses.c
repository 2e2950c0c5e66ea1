#include "maildir/special_uses.h"

#include "base/must.h"
#include "maildir/metadata_file.h"
#include "maildir/name.h"
#include "maildir/store_state.h"
#include "maildir/tree_change.h"

#include <errno.h>
#include <fcntl.h>

/* Most mailboxes have no annotations: to know that costs one call each. */
static bool has_metadata(const struct store *store, struct slice name)
{
	char directory[NAME_DIRECTORY_BYTES], path[NAME_DIRECTORY_BYTES + sizeof METADATA_NAME + 1];

	if (name_to_directory(name, store->settings.hierarchy_separator, directory) < 0)
		return false;
	snprintf(path, sizeof path, "%s/%s", directory, METADATA_NAME);
	return faccessat(store->root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* Returns 1: something was said of the uses of a mailbox; 0; -errno, logged. */
static int read_said(struct store *store, struct slice name, unsigned *ret_uses)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct metadata_entry *entry;
	struct metadata metadata;

	*ret_uses = 0;
	if (!has_metadata(store, name))
		return 0;

	int r = metadata_read(store, name, &arena, &metadata);

	if (r < 0)
		return r;
	entry = metadata_find(&metadata, SLICE(SPECIAL_USES_ENTRY));
	if (!entry)
		return 0;
	(void)special_use_parse(entry->value, ret_uses);
	return 1;
}

const unsigned *special_uses_find(
	struct store *store, struct arena *arena, const struct tree_entry *entries, size_t n)
{
	unsigned *uses = arena_array(arena, n + 1, sizeof *uses);
	bool *said = arena_array(arena, n + 1, sizeof *said);
	size_t named[SPECIAL_USE_COUNT];
	unsigned taken = 0, best[SPECIAL_USE_COUNT], rank;

	for (size_t i = 0; i < n; i++) {
		/* Of one whose file cannot be read nothing is known: what its name tells may be wrong. */
		said[i] = !entries[i].exists || read_said(store, entries[i].name, &uses[i]) != 0;
		uses[i] &= ~taken; /* two have it only where files were changed by hand */
		taken |= uses[i];
	}
	for (size_t use = 0; use < SPECIAL_USE_COUNT; use++)
		named[use] = n;
	for (size_t i = 0; i < n; i++) {
		if (said[i])
			continue;

		enum special_use use = special_use_of_name(
			entries[i].name, store->settings.hierarchy_separator, &rank);

		if (use != SPECIAL_USE_NONE && !(taken & special_use_bit(use)) &&
			(named[use] == n || rank < best[use])) {
			named[use] = i;
			best[use] = rank;
		}
	}
	for (int use = SPECIAL_USE_NONE + 1; use < SPECIAL_USE_COUNT; use++)
		if (named[use] < n)
			uses[named[use]] |= special_use_bit(use);
	return uses;
}

int special_uses_check(struct store *store, struct slice mailbox_name, unsigned uses)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct tree_entry *entries;
	size_t n;
	int r = tree_list(store, &arena, &entries, &n);

	for (size_t i = 0; r == 0 && uses && i < n; i++) {
		unsigned others;

		if (!entries[i].exists || slice_equal(entries[i].name, mailbox_name))
			continue;
		r = read_said(store, entries[i].name, &others);
		if (r == -ENOENT) /* it is gone meanwhile */
			r = 0;
		if (r > 0)
			r = others & uses ? -EEXIST : 0;
	}
	return r;
}

int special_uses_create(struct store *store, struct slice name, unsigned uses)
{
	_cleanup_buf_ struct buf value = BUF(SPECIAL_USES_TEXT_BYTES), text = BUF(4096);
	_cleanup_arena_ struct arena arena = { 0 };
	struct metadata metadata = metadata_none(&arena);
	int r = special_uses_check(store, name, uses);

	if (r < 0)
		return r == -EEXIST ? -EMLINK : r;
	must(special_use_format(uses, &value) == 0);

	struct metadata_entry entry = { .name = SLICE(SPECIAL_USES_ENTRY),
		.value = slice_from(value.p ? value.p : "", value.n) };

	must(metadata_set(&metadata, &entry) && metadata_format(&metadata, &text) == 0);
	return tree_create_with(store, name,
		&(struct tree_file){ .name = METADATA_NAME, .text = buf_slice(&text) });
}
