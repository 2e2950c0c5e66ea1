/* mail_findings.h - restantectl mailbox verify. Changes nothing, and blocks on the disk. */
#pragma once

#include "server/ctl/mail_task.h"

/*
 * A mail_work's run; arg is the struct mail_task.
 * Returns MAIL_DONE: all agrees; MAIL_FINDINGS: problems were found, or, if the task is strict, notes; MAIL_FAILED.
 */
enum mail_status mail_task_verify(void *arg, struct report *report);
