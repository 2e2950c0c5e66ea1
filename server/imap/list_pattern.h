/* list_pattern.h - the canonical patterns of a LIST or LSUB: which names match. */
#pragma once

#include "server/imap/command.h"

struct list_pattern {
	struct slice text;
	bool utf8; /* written as UTF-8; else it is compared with names in modified UTF-7 */
};

struct list_patterns {
	const struct list_pattern *patterns;
	size_t n;
	size_t bytes; /* of all: what comparing a name costs */
};

/* The patterns of the arguments, each behind the reference (RFC 9051 section 6.3.9). Made in the command's arena. */
struct list_patterns list_patterns_make(struct imap *imap, const struct list_arguments *arguments);

/* Whether a name matches any. */
bool list_patterns_match(
	const struct imap *imap, const struct list_patterns *patterns, struct slice name);

/* Whether a name matches one that ends in "%", which finds levels of hierarchy that are no mailboxes. */
bool list_patterns_match_level(
	const struct imap *imap, const struct list_patterns *patterns, struct slice name);

/* Take what comparing a name costs off the budget. Returns RUN_DONE; RUN_OUTPUT, RUN_STEP: wait before it. */
enum run list_patterns_wait(struct imap *imap, const struct list_patterns *patterns);
