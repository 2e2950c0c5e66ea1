/* cmd_any.h - commands of every state: CAPABILITY, NOOP, CHECK, LOGOUT, ID; and COMPRESS, ENABLE. */
#pragma once

#include "server/imap/command.h"

/* Each runs the command of its name; run of struct command_type. RFC 9051 sections 6.1, 6.3.1; 2971; 3501 section 6.4.1. */
enum run cmd_capability(struct imap *imap);
enum run cmd_noop(struct imap *imap);
enum run cmd_logout(struct imap *imap);
enum run cmd_id(struct imap *imap);
enum run cmd_language(struct imap *imap); /* RFC 5255 section 3 */
enum run cmd_compress(struct imap *imap); /* RFC 4978 */
/* Nothing that is offered needs enabling yet: the list of what was enabled is empty, as RFC 5161 section 3.2 asks. */
enum run cmd_enable(struct imap *imap);
