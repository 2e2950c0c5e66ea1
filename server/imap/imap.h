/* imap.h - the IMAP engine of one connection that is logged in. No sockets, no clock. */
#pragma once

#include "base/language.h"
#include "base/log.h"
#include "maildir/store.h"
#include "server/wire/engine.h"

struct imap_settings {
	struct store *store;
	const struct log *log; /* for faults that are the server's; lines begin with log_prefix */
	const char *user;      /* for logs only */
	const char *version;   /* of the server, for ID */
	uint32_t message_limit; /* of one command; 0: LIMIT_COMMAND_MESSAGES. RFC 9738 */
	enum language language; /* to begin with: that the client asked for before it logged in (RFC 5255 section 3.1) */
	const char *admin;     /* a URI: METADATA /shared/admin; "" or NULL: none */
};

/* Append the capability list after login, without "CAPABILITY ": for the answer to the login. RFC 9051 section 7.2.2. */
void imap_capability_text(struct buf *out);

/* Make an engine in authenticated state. settings and the store outlive it. */
struct engine *imap_new(const struct imap_settings *settings);
