/* wrong.h - the checks of single strings of restante.conf. Pure. */
#pragma once

#include "base/slice.h"

/*
 * Say what is wrong with a value that is not empty.
 * Returns  NULL if nothing is; else what follows "`VALUE' " in a message: what is wrong, and what to do.
 */
const char *conf_wrong_path(struct slice value);        /* a file or directory: absolute */
const char *conf_wrong_mail_path(struct slice value);   /* absolute or from ~, with %u, %n or ~ so that users differ */
const char *conf_wrong_user(struct slice value);        /* the name of a system user */
const char *conf_wrong_mail_user(struct slice value);   /* a name, or UID:GID */
const char *conf_wrong_pam_service(struct slice value);
const char *conf_wrong_uidl_format(struct slice value); /* RFC 1939 section 7: 1 to 70 characters from 0x21 to 0x7E */
const char *conf_wrong_uri(struct slice value);         /* RFC 3986 section 3: a scheme, a colon, and more */

/* Say whether name can stand in [tls NAME]: a host name, perhaps with a first label "*". */
const char *conf_wrong_tls_name(struct slice name);
