/* cmd_quota.h - what mail takes, and may take: GETQUOTA, GETQUOTAROOT, SETQUOTA. */
#pragma once

#include "server/imap/command.h"

/*
 * A user has one quota root, or none where there is no quota (maildir/quota_file.h); mailboxes that are not counted are
 * under none. RFC 9208 section 4.1.
 */
enum run cmd_getquota(struct imap *imap);
enum run cmd_getquotaroot(struct imap *imap);

/* Limits are the admin's to set, in restante.conf or in maildirsize: refused, and QUOTASET is not advertised. */
enum run cmd_setquota(struct imap *imap);
