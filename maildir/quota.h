/* quota.h - the text of maildirsize, the quota of Maildir++: limits, and what is used. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

#include <stdint.h>

/*
 *   maildirsize = limits LF *(sum LF)
 *   limits      = [limit *("," limit)]           limit: number "S" (bytes) or number "C" (messages); 0 is none
 *   sum         = *SP ["-"] bytes 1*SP ["-"] messages *SP
 *
 * What is used is the total of all sums: the first is a count of everything, each later one a change. Programs append
 * lines with one write, and count anew now and then: Dovecot, Courier, delivery agents and we share the file. A total
 * below zero says that it must be counted anew.
 */
enum { QUOTA_FILE_MAX_BYTES = 5120, QUOTA_LINE_BYTES = 64 }; /* a longer file is to be counted anew */

struct quota_limits {
	uint64_t bytes, messages; /* 0: no limit */
};

struct quota_sum {
	int64_t bytes, messages;
};

struct quota_text {
	struct quota_limits limits;
	struct quota_sum used;
	size_t limits_bytes; /* of the first line, with its end */
	size_t sums;         /* lines behind it */
};

/*
 * Read the whole file.
 * Returns false if the sums are not to be relied on: none, one that is no sum, one that is not finished, a total below
 *         zero or beyond 63 bits. *ret_text->limits is set even then, as far as the first line can be read.
 */
bool quota_parse(struct slice text, struct quota_text *ret_text);

/* Whether a sum is beyond a limit. */
bool quota_is_over(const struct quota_limits *limits, const struct quota_sum *used);

static inline bool quota_limits_any(const struct quota_limits *limits)
{
	return limits->bytes > 0 || limits->messages > 0;
}

static inline bool quota_limits_equal(const struct quota_limits *a, const struct quota_limits *b)
{
	return a->bytes == b->bytes && a->messages == b->messages;
}

/* Append a file that was counted just now. Returns 0, or -ENOBUFS. */
_must_check_ int quota_format(
	const struct quota_limits *limits, const struct quota_sum *used, struct buf *out);

/* Append the line of a change. Returns 0, or -ENOBUFS. */
_must_check_ int quota_format_sum(const struct quota_sum *change, struct buf *out);
