/* cmd_search.h - SEARCH and SORT: which messages match, in which order; the answer is SEARCH or SORT, or ESEARCH. */
#pragma once

#include "server/imap/command.h"

/* With their UID forms. RFC 9051 section 6.4.4; 3501 section 6.4.4; 4731; 5182; 5256 section 3; 5267; 7162 section 3.1.5; 9394. */
enum run cmd_search(struct imap *imap);
void end_search(struct imap *imap);
