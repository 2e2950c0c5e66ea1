/* mail_export.h - mailboxes written to standard output, as an mbox or a tar archive. Blocks on the disk and the output. */
#pragma once

#include "server/ctl/mail_task.h"

/*
 * Write the mailboxes of a task, in its format; MAIL_FORMAT_MBOX takes one. A mail_work's run; arg is the struct mail_task.
 * Returns MAIL_DONE; MAIL_FINDINGS: messages were left out, or not whole, each of which was reported; MAIL_FAILED: what
 *         was written is of no use.
 */
enum mail_status mail_task_export(void *arg, struct report *report);
