/* capability.h - the one table of what this server can do after login. Pure. */
#pragma once

#include "server/wire/writer.h"

/* What a connection changed by ENABLE, or by a command that enables (RFC 5161; 7162 section 3.1). Bits. */
enum imap_enabled {
	ENABLED_REV2 = 1 << 0,      /* RFC 9051 */
	ENABLED_CONDSTORE = 1 << 1, /* RFC 7162 section 3.1 */
	ENABLED_QRESYNC = 1 << 2,   /* RFC 7162 section 3.2; CONDSTORE is set too */
	ENABLED_UIDONLY = 1 << 3,   /* RFC 9586 */
	ENABLED_UTF8 = 1 << 4,      /* RFC 6855 */

	ENABLED_UTF8_NAMES = ENABLED_REV2 | ENABLED_UTF8, /* any of them: mailbox names are UTF-8 */
};

/* One thing a client may rely on, in every state after login. */
struct capability {
	const char *name;
	const char *rfc;
	unsigned enables; /* enum imap_enabled: what ENABLE of it sets; 0: it cannot be enabled */
	uint64_t value;   /* "NAME=value"; 0: none */
};

/* The rows, for tests and for documentation; NULL behind the last. */
const struct capability *capability_row(size_t i);

/* The row of a name, in any case, that can be enabled; NULL: none. */
const struct capability *capability_to_enable(struct slice name);

/* Append all of them, separated by spaces. RFC 9051 section 7.2.2. */
void capability_write(struct writer *w);
