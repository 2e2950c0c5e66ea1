/* prelogin_imap.h - IMAP in its not-authenticated state. Pure. RFC 9051 sections 6.1 and 6.2; RFC 2971, 4959, 5530, 7888. */
#pragma once

#include "server/front/prelogin.h"

/*
 * CAPABILITY NOOP LOGOUT ID STARTTLS LOGIN AUTHENTICATE. LOGIN takes literals under TLS, ID always; a literal over
 * LIMIT_PRELOGIN_LITERAL_BYTES is not invited, or skipped if it comes unasked, or the connection is closed.
 * AUTHENTICATE knows PLAIN.
 */
extern const struct prelogin_protocol prelogin_imap;
