/* cmd_metadata.h - annotations of mailboxes and of the server: GETMETADATA, SETMETADATA. */
#pragma once

#include "server/imap/command.h"

/*
 * A mail directory has one owner: /private and /shared are theirs both, and kept (maildir/metadata_file.h). /shared/admin
 * of the server is the setting's; /private/specialuse says what LIST says, and only uses that CREATE would
 * take can be set (RFC 6154 section 4). An entry asked for by its name that has no value is told as NIL. RFC 5464.
 */
enum run cmd_getmetadata(struct imap *imap);
enum run cmd_setmetadata(struct imap *imap);

/*
 * Tell what is asked for of one mailbox (or of the server), as the METADATA response: for LIST, too (RFC 9590 section 3).
 * Returns 0: told; *ret_longest_octets is the size of the largest value beyond maxsize, or 0; -errno: nothing was told.
 */
_must_check_ int metadata_tell(
	struct imap *imap, const struct metadata_arguments *asked, uint64_t *ret_longest_octets);
