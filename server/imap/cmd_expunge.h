/* cmd_expunge.h - removing messages marked \Deleted: EXPUNGE, UID EXPUNGE. */
#pragma once

#include "server/imap/command.h"

/* What was removed is told with the changes that follow every command. RFC 9051 section 6.4.3, 4315 section 2.1. */
enum run cmd_expunge(struct imap *imap);
enum run cmd_uid_expunge(struct imap *imap);

struct seq_ranges;

/*
 * Remove messages that are marked \Deleted: of all, or of seqnums if not NULL. Uses command.progress.
 * Returns RUN_DONE: the command is completed, OK or NO; or what to wait for: call again, with the same.
 */
enum run expunge_deleted(struct imap *imap, const struct seq_ranges *seqnums);
