/* cmd_list.h - which mailboxes there are: LIST, LSUB, NAMESPACE, SUBSCRIBE. There is INBOX, and it is always subscribed. */
#pragma once

#include "server/imap/command.h"

/* RFC 3501 sections 6.3.8 and 6.3.9, 3348, 9051 section 6.3.10. */
enum run cmd_list(struct imap *imap);
enum run cmd_lsub(struct imap *imap);
enum run cmd_namespace(struct imap *imap);
enum run cmd_subscribe(struct imap *imap);
