/* cmd_multisearch.h - ESEARCH: a search through several mailboxes, one after the other. */
#pragma once

#include "server/imap/command.h"

/* RFC 7377. */
enum run cmd_multisearch(struct imap *imap);
void end_multisearch(struct imap *imap);
