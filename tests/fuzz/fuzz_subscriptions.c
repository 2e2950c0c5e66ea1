/* The file of subscriptions in all forms: a name that was read is written so that it is read as the same. */
#include "base/must.h"
#include "maildir/subscriptions_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_line(enum subscriptions_form form, struct slice line, char separator)
{
	_cleanup_buf_ struct buf name = BUF(4096), written = BUF(4096), again = BUF(4096);
	enum subscriptions_form to = form == SUBSCRIPTIONS_COURIER ? SUBSCRIPTIONS_2 : form;

	if (subscriptions_parse_line(form, line, separator, &name) < 0)
		return;
	must(subscriptions_format_line(to, buf_slice(&name), separator, &written) == 0);
	must(subscriptions_parse_line(
		     to, slice_head(buf_slice(&written), written.n - 1), separator, &again) == 0);
	must(slice_equal(buf_slice(&name), buf_slice(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice lines, line;
	enum subscriptions_form form = subscriptions_read_header(slice_from(bytes, n), &lines);

	while (slice_split(&lines, '\n', &line)) {
		check_line(form, line, '/');
		check_line(form, line, '.');
		check_line(SUBSCRIPTIONS_COURIER, line, '/');
	}
	return 0;
}
