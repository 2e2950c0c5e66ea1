#include "maildir/subscriptions_file.h"

#include "base/must.h"
#include "maildir/name.h"

#include <errno.h>

#define HEADER_2 "V\t2\n\n"

enum subscriptions_form subscriptions_read_header(struct slice text, struct slice *ret_lines)
{
	bool second = slice_starts_with(text, SLICE(HEADER_2));

	*ret_lines = second ? slice_tail(text, sizeof HEADER_2 - 1) : text;
	return second ? SUBSCRIPTIONS_2 : SUBSCRIPTIONS_1;
}

static bool separates(enum subscriptions_form form, char c)
{
	switch (form) {
	case SUBSCRIPTIONS_2:
		return c == '\t';
	case SUBSCRIPTIONS_1:
		return c == '.' || c == '/';
	case SUBSCRIPTIONS_COURIER:
		break;
	}
	return c == '.';
}

/* The directory that the line names: a dot before each level. */
static int add_directory(enum subscriptions_form form, struct slice line, struct buf *out)
{
	int r = line.n > 0 ? buf_add_char(out, '.') : -EINVAL;

	for (size_t i = 0; r == 0 && i < line.n; i++) {
		char c = line.p[i];

		r = separates(form, c)     ? buf_add_char(out, '.')
		    : c == '.' || c == '/' ? -EINVAL
					   : buf_add_char(out, c);
	}
	return r == -ENOBUFS ? -EINVAL : r;
}

int subscriptions_parse_line(
	enum subscriptions_form form, struct slice line, char separator, struct buf *out)
{
	_cleanup_buf_ struct buf directory = BUF(NAME_DIRECTORY_BYTES);
	bool inbox = name_is_inbox(line);

	if (form == SUBSCRIPTIONS_COURIER && !inbox && !slice_skip_nocase(&line, SLICE("INBOX.")))
		return -EINVAL;

	int r = inbox ? buf_add_char(&directory, '.') : add_directory(form, line, &directory);

	return r < 0 ? r : name_from_directory(buf_slice(&directory), separator, out);
}

int subscriptions_format_header(enum subscriptions_form form, struct buf *out)
{
	must(form != SUBSCRIPTIONS_COURIER);
	return form == SUBSCRIPTIONS_2 ? buf_add(out, SLICE(HEADER_2)) : 0;
}

int subscriptions_format_line(
	enum subscriptions_form form, struct slice name, char separator, struct buf *out)
{
	char directory[NAME_DIRECTORY_BYTES];
	int r = name_to_directory(name, separator, directory);

	if (r < 0)
		return r;
	if (strcmp(directory, ".") == 0)
		return buf_add(out, SLICE("INBOX\n"));
	for (char *p = directory; form == SUBSCRIPTIONS_2 && *p; p++)
		if (*p == '.')
			*p = '\t';
	return buf_addf(out, "%s\n", directory + 1);
}
