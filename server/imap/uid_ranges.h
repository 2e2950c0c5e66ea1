/* uid_ranges.h - from UIDs to sequence numbers of a view and back, by ranges. */
#pragma once

#include "maildir/view.h"
#include "server/wire/seqset.h"

/* The sequence numbers of those of the UIDs that are in the view, ascending, made in the arena. */
struct seq_ranges uid_ranges_to_seqnums(
	const struct view *view, const struct seq_ranges *uids, struct arena *arena);

/* The UIDs of sequence numbers, all at most view_exists(). */
struct seq_ranges uid_ranges_of(
	const struct view *view, const struct seq_ranges *seqnums, struct arena *arena);
