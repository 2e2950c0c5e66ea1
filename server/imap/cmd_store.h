/* cmd_store.h - STORE and UID STORE: changing flags. */
#pragma once

#include "server/imap/command.h"

/*
 * Changes that others made are told first, so that .SILENT hides nothing but the client's own (RFC 9051 section 6.4.6).
 * Where messages are gone: RFC 2180 section 4.2.
 */
enum run cmd_store(struct imap *imap);
