/* copy_content.h - the content of a message file on its way into another file, where no link can be made. For copy.c. */
#pragma once

#include "base/cleanup.h"
#include "maildir/work.h"

#include <stdbool.h>
#include <stdint.h>

struct content {
	int from_fd, to_fd; /* -1: none */
	uint64_t offset;    /* so far; set to 0 with the descriptors */
};
#define CONTENT_NONE ((struct content){ .from_fd = -1, .to_fd = -1 })

/* Close what is open. */
void content_close(struct content *content);

/*
 * Copy some of it; in the end, the time too, which is INTERNALDATE.
 * Returns 0: all is written, and with sync durable; -EINPROGRESS as struct work; -errno.
 */
_must_check_ int content_step(struct content *content, bool sync, struct work *work);
