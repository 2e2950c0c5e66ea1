#include "maildir/changes.h"

#include "base/must.h"

#include <stdlib.h>

enum { CHANGES_FIRST = 64 };

void changes_done(struct changes *changes)
{
	free(changes->uids);
	*changes = (struct changes){ 0 };
}

void changes_add(struct changes *changes, uint32_t msg_uid, size_t keep)
{
	if (changes->n >= keep && changes->n > 1) {
		size_t drop = changes->n / 2;

		memmove(changes->uids, changes->uids + drop,
			(changes->n - drop) * sizeof *changes->uids);
		changes->n -= drop;
		changes->first += drop;
	}
	if (changes->n == changes->cap) {
		changes->cap = changes->cap > 0 ? changes->cap * 2 : CHANGES_FIRST;
		changes->uids = realloc(changes->uids, changes->cap * sizeof *changes->uids);
		must(changes->uids != NULL);
	}
	changes->uids[changes->n++] = msg_uid;
}

bool changes_since(
	const struct changes *changes, uint64_t position, const uint32_t **ret_uids, size_t *ret_n)
{
	if (position < changes->first)
		return false;
	must(position <= changes_end(changes));
	*ret_uids = changes->n > 0 ? changes->uids + (position - changes->first) : NULL;
	*ret_n = (size_t)(changes_end(changes) - position);
	return true;
}
