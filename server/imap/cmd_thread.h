/* cmd_thread.h - THREAD: the messages that match, as trees of who answers whom. */
#pragma once

#include "server/imap/command.h"

/* With its UID form. RFC 5256 section 3; thread.h has the algorithms. */
enum run cmd_thread(struct imap *imap);
void end_thread(struct imap *imap);
