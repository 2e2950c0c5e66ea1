#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void must_failed(const char *cond, const char *file, int line)
{
	char text[512];
	int n = snprintf(text, sizeof text, "restante: bug: %s:%d: must(%s)\n", file, line, cond);

	if (n > 0 && write(STDERR_FILENO, text, (size_t)n < sizeof text ? (size_t)n : sizeof text) < 0)
		abort();
	abort();
}
