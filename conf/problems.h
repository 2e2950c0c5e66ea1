/* problems.h - collects what is wrong with a configuration, by line. Pure. */
#pragma once

#include "conf/conf.h"

/*
 * Add a problem behind all others of its line and of lines before. Control characters become "?".
 * Limits    After CONF_PROBLEMS_MAX the rest is counted in one last entry.
 */
void problems_add(struct conf_problems *problems, unsigned line, const char *format, ...) _printf_(3, 4);
