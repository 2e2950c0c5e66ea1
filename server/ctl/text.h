/* text.h - a reply for people: aligned tables, durations and dates in words. Pure. */
#pragma once

#include "server/ctl/reply.h"

/* Append "350 ms", "12 s", "3 min", "2 h 5 min", "3 d 4 h": the two largest units. Returns 0 or -ENOBUFS. */
_must_check_ int text_add_duration(struct buf *out, uint64_t usec);

/* Append "2027-01-30 (70 days left)" or "2026-11-20 (1 d 3 h ago)", the date in local time. Returns 0 or -ENOBUFS. */
_must_check_ int text_add_time(struct buf *out, uint64_t usec, uint64_t now_usec);

/*
 * Append the tables, each headed by its name if there are several, and the messages; not the errors. Of several tables,
 * one with a single row that is too wide for a line becomes a list of its fields.
 * Columns are aligned, numbers and durations to the right; an empty cell is "-". Control characters and bytes that are not
 * UTF-8 become "?", so that a name cannot send commands to the terminal.
 * Returns 0 or -ENOBUFS.
 */
_must_check_ int text_add_reply(struct buf *out, const struct reply *reply, uint64_t now_usec);

/* Append a line as text_add_reply() does messages. Returns 0 or -ENOBUFS. */
_must_check_ int text_add_line(struct buf *out, struct slice line);
