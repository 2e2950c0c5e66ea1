/* grammar_date.h - dates as IMAP commands and responses write them. Pure; no time zone of the host is looked at. */
#pragma once

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/slice.h"

/*
 * Take a date ("1-Feb-1994", quoted or not) off the front of *in.
 * Returns PARSE_OK: *ret_days since 1970-01-01 are set; PARSE_BAD: not one, or no such day.
 * RFC     9051 section 9, date.
 */
_must_check_ enum parse grammar_date(struct slice *in, int64_t *ret_days);

/*
 * Take a date-time ("\" 1-Feb-1994 21:52:25 -0800\"", with its quotes) off the front of *in.
 * Returns PARSE_OK: *ret_seconds since 1970 are set; PARSE_BAD. RFC 9051 section 9, date-time.
 */
_must_check_ enum parse grammar_date_time(struct slice *in, int64_t *ret_seconds);

enum { DATE_TIME_TEXT_BYTES = 29 };

/*
 * Write seconds since 1970 as a date-time with its quotes, in Universal Time ("+0000"): DATE_TIME_TEXT_BYTES, of which
 * the last is a NUL. Years outside 0 to 9999 are shown as the nearest of them.
 */
void date_time_format(int64_t seconds, char ret_text[DATE_TIME_TEXT_BYTES]);
