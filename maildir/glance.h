/* glance.h - what STATUS tells of a mailbox that nobody has open and nobody changed, from its header in the index alone. */
#pragma once

#include "maildir/name.h"
#include "maildir/objectid.h"
#include "maildir/store.h"

struct glance {
	uint32_t messages, unseen, deleted, recent;
	uint32_t uidnext, uidvalidity;
	uint64_t highestmodseq;
	uint64_t octets; /* RFC822.SIZE of all messages whose size is known */
	uint32_t unsized; /* of so many it is not */
	char mailboxid[OBJECTID_BYTES]; /* as mailbox_mailboxid() */
	char name[NAME_UTF8_BYTES + 1]; /* as mailbox_name() */
};

/*
 * Look whether a mailbox is as the index has it: as mailbox_open() and mailbox_sync() would find it without reading a
 * directory. No message is loaded: a dozen system calls, however large the mailbox is.
 *
 * now_usec as in struct work.
 * Returns 0: *ret_glance is what they would say; -ENODATA: it is open already, or was changed, or the index does not
 *         know: open it; -ENOENT, -EINVAL, another -errno: as mailbox_open() will say.
 * RFC      9051 6.3.11, 8438 (SIZE), 7162 3.1.2 (HIGHESTMODSEQ).
 */
_must_check_ int mailbox_glance(struct store *store, struct slice name, uint64_t now_usec,
	struct glance *ret_glance);
