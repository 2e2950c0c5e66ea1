/* cmd_mailbox.h - changing the tree of mailboxes: CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. */
#pragma once

#include "server/imap/command.h"

/*
 * RFC 9051 sections 6.3.4 to 6.3.8. A mailbox that this connection has selected may be deleted: it is closed then, with
 * [CLOSED]; other connections that have it selected end. RENAME of INBOX moves its messages. SUBSCRIBE wants a mailbox
 * that is there.
 */
enum run cmd_create(struct imap *imap);
void end_create(struct imap *imap);
enum run cmd_delete(struct imap *imap);
enum run cmd_rename(struct imap *imap);
void end_rename(struct imap *imap);
enum run cmd_subscribe(struct imap *imap);
enum run cmd_unsubscribe(struct imap *imap);
