/* pop3.h - the POP3 engine of one connection in TRANSACTION state. No sockets, no clock. RFC 1939 section 5. */
#pragma once

#include "base/log.h"
#include "maildir/store.h"
#include "server/wire/engine.h"

struct pop3_settings {
	struct store *store;
	const struct log *log;
	const char *user;    /* for logs only */
};

/*
 * Make an engine that first opens the maildrop: its step answers ENGINE_STEP or ENGINE_RETRY while the mailbox
 * is being read and puts nothing out; pop3_opened() tells when that is over. The caller holds the maildrop lock
 * (store_lock_maildrop) before, and releases it after free.
 */
struct engine *pop3_new(const struct pop3_settings *settings);

/* How opening the maildrop stands: -EINPROGRESS; 0: open, *ret_messages and *ret_octets are set; other -errno: it cannot be opened. */
_must_check_ int pop3_opened(const struct engine *engine, uint32_t *ret_messages, uint64_t *ret_octets);
