#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_line(const struct log *log, enum log_priority priority, const char *format, ...)
{
	char line[LOG_LINE_MAX_BYTES + 1];
	va_list args;

	if (!log || !log->sink)
		return;
	va_start(args, format);

	int n = vsnprintf(line, sizeof line, format, args);

	va_end(args);
	if (n < 0)
		return;

	size_t size = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	log->sink(log->arg, priority, slice_from(line, size));
}

static void write_to_stderr(void *arg, enum log_priority priority, struct slice line)
{
	(void)arg;
	(void)priority;
	fprintf(stderr, "%.*s\n", SLICE_FMT(line));
}

const struct log log_to_stderr = { .sink = write_to_stderr };
