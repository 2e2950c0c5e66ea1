/* output.h - what restantectl says: on standard output for people or as JSON, errors beside it. */
#pragma once

#include "server/ctl/reply.h"

/*
 * Write all bytes to standard output. Returns 0, or 1 for the exit status if they cannot be written; a reader
 * that went away is no reason for words.
 */
_must_check_ int output_write(struct slice bytes);

/* Show a reply; errors go to standard error, with json into the object. Returns the exit status: 1 if there was an error. */
_must_check_ int output_reply(const struct reply *reply, bool json);

/* Show one error in the same ways. Returns 1. */
_must_check_ int output_error(bool json, const char *format, ...) _printf_(2, 3);
