/* options.h - the command line of restanted. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>

enum options_action { OPTIONS_SERVE, OPTIONS_CHECK, OPTIONS_TRY, OPTIONS_HELP, OPTIONS_VERSION };

struct options {
	enum options_action action;
	const char *conf_path;     /* OPTIONS_SERVE, OPTIONS_CHECK */
	const char *try_directory; /* OPTIONS_TRY; NULL: a new temporary one */
};

/* Read the command line. Returns 0, or -EINVAL: what is wrong was said on standard error. */
_must_check_ int options_parse(int argc, char **argv, struct options *ret_options);

/* What --help prints. */
extern const char options_usage[];
