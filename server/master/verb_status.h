/* verb_status.h - the tables that `restantectl status` shows. Reads only. */
#pragma once

#include "server/master/control.h"

/* Write them into the reply and complete it. */
void verb_status(struct master *m, struct control_client *client, const struct slice *arguments, size_t n);
