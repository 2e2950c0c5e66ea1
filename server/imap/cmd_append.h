/* cmd_append.h - APPEND, of one message or several. */
#pragma once

#include "server/imap/command.h"

/*
 * Called while the literal of the first message is announced, and not yet accepted: octets go from the input to the
 * store as they come. What can be known before is checked before a literal is invited; where the command fails, the
 * rest of it is read over. All messages are added, or none. RFC 9051 section 6.3.12, 3502, 4315 section 3.
 * Limits  LIMIT_MESSAGE_BYTES for one message.
 */
enum run cmd_append(struct imap *imap);
void end_append(struct imap *imap);
