/* write_mailbox.h - mailbox names in responses. Pure. */
#pragma once

#include "server/wire/writer.h"

/*
 * Append a name, as atom or string: in modified UTF-7 (RFC 3501 section 5.1.3), or as it is where the writer may write
 * UTF-8. name is UTF-8, of LIMIT_PATH_BYTES at most: as the store gives it, or grammar_mailbox().
 */
void write_mailbox(struct writer *w, struct slice name);
