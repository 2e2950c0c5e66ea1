/*
 * flag_log.h - which flags of which messages changed lately, and when: what a modseq of its own for each flag would tell, as
 * far as it is remembered. Pure. RFC 7162 section 3.1.12.
 */
#pragma once

#include "base/slice.h"

struct flag_log_change {
	uint32_t msg_uid;
	uint32_t flags; /* those that changed */
	uint64_t keywords;
	uint64_t modseq_before, modseq; /* of the message */
};

/* All zeros: nothing is remembered. */
struct flag_log {
	struct flag_log_change *changes; /* some of each class of UIDs, the latest first */
};

void flag_log_done(struct flag_log *log);

/* Remember a change; an older one is forgotten for it. Memory is bounded: 64 KiB. */
void flag_log_add(struct flag_log *log, const struct flag_log_change *change);

/*
 * Find out what changed of a message, whose modseq is given, since it had another.
 * Returns false if that is not known: all may have changed, or the message is newer. Else *ret_flags and *ret_keywords
 *         are what changed at all.
 */
bool flag_log_since(const struct flag_log *log, uint32_t msg_uid, uint64_t modseq, uint64_t since,
	uint32_t *ret_flags, uint64_t *ret_keywords);
