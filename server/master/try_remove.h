/* try_remove.h - removing a directory with all that is in it. */
#pragma once

#include "base/cleanup.h"

/* Never follows a link, whoever makes one meanwhile. Returns 0 or -errno of the first failure; goes on after failures. */
_must_check_ int try_remove(const char *directory);
