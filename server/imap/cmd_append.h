/* cmd_append.h - APPEND, of one message or several, whole or put together of parts; and REPLACE. */
#pragma once

#include "server/imap/command.h"

/*
 * Called while the first literal of a message is announced, and not yet accepted, or when the whole command has come: octets go
 * from the input, or from other messages, to the store as they come. What can be known before is checked before a
 * literal is invited; where the command fails, the rest of it is read over. All messages are added, or none.
 * RFC 9051 section 6.3.12, 3502, 4315 section 3, 3516 section 4.4, 4469, 5550 section 5.7.1, 8508.
 * Limits  LIMIT_MESSAGE_BYTES for one message.
 */
enum run cmd_append(struct imap *imap);
void end_append(struct imap *imap);
