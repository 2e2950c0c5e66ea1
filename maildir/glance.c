#include "maildir/glance.h"

#include "maildir/courier_adopt.h"
#include "maildir/keyword_files.h"
#include "maildir/snapshot_found.h"
#include "maildir/store_state.h"

#include <errno.h>

/* What a sync would ask of the directories: sync.c. A look that may come too early for a second change is left to it. */
static bool is_unchanged(int dir_fd, const struct snapshot_found *found, uint64_t now_usec)
{
	const struct snapshot_header *header = &found->header;
	struct stamp cur, new;

	return header->is_whole && !header->cur_young && !header->beyond_stale &&
	       !header->must_rewrite && header->n_in_new == 0 && found->is_same_file &&
	       found->stamp.size == header->read_bytes && dirs_stamp(dir_fd, "cur", &cur) == 0 &&
	       dirs_stamp(dir_fd, "new", &new) == 0 && new.ino == header->new_ino &&
	       stamp_equal(&cur, &header->cur) && stamp_equal(&new, &header->new) &&
	       !stamp_is_young(&new, now_usec, false) &&
	       keyword_files_unchanged(dir_fd, &header->keywords, &header->beyond) &&
	       !courier_adopt_marked(dir_fd);
}

static struct glance glance_of(const struct snapshot_header *header)
{
	struct glance glance = {
		.messages = (uint32_t)header->n,
		.unseen = header->unseen,
		.deleted = header->deleted,
		.recent = header->recent,
		.uidnext = header->uidnext,
		.uidvalidity = header->uidvalidity,
		.highestmodseq = header->highestmodseq,
		.octets = header->octets,
		.unsized = header->unsized,
	};

	memcpy(glance.mailboxid, header->guid, sizeof header->guid);
	return glance;
}

static int look_at(
	struct store *store, const char *dir, uint64_t now_usec, struct glance *ret_glance)
{
	_cleanup_buf_ struct buf name = BUF(NAME_UTF8_BYTES);
	struct keyword_table names = { 0 };
	struct snapshot_found found = { .fd = -1 };
	_cleanup_close_ int dir_fd = dirs_open(store->root_fd, dir, false);
	int r = name_from_directory(slice_str(dir), store->settings.hierarchy_separator, &name);

	if (r < 0 || dir_fd < 0)
		return r < 0 ? r : dir_fd;
	r = -ENODATA;
	if (snapshot_find(store->index, dir_fd, &names, &found) &&
		is_unchanged(dir_fd, &found, now_usec)) {
		*ret_glance = glance_of(&found.header);
		memcpy(ret_glance->name, name.p, name.n);
		r = 0;
	}
	if (found.fd >= 0)
		close(found.fd);
	keyword_table_done(&names);
	return r;
}

int mailbox_glance(struct store *store, struct slice name, uint64_t now_usec,
	struct glance *ret_glance)
{
	char dir[NAME_DIRECTORY_BYTES];
	int r = name_to_directory(name, store->settings.hierarchy_separator, dir);

	if (r < 0)
		return r;
	if (!index_works(store->index) || store_has_open(store, dir))
		return -ENODATA;
	return look_at(store, dir, now_usec, ret_glance);
}
