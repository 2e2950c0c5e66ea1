#include "server/ipc/control.h"

#include <errno.h>

static int add_field(struct buf *out, struct slice field)
{
	int r = 0;

	for (size_t i = 0; i < field.n && r == 0; i++) {
		char c = field.p[i];

		if (c == '\t')
			r = buf_add_str(out, "\\t");
		else if (c == '\n')
			r = buf_add_str(out, "\\n");
		else if (c == '\\')
			r = buf_add_str(out, "\\\\");
		else
			r = buf_add_char(out, c);
	}
	return r;
}

int control_add_line(struct buf *out, char letter, const struct slice *fields, size_t n)
{
	int r = buf_add_char(out, letter);

	for (size_t i = 0; i < n && r == 0; i++) {
		r = buf_add_char(out, '\t');
		if (r == 0)
			r = add_field(out, fields[i]);
	}
	return r < 0 ? r : buf_add_char(out, '\n');
}

bool control_take_field(struct slice *line, struct slice *ret_field)
{
	if (!line->p)
		return false;

	ssize_t tab = slice_find(*line, '\t');
	struct slice raw = tab < 0 ? *line : slice_head(*line, (size_t)tab);
	char *to = (char *)raw.p;
	size_t n = 0;

	*line = tab < 0 ? (struct slice){ NULL, 0 } : slice_from(line->p + tab + 1, line->n - (size_t)tab - 1);
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == '\\' && i + 1 < raw.n) {
			i++;
			to[n++] = raw.p[i] == 't' ? '\t' : raw.p[i] == 'n' ? '\n' : raw.p[i];
		} else {
			to[n++] = raw.p[i];
		}
	}
	*ret_field = slice_from(raw.p, n);
	return true;
}
