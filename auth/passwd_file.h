/* passwd_file.h - writes the password files that pam_pwdfile reads: "user:hash" lines. */
#pragma once

#include "base/cleanup.h"
#include "base/slice.h"

#include <stdio.h>

/*
 * Read "user:password" lines from in to its end, and write a file of "user:hash" lines to path, with mode 0600, all at once
 * (a new file that is renamed over the old one). Hashes are yescrypt as crypt(3) makes them. Passwords are wiped.
 * Limits   LIMIT_USER_BYTES and LIMIT_PASSWORD_BYTES; empty lines and those beginning with "#" are passed over.
 * Returns  0; -EINVAL: *ret_line is no such line, or has no valid user name, or an empty password; -errno of the files,
 *          *ret_line then is 0.
 */
_must_check_ int passwd_file_make(FILE *in, const char *path, unsigned *ret_line);
