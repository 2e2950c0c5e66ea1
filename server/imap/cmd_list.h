/* cmd_list.h - which mailboxes there are: LIST, LSUB, NAMESPACE. */
#pragma once

#include "server/imap/command.h"

/*
 * LIST tells of names that are no mailboxes but have some below them (\Noselect \NonExistent), of children (RFC 3348),
 * and of the special uses that names mean (RFC 6154). RFC 3501 sections 6.3.8 and 6.3.9, 9051 sections 6.3.9 and 6.3.10.
 */
enum run cmd_list(struct imap *imap);
enum run cmd_lsub(struct imap *imap);
enum run cmd_namespace(struct imap *imap);
