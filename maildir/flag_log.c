/* A change leads to the one before it by modseq_before: where one is missing, the chain breaks, and nothing is known. */
#include "maildir/flag_log.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 512, REMEMBERED = 4 };

void flag_log_done(struct flag_log *log)
{
	free(log->changes);
	*log = (struct flag_log){ 0 };
}

static struct flag_log_change *class_of(const struct flag_log *log, uint32_t msg_uid)
{
	return &log->changes[(size_t)(msg_uid % CLASSES) * REMEMBERED];
}

void flag_log_add(struct flag_log *log, const struct flag_log_change *change)
{
	struct flag_log_change *of_class;

	if (!log->changes) {
		log->changes = calloc(CLASSES * REMEMBERED, sizeof *log->changes);
		must(log->changes != NULL);
	}
	of_class = class_of(log, change->msg_uid);
	memmove(&of_class[1], &of_class[0], (REMEMBERED - 1) * sizeof *of_class);
	of_class[0] = *change;
}

bool flag_log_since(const struct flag_log *log, uint32_t msg_uid, uint64_t modseq, uint64_t since,
	uint32_t *ret_flags, uint64_t *ret_keywords)
{
	uint32_t flags = 0;
	uint64_t keywords = 0;

	for (size_t i = 0; i < REMEMBERED && log->changes && modseq > since; i++) {
		const struct flag_log_change *change = &class_of(log, msg_uid)[i];

		if (change->msg_uid != msg_uid || change->modseq != modseq)
			continue;
		flags |= change->flags;
		keywords |= change->keywords;
		modseq = change->modseq_before;
	}
	if (modseq > since)
		return false;
	*ret_flags = flags;
	*ret_keywords = keywords;
	return true;
}
