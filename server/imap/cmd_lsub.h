/* cmd_lsub.h - LSUB: the subscribed names. RFC 3501 section 6.3.9. */
#pragma once

#include "server/imap/command.h"

enum run cmd_lsub(struct imap *imap);
