#include "server/ctl/mail_report.h"

#include "base/clock.h"
#include "base/must.h"

#include <errno.h>

enum { FLUSH_BYTES = 32 * 1024, TEXT_BYTES = 4000, TAIL_BYTES = 64 * 1024 };

void report_init(struct report *report, int fd, bool progress)
{
	*report = (struct report){
		.fd = fd,
		.progress = progress,
		.out = BUF(FLUSH_BYTES + 4 * REPORT_LINE_BYTES),
		.progress_usec = clock_monotonic_usec(),
	};
}

/* A reader that went away ends this process by SIGPIPE or here: nobody is left to tell. */
static void flush(struct report *report)
{
	while (report->out.n > 0) {
		ssize_t n = write(report->fd, report->out.p, report->out.n);

		if (n < 0 && errno != EINTR)
			_exit(2);
		if (n > 0)
			buf_consume(&report->out, (size_t)n);
	}
}

static void add_line(struct report *report, char letter, const struct slice *fields, size_t n)
{
	size_t before = report->out.n;

	/* There is room: what is longer than FLUSH_BYTES was sent, and lines are bounded. */
	must(control_add_line(&report->out, letter, fields, n) == 0);
	if (letter != 'P')
		report->bytes += report->out.n - before;
	if (report->out.n >= FLUSH_BYTES)
		flush(report);
}

static void add_text(struct report *report, char letter, const char *format, va_list args)
{
	char text[TEXT_BYTES];

	vsnprintf(text, sizeof text, format, args);

	struct slice s = slice_str(text);

	add_line(report, letter, &s, 1);
}

void report_table(struct report *report, const char *name, const char *const *columns, size_t n)
{
	struct slice fields[REPORT_CELLS_MAX + 1] = { slice_str(name) };

	must(n <= REPORT_CELLS_MAX);
	for (size_t i = 0; i < n; i++)
		fields[i + 1] = slice_str(columns[i]);
	add_line(report, 'T', fields, n + 1);
}

void report_row(struct report *report, const struct slice *cells, size_t n)
{
	size_t bytes = 0;

	must(n <= REPORT_CELLS_MAX);
	for (size_t i = 0; i < n; i++)
		bytes += 2 * cells[i].n + 2; /* every byte may need an escape */
	if (report->bytes + bytes + TAIL_BYTES > CONTROL_REPLY_BYTES)
		report->is_full = true;
	if (report->is_full)
		report->n_left_out++;
	else
		add_line(report, 'R', cells, n);
}

/* So many errors that they would fill the reply: one mailbox after the other that cannot be read. */
static bool has_room(struct report *report)
{
	return report->bytes + TAIL_BYTES <= CONTROL_REPLY_BYTES;
}

void report_error(struct report *report, const char *format, ...)
{
	va_list args;

	report->n_errors++;
	if (!has_room(report)) {
		report->n_left_out++;
		return;
	}
	va_start(args, format);
	add_text(report, 'E', format, args);
	va_end(args);
}

void report_message(struct report *report, const char *format, ...)
{
	va_list args;

	if (!has_room(report)) {
		report->n_left_out++;
		return;
	}
	va_start(args, format);
	add_text(report, 'M', format, args);
	va_end(args);
}

void report_progress(struct report *report, struct slice what, uint64_t done, uint64_t total)
{
	uint64_t now_usec;
	char text[TEXT_BYTES], of[40] = "";

	if (!report->progress)
		return;
	now_usec = clock_monotonic_usec();
	if (now_usec - report->progress_usec < REPORT_PROGRESS_USEC)
		return;
	report->progress_usec = now_usec;
	if (total > 0)
		snprintf(of, sizeof of, " of %llu", (unsigned long long)total);
	snprintf(text, sizeof text, "%.*s: %llu%s", SLICE_FMT(slice_head(what, 1000)),
		(unsigned long long)done, of);

	struct slice s = slice_str(text);

	add_line(report, 'P', &s, 1);
	flush(report);
}

void report_done(struct report *report)
{
	char text[100];
	struct slice s;

	if (report->n_left_out > 0) {
		snprintf(text, sizeof text, "%zu more lines are left out: the answer is full",
			report->n_left_out);
		s = slice_str(text);
		add_line(report, 'M', &s, 1);
	}
	add_line(report, '.', NULL, 0);
	flush(report);
	buf_done(&report->out);
}
