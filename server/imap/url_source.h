/* url_source.h - the octets that an IMAP URL names, of a message of this user's: as FETCH BODY.PEEK[...] sends them, but for NUL. */
#pragma once

#include "server/imap/imap_url.h"
#include "server/imap/message_file.h"

struct url_source;

/*
 * Begin with a mailbox and a URL, which must stay as long as the source.
 * name     the mailbox that the URL names, as there is one
 * Returns  0; -ENOENT: there is none; -errno as mailbox_open().
 */
_must_check_ int url_source_open(struct store *store, struct slice name, const struct imap_url *url,
	struct url_source **ret_source);
void url_source_free(struct url_source *source);

/*
 * Find them.
 * Returns 0: *ret_octets is how many there are; -ENOENT: there is no such message or section, or the mailbox has another
 *         UIDVALIDITY; -EINPROGRESS, -EAGAIN as struct work; -errno.
 */
_must_check_ int url_source_find(
	struct url_source *source, struct work *work, uint64_t *ret_octets);

/*
 * Append some of them to out, up to high_water bytes in it; once they were found.
 * Returns 0: that was the last; -EINPROGRESS: call again; -ESTALE: the file shrank; -errno.
 */
_must_check_ int url_source_read(
	struct url_source *source, struct buf *out, size_t high_water, struct work *work);
