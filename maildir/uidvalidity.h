/* uidvalidity.h - the UIDVALIDITY of new mailboxes: each greater than any given before in this Maildir. */
#pragma once

#include "base/cleanup.h"

#include <stdint.h>

/*
 * The last value given stands, in 8 hex digits, in dovecot-uidvalidity and in the name of the empty file
 * dovecot-uidvalidity.HEX8, both in the root; renaming the latter decides between two programs that both
 * want the next value. The text is only a hint; the name counts.
 *
 * Take the next value, the seconds since 1970 or more.
 * Returns 0; -EBUSY: lost against others again and again; -EOVERFLOW; -errno.
 */
_must_check_ int uidvalidity_next(int root_fd, uint64_t now_usec, uint32_t *ret_uidvalidity);

/*
 * A mailbox with this UIDVALIDITY goes away: what is given from now on is greater.
 * Returns as uidvalidity_next().
 */
_must_check_ int uidvalidity_raise(int root_fd, uint32_t uidvalidity);
