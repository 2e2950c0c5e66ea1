/* cmd_refused.h - commands that are understood and never succeed here: the store gives access to INBOX, to read and to remove. */
#pragma once

#include "server/imap/command.h"

/* Answer NO with the reason that stands in a table. RFC 5530 section 3. */
enum run cmd_refused(struct imap *imap);

/* The same for a command whose literal is not taken: response code and text. */
void refused_reason(const struct command_type *type, const char **ret_code, const char **ret_text);
