/* control.h - what restantectl and the master say to each other over the control socket. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/slice.h"

/*
 * A UNIX stream socket, mode 0600, root's (or the ordinary user's who runs the server). One request a connection.
 * Request: one line, "VERB", then its arguments, separated by TAB, ended by LF, at most CONTROL_REQUEST_BYTES.
 * Reply, lines of TAB-separated fields ended by LF; TAB, LF and backslash inside a field are written \t \n \\ :
 *
 *   T NAME COLUMN...   a table begins; a column is a name and a type: "user:s" string, "pid:n" number,
 *                      "ok:b" 0 or 1, "idle:u" duration in microseconds, "expires:t" wall clock in microseconds,
 *                      0: never
 *   R FIELD...         a row of it
 *   E TEXT             an error; exit status 1
 *   M TEXT             a message for a person
 *   .                  the end; a reply without it was cut off
 *
 * Verbs: "status"; "who"; "kick" "user" NAME, "kick" "id" NUMBER (of `who`); "reload", which is answered when its outcome is known.
 */
enum { CONTROL_REQUEST_BYTES = 4096, CONTROL_REPLY_BYTES = 64 * 1024 * 1024 };

/* Append one line: a letter, then n fields, escaped. Returns 0 or -ENOBUFS. */
_must_check_ int control_add_line(struct buf *out, char letter, const struct slice *fields, size_t n);

/* Take the next field off a line (without its LF), unescaped in place. Returns false at the end of the line. */
bool control_take_field(struct slice *line, struct slice *ret_field);
