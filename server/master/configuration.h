/* configuration.h - one configuration as it was read: its text sealed in a memfd, so that all roles see the same bytes, and its settings. */
#pragma once

#include "conf/conf.h"

struct configuration {
	unsigned references;
	uint64_t number; /* counts up */
	char *path;      /* absolute, as far as it could be made so; for messages */
	int memfd;       /* sealed */
	struct conf *conf;
};

/*
 * Read, seal and parse a file.
 * Returns  0: *ret is set, with one reference. -EINVAL: problems tells what is wrong with the text.
 *          Other -errno: the file cannot be read, or -EFBIG; problems is empty.
 */
_must_check_ int configuration_load(const char *path, uint64_t number, struct configuration **ret,
	struct conf_problems *ret_problems);

/* One more holder. */
struct configuration *configuration_ref(struct configuration *configuration);

/* One holder fewer; the last one frees it. NULL is fine. */
void configuration_unref(struct configuration *configuration);
