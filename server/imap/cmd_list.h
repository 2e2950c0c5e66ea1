/* cmd_list.h - which mailboxes there are: LIST, NAMESPACE. */
#pragma once

#include "server/imap/command.h"

/*
 * LIST, extended or not. Children are always told of (RFC 3348), special uses in the basic syntax, too (RFC 6154 section 2). A
 * level that is no mailbox is told by the basic syntax, and by the extended one where a pattern ends in "%". A name that only has subscribed ones or special uses
 * below it is told with CHILDINFO where RECURSIVEMATCH asks for it. STATUS and METADATA follow the LIST of their mailbox; one
 * that cannot be opened is \Noselect. RFC 9051 sections 6.3.9 and 6.3.10; 5258; 5819; 6154; 9590.
 */
enum run cmd_list(struct imap *imap);
void end_list(struct imap *imap);
enum run cmd_namespace(struct imap *imap);
