/* cmd_select.h - opening and leaving a mailbox: SELECT, EXAMINE, CLOSE, UNSELECT. */
#pragma once

#include "server/imap/command.h"

/* A mailbox that was open before is left first, whatever comes of it (RFC 9051 section 6.3.2). */
enum run cmd_select(struct imap *imap);
enum run cmd_examine(struct imap *imap);
void end_select(struct imap *imap);

/* CLOSE removes what is marked \Deleted, silently, if the mailbox was SELECTed (RFC 9051 section 6.4.1). */
enum run cmd_close(struct imap *imap);
enum run cmd_unselect(struct imap *imap);
