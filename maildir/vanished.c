#include "maildir/vanished.h"

#include "base/must.h"
#include "maildir/uid_array.h"

#include <errno.h>
#include <stdlib.h>

enum { ENTRIES_FIRST = 64 };
static const uint64_t NOT_YET = UINT64_MAX;

void vanished_done(struct vanished *vanished)
{
	free(vanished->entries);
	*vanished = (struct vanished){ 0 };
}

void vanished_reset(struct vanished *vanished, uint64_t modseq)
{
	vanished_done(vanished);
	vanished->complete_from = modseq;
}

void vanished_add(struct vanished *vanished, uint32_t msg_uid)
{
	if (vanished->n == vanished->cap) {
		vanished->cap = vanished->cap > 0 ? vanished->cap * 2 : ENTRIES_FIRST;
		vanished->entries = reallocarray(
			vanished->entries, vanished->cap, sizeof *vanished->entries);
		must(vanished->entries != NULL);
	}
	vanished->entries[vanished->n++] = (struct vanished_entry){ NOT_YET, msg_uid };
}

/* What shares a modseq with the last one dropped is of no use alone: a query at that modseq has all above it. */
static void drop_oldest(struct vanished *vanished, size_t n)
{
	vanished->complete_from = vanished->entries[n - 1].modseq;
	vanished->n -= n;
	memmove(vanished->entries, vanished->entries + n, vanished->n * sizeof *vanished->entries);
}

void vanished_stamp(struct vanished *vanished, uint64_t modseq, size_t keep)
{
	must(modseq < NOT_YET);
	for (size_t i = vanished->n; i > 0 && vanished->entries[i - 1].modseq == NOT_YET; i--)
		vanished->entries[i - 1].modseq = modseq;
	if (vanished->n > keep)
		drop_oldest(vanished, vanished->n - keep / 2);
}

static size_t first_above(const struct vanished *vanished, uint64_t modseq)
{
	size_t low = 0, high = vanished->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (vanished->entries[mid].modseq <= modseq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int vanished_since(const struct vanished *vanished, uint64_t modseq, struct arena *arena,
	const uint32_t **ret_uids, size_t *ret_n)
{
	if (modseq < vanished->complete_from)
		return -ENODATA;

	size_t first = first_above(vanished, modseq), n = 0;
	uint32_t *uids = arena_array(arena, vanished->n - first + 1, sizeof *uids);

	for (size_t i = first; i < vanished->n; i++)
		uids[n++] = vanished->entries[i].msg_uid;
	qsort(uids, n, sizeof *uids, uid_compare);

	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || uids[kept - 1] != uids[i])
			uids[kept++] = uids[i];
	*ret_uids = uids;
	*ret_n = kept;
	return 0;
}
