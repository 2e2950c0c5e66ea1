/* pop3_uidl.h - the format of POP3 unique-ids. Pure. */
#pragma once

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

enum { POP3_UIDL_MAX_BYTES = 70 }; /* RFC 1939 section 7 */

/*
 *   format   = *(text / "%%" / "%" ["0" width] [hex] variable)
 *   width    = 1*2DIGIT            at least so many characters, zeros in front
 *   hex      = "X" / "x"           in hexadecimal; lower case for both, as Dovecot writes both
 *   variable = "u"                 the message's UID
 *            / "v"                 UIDVALIDITY
 *            / "f"                 the base name of the file
 *            / "g"                 the message's GUID: the base name unless the uidlist holds another
 */
struct pop3_uidl_values {
	uint32_t msg_uid, uidvalidity;
	struct slice base, guid;
};

/* Whether format is one, and tells messages apart: it has %f or %g, or %u. */
bool pop3_uidl_format_is_valid(struct slice format);

/*
 * Append the unique-id of a message. Whatever would not be 1 to 70 characters 0x21 to 0x7E is replaced by its
 * checksum, 32 hex digits.
 * format  valid; see above.
 * Returns 0, or -ENOBUFS.
 */
_must_check_ int pop3_uidl_format(
	struct slice format, const struct pop3_uidl_values *values, struct buf *out);

/* Append text itself if it may be a unique-id, else its checksum. Returns 0, or -ENOBUFS. */
_must_check_ int pop3_uidl_add(struct slice text, struct buf *out);
