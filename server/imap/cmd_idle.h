/* cmd_idle.h - IDLE: changes are told as they happen, until the client says DONE. */
#pragma once

#include "server/imap/command.h"

/* RFC 2177; 9051 section 6.3.13. While it waits engine.idling is true. */
enum run cmd_idle(struct imap *imap);
