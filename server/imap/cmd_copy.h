/* cmd_copy.h - COPY, MOVE and their UID forms. */
#pragma once

#include "server/imap/command.h"

/*
 * All messages of the set, or none (RFC 9051 section 6.4.7). Where messages of a set of sequence numbers are gone, none
 * (RFC 2180 section 4.4); UIDs that are gone are left out. COPYUID: RFC 4315 section 3.
 */
enum run cmd_copy(struct imap *imap);

/* The same, and the messages are removed; COPYUID comes before their EXPUNGE. RFC 6851 sections 3, 4.3. */
enum run cmd_move(struct imap *imap);

void end_copy(struct imap *imap);
