/* copy.h - copies messages into another mailbox, or the same: by hard links, all or none. And moves them, by renames. In steps. */
#pragma once

#include "maildir/mailbox.h"

/*
 * A copy has flags, keywords, INTERNALDATE and GUID of the message, but a new base name. Where no hard link can be made
 * (another file system, one that has none, too many of them, a file of another owner) the content is copied.
 *
 * A move renames the file of the message, to a new base name: at any instant each message is in one mailbox; if several
 * move it at the same time, from whatever hosts, one of them does. Between file systems it is copied, and removed after
 * its copy is durable: there it is in one mailbox at least at any instant; and if several move it at the same time, in
 * one afterwards, unless somebody moved one of the copies on before it was taken back: then it is in two.
 */
struct copy;

struct copy_order {
	struct mailbox *source, *target; /* stay open as long as the copy lives */
	const uint32_t *uids;            /* n of them, ascending; stay valid as long */
	size_t n;
	bool need_all; /* a message that is gone is an error; else it is left out */
	bool move;     /* remove the messages from the source */
};

/* Begin; nothing is touched yet. */
struct copy *copy_new(const struct copy_order *order);

/* Free it. What was not shown leaves nothing behind. */
void copy_free(struct copy *copy);

/*
 * Go on.
 * Returns 0: done, all is durable; -EINPROGRESS, -EAGAIN as struct work; -ESTALE as mailbox_sync();
 *         -ENOENT: a message is gone, and need_all was said; -EBUSY: other programs rename the messages all the time, or took a lock from us;
 *         -EDQUOT: the quota forbids it; -errno. With an error each message is in the source as before, and not in the
 *         target, except that a move may have moved some of them: each is in one of the two.
 */
_must_check_ int copy_step(struct copy *copy, struct work *work);

/* How many messages were taken on so far, of those ordered. For telling progress. */
size_t copy_done(const struct copy *copy);

/*
 * What was copied, after copy_step() returned 0: *ret_uids in the source and *ret_copies in the target, in pairs; the
 * copies ascend, and so do the others but where a message got another name meanwhile, so that it was moved later.
 * What another program removed, or moved, before us is not in it. Returns how many. Valid as long as the copy.
 */
size_t copy_result(
	const struct copy *copy, const uint32_t **ret_uids, const uint32_t **ret_copies);
