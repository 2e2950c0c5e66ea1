/* search_context.h - searches whose client is told when their result changes: UPDATE of SEARCH and SORT (RFC 5267). */
#pragma once

#include "server/imap/search_look.h"
#include "server/imap/search_sort.h"

struct context;

/* Of one connection, while its mailbox is selected. All zeros: none. */
struct contexts {
	struct context *first;
	unsigned n;
	struct context *now; /* the one that is looked at in an update */
};

/*
 * Call it when a search of these arguments begins, before anything is told: that of messages MODSEQ is to be told, in its
 * answer or in updates, enables CONDSTORE. RFC 7162 section 3.1.
 */
void search_enable_condstore(struct imap *imap, const struct search_arguments *arguments);

/* Whether there is one of that tag. */
bool contexts_have(const struct contexts *contexts, struct slice tag);

/*
 * Keep the search of the command under way, whose result is n UIDs; of a SORT in order, with their keys: sort's numbers
 * in that order. Tells NO [NOUPDATE] where it cannot be kept.
 * Limits   LIMIT_CONTEXTS; of sorted results CONTEXT_SORTED_MAX.
 */
struct context_result {
	const uint32_t *uids;
	size_t n;
	const struct search_sort *sort; /* NULL: SEARCH */
	const uint32_t *order;
};
enum { CONTEXT_SORTED_MAX = 200 * 1000 };
void contexts_add(struct imap *imap, const struct context_result *result);

/* CANCELUPDATE: drop the one of that tag. Returns whether there was one. */
bool contexts_cancel(struct imap *imap, struct slice tag);
void contexts_done(struct imap *imap);

/*
 * Tell which results are expunged: before the EXPUNGE of the same changes, whose sequence numbers are still valid then.
 * Returns RUN_DONE, RUN_OUTPUT.
 */
enum run contexts_tell_expunged(struct imap *imap, const struct view_changes *changes);

/*
 * Look at every message that is new in the view, or changed, and tell which came to the results or went: behind EXISTS and
 * FETCH. Of new messages that came to the results what UPDATE asks for is told before (RFC 5465 section 7).
 *
 * RFC 5465 sections 5.2 and 7 want what NOTIFY asks for behind ADDTO and what UPDATE asks for before it, and at the same
 * time one FETCH for both: two are told, each in its place.
 *
 * Returns RUN_DONE, RUN_OUTPUT, RUN_STEP, RUN_RETRY, RUN_CLOSE.
 */
enum run contexts_tell_changed(struct imap *imap);

/* CANCELUPDATE. RFC 5267 section 4.3.5. */
enum run cmd_cancelupdate(struct imap *imap);
