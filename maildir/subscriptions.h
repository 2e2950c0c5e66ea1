/* subscriptions.h - the mailboxes that mail programs are to show: the file "subscriptions" in the root, shared with Dovecot. */
#pragma once

#include "base/arena.h"
#include "maildir/store.h"

/*
 * The subscribed names, in the order of name_compare(), each once; lines that are no names are left out. Where there is
 * no such file yet, Courier's (courierimapsubscribed) counts. The mailboxes may not exist (RFC 9051 section 6.3.7).
 * Allocated in arena. Returns 0; -EFBIG: above LIMIT_SUBSCRIPTIONS_BYTES; -ELOOP, -EINVAL: not a regular file; -errno,
 * logged.
 */
_must_check_ int subscriptions_read(
	struct store *store, struct arena *arena, struct slice **ret_names, size_t *ret_n);

/*
 * Add a name or take it out; nothing changes if it is so already. The file stays in its version, a new one is version
 * 2; lines that are not understood are kept. Durable before it returns, but with fsync = never.
 * Returns as struct work; -EINVAL, -ENAMETOOLONG: not a name; -EFBIG, -ELOOP, -errno as subscriptions_read().
 */
_must_check_ int subscriptions_change(
	struct store *store, struct slice name, bool subscribed, struct work *work);
