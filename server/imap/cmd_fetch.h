/* cmd_fetch.h - FETCH and UID FETCH: message after message, yielding between them and inside of large bodies. */
#pragma once

#include "server/imap/command.h"
#include "server/wire/seqset.h"

/*
 * A response to a message is only begun when all of it can be said: the message is open, its sizes are counted and
 * its structure is known. So a message that is gone leaves no half response; it is passed over, and the command ends
 * with OK [EXPUNGEISSUED] (RFC 2180 section 4.1.2, 5530). Only a file that shrinks while it is sent ends the connection.
 */
enum run cmd_fetch(struct imap *imap);
void end_fetch(struct imap *imap);
