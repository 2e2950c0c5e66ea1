/* expand.h - templates of mail paths: what "~" and %u %n %d stand for. Pure. */
#pragma once

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/slice.h"

/* What a template's letters stand for. */
struct expand_names {
	struct slice user; /* %u; %n is what comes before its last "@" (or all of it), %d what comes after */
	struct slice home; /* of "~" in front; empty: there is none */
};

/*
 * Expand a template of a path: "~" (alone or before "/") in front, %u, %n, %d, and %% for a percent sign.
 * Returns  0: ret_path is an absolute path without ".", "..", empty components and a slash at its end: one spelling for one path.
 *          -EINVAL: an unknown letter after %, or a path that is not absolute, has "." or ".." in it, or is "/".
 *          -ENOENT: "~" without a home. -EDOM: a part of the name that is empty, or "." or "..".
 *          -ENAMETOOLONG: beyond LIMIT_PATH_BYTES.
 */
_must_check_ int expand_path(const char *template, const struct expand_names *names, char ret_path[LIMIT_PATH_BYTES + 1]);
