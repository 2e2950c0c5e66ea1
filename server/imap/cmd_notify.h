/* cmd_notify.h - NOTIFY. RFC 5465 section 3.1. */
#pragma once

#include "server/imap/command.h"

enum run cmd_notify(struct imap *imap);
void end_notify(struct imap *imap);
