#include "maildir/message/message_id.h"

#include "base/must.h"
#include "maildir/message/token.h"

static bool belongs(char c)
{
	return (uint8_t)c > ' ' && c != 0x7f && c != '"' && c != '\\';
}

/*
 * What stands between "<" and ">". Quotes are dropped, not understood: ids that differ in them only are the same
 * (RFC 5256 section 3), and one that is not closed must not swallow the ids behind.
 */
static void take_id(struct slice *in, size_t max_bytes, struct buf *out)
{
	while (in->n > 0 && in->p[0] != '<') {
		char c = slice_take(in, 1).p[0];

		if (c == '>')
			return;
		if (belongs(c) && max_bytes > 0) {
			must(buf_add_char(out, c) == 0);
			max_bytes--;
		}
	}
}

bool message_id_next(struct slice *in, size_t max_bytes, struct buf *out)
{
	size_t before = out->n;

	while (in->n > 0) {
		if (in->p[0] == '(') {
			token_skip_cfws(in);
			continue;
		}
		if (slice_take(in, 1).p[0] != '<')
			continue;
		take_id(in, max_bytes, out);
		if (out->n > before)
			return true;
	}
	return false;
}
