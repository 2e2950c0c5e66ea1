/* cmd_search.h - SEARCH and UID SEARCH: which messages match; the answer is SEARCH, or ESEARCH where RETURN was given. */
#pragma once

#include "server/imap/command.h"

/* RFC 9051 section 6.4.4, 3501 section 6.4.4, 4731. */
enum run cmd_search(struct imap *imap);
void end_search(struct imap *imap);
