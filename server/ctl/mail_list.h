/* mail_list.h - restantectl mailbox list, and status. Both change nothing, and block on the disk. */
#pragma once

#include "server/ctl/mail_task.h"

/* Each is a mail_work's run; arg is the struct mail_task. */
enum mail_status mail_task_list(void *arg, struct report *report);
enum mail_status mail_task_status(void *arg, struct report *report);
