/* name.h - names of mailboxes: UTF-8 with a hierarchy separator towards clients, a Maildir++ directory on disk. Pure. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/limits.h"

/*
 * On disk all levels stand in one directory name, each after a dot: ".Parent.Child". A level is written in modified
 * UTF-7; then a dot, slash or backslash in it, and a tilde at its beginning, become a backslash and two hex digits
 * (what Dovecot's plugin listescape does). INBOX, in any case, is the Maildir itself, ".".
 */
enum {
	NAME_DIRECTORY_BYTES = LIMIT_NAME_BYTES + 1,
	NAME_UTF8_BYTES = 2 * LIMIT_NAME_BYTES, /* no name that fits on disk is longer in UTF-8 */
};

/*
 * The directory of a mailbox.
 * Returns  0: ret_directory is NUL-terminated; -EINVAL: no mailbox can have that name: not UTF-8, a control character
 *          or NUL, an empty level (also at either end); -ENAMETOOLONG: beyond LIMIT_NAME_BYTES on disk or
 *          LIMIT_MAILBOX_LEVELS.
 */
_must_check_ int name_to_directory(
	struct slice name, char separator, char ret_directory[NAME_DIRECTORY_BYTES]);

/*
 * Append the name that a directory has towards clients. INBOX as first level comes in capitals.
 * Returns 0; -EINVAL: this is not how name_to_directory() writes any name ("tmp", "..", ".a..b", ".INBOX", broken
 * modified UTF-7, needless escapes): not a mailbox; -ENOBUFS. On failure out is as before.
 */
_must_check_ int name_from_directory(struct slice directory, char separator, struct buf *out);

/*
 * Whether a new mailbox may have that name, beside what name_to_directory() says. Mailboxes with names that are refused
 * here can be used, renamed and deleted where other programs made them.
 * Returns 0; -EINVAL: a level is ".", "..", or a name that means something else in a mail directory (cur, new, tmp,
 * restante.index), or a character is no Net-Unicode: C1 controls, line and paragraph separators (RFC 5198 section 2).
 */
_must_check_ int name_check_new(struct slice name, char separator);

/* Whether name lies below parent: has all its levels and at least one more. Both as name_from_directory() writes them. */
bool name_is_below(struct slice name, struct slice parent, char separator);

/* Whether it is INBOX, in any case. */
bool name_is_inbox(struct slice name);

/* Order in which children follow their parent, and INBOX with its children comes first. Returns <0, 0 or >0. */
int name_compare(struct slice a, struct slice b, char separator);
