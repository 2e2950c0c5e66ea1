/* json.h - a reply as one JSON object (RFC 8259). Pure. */
#pragma once

#include "server/ctl/reply.h"

/*
 * Append a string with its quotes; bytes that are not UTF-8 become U+FFFD.
 * Returns 0 or -ENOBUFS.
 */
_must_check_ int json_add_string(struct buf *out, struct slice s);

/*
 * Append an object: of each table its name and an array of its rows, each an object; "messages" and "errors", arrays of
 * strings, if there are any. A number stays one, 0 and 1 become false and true, a duration becomes seconds, a time
 * the RFC 3339 text in UTC; what is no such value becomes null if it is empty, else a string.
 * Returns 0 or -ENOBUFS.
 */
_must_check_ int json_add_reply(struct buf *out, const struct reply *reply);
