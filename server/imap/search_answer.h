/* search_answer.h - writes what was found: SEARCH, SORT or ESEARCH, in steps. */
#pragma once

#include "server/imap/command.h"

/* The fields up to mailbox are the caller's to set; the rest starts as zeros. Lives in the arena. */
struct search_answer {
	const char *word;        /* "SEARCH" or "SORT": how it is answered if not by ESEARCH */
	const uint32_t *numbers; /* in their order */
	size_t n;
	bool by_uid;      /* they are UIDs */
	bool extended;    /* ESEARCH, with what returns says */
	unsigned returns; /* enum search_return */
	struct partial partial;
	uint64_t modseq;      /* the highest of the messages told of; 0: none is told (RFC 7162 section 3.1.6; 4731 section 3.2) */
	struct slice mailbox; /* another one than the selected: its name; p NULL: none (RFC 7377 section 2.1) */
	uint32_t uidvalidity; /* with mailbox */

	bool begun;
	size_t at, end; /* of numbers: the next to tell, and where to stop */
};

/* Go on. Returns RUN_DONE: all is told; RUN_OUTPUT. */
enum run search_answer_tell(struct search_answer *answer, struct imap *imap);

/* Those of numbers that "$" stands for from now on: [*ret_first, *ret_last) and the first and last where MIN and MAX say so. RFC 5182 section 2.4; 9394 section 3.2. */
struct seq_ranges search_answer_saved(
	const struct search_answer *answer, const uint32_t *uids, struct arena *arena);
