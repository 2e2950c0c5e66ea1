#include "server/ctl/output.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/ctl/json.h"
#include "server/ctl/text.h"

#include <errno.h>
#include <stdarg.h>

/* Rendered replies are larger than the wire's: JSON repeats every column's name. */
#define OUTPUT_MAX_BYTES ((size_t)1024 * 1024 * 1024)

static int write_fd(int fd, struct slice bytes)
{
	while (bytes.n > 0) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			bytes = slice_tail(bytes, (size_t)n);
	}
	return 0;
}

int output_write(struct slice bytes)
{
	int r = write_fd(STDOUT_FILENO, bytes);

	if (r < 0 && r != -EPIPE)
		fprintf(stderr, "restantectl: standard output: %s\n", strerror(-r));
	return r < 0;
}

static int add_errors(struct buf *out, const struct reply *reply)
{
	int r = 0;

	for (size_t i = 0; i < reply->n_errors && r == 0; i++) {
		r = buf_add_str(out, "restantectl: ");
		if (r == 0)
			r = text_add_line(out, reply->errors[i]);
	}
	return r;
}

int output_reply(const struct reply *reply, bool json)
{
	_cleanup_buf_ struct buf out = BUF(OUTPUT_MAX_BYTES), errors = BUF(OUTPUT_MAX_BYTES);
	int r = json ? json_add_reply(&out, reply)
		     : text_add_reply(&out, reply, clock_realtime_usec());

	if (r == 0 && !json)
		r = add_errors(&errors, reply);
	must(r == 0);
	r = output_write(buf_slice(&out));
	/* Nobody may be reading standard error; the exit status tells all the same. */
	(void)write_fd(STDERR_FILENO, buf_slice(&errors));
	return r != 0 || reply->n_errors > 0;
}

int output_error(bool json, const char *format, ...)
{
	char text[2000];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);

	struct slice error = slice_str(text);

	return output_reply(
		&(struct reply){ .errors = &error, .n_errors = 1, .complete = true }, json);
}
