/* cmd_refused.h - commands that are understood and never succeed here: mailboxes cannot be made or removed. */
#pragma once

#include "server/imap/command.h"

/* Answer NO with the reason that stands in a table. RFC 5530 section 3. */
enum run cmd_refused(struct imap *imap);
