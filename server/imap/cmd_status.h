/* cmd_status.h - STATUS: facts about a mailbox without selecting it. */
#pragma once

#include "server/imap/command.h"

/* RFC 9051 section 6.3.11; RECENT as RFC 3501 section 6.3.10 has it. */
enum run cmd_status(struct imap *imap);
void end_status(struct imap *imap);
