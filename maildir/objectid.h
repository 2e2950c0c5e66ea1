/* objectid.h - ids of mailboxes, messages and threads, made of what does not change. Pure. RFC 8474. */
#pragma once

#include "base/slice.h"

enum { OBJECTID_BYTES = 34 };

/* What an id is of: its first character. */
enum objectid_kind { OBJECTID_MAILBOX = 'B', OBJECTID_EMAIL = 'M', OBJECTID_THREAD = 'T' };

/*
 * Write the id that follows from a name: the kind and 32 hex digits, NUL-terminated. The same on any host, always.
 * RFC 8474 section 7, objectid: 1 to 255 letters, digits, "_" and "-".
 */
void objectid_format(enum objectid_kind kind, struct slice name, char ret_id[OBJECTID_BYTES]);
