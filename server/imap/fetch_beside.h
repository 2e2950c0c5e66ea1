/* fetch_beside.h - a FETCH that the server begins itself, beside the client's command: of new messages, in updates. */
#pragma once

#include "server/imap/connection.h"

/* All zeros: none is under way. */
struct fetch_beside {
	struct command command;
	struct arena arena;
};

/*
 * Begin to tell those items of the messages of set; none may be under way.
 * by_uid   set is of UIDs, and UID is told with each message; else it is of sequence numbers.
 * Valid    items and set must live until fetch_beside_end().
 */
void fetch_beside_begin(struct fetch_beside *beside, const struct fetch_arguments *items,
	struct slice set, bool by_uid);
bool fetch_beside_is_busy(const struct fetch_beside *beside);

/*
 * Go on with it; nothing if none is under way. Messages that are gone are passed over.
 * Returns RUN_DONE: it is ended; RUN_STEP, RUN_OUTPUT, RUN_RETRY; RUN_CLOSE.
 */
enum run fetch_beside_run(struct imap *imap, struct fetch_beside *beside);

/* Drop what is under way. */
void fetch_beside_end(struct imap *imap, struct fetch_beside *beside);
