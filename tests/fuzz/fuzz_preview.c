/*
 * fuzz_preview.c - text of HTML, and previews of messages: valid UTF-8, within limits, the same whatever the
 * pieces in which they come.
 */
#include "base/must.h"
#include "base/utf8.h"
#include "maildir/message/html_text.h"
#include "maildir/message/preview.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void html(struct slice in, size_t step, bool skip_quoted, struct buf *out)
{
	struct html_text h = { .skip_quoted = skip_quoted };

	while (in.n > 0) {
		must(html_text_feed(&h, slice_head(in, step), out) == 0);
		in = slice_tail(in, step);
	}
	must(html_text_finish(&h, out) == 0);
}

static void check_html(struct slice in, size_t step)
{
	size_t most = in.n + 2 * HTML_TEXT_HELD_BYTES;
	_cleanup_buf_ struct buf whole = BUF(most), pieces = BUF(most), unquoted = BUF(most);

	html(in, in.n + 1, false, &whole);
	html(in, step, false, &pieces);
	html(in, step, true, &unquoted);
	must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
	must(unquoted.n <= whole.n);
	must(!utf8_is_valid(in) || whole.n == 0 || utf8_is_valid(buf_slice(&whole)));
}

static void preview(struct slice body, const struct mime_part *part, size_t step, struct buf *out)
{
	struct preview *p = preview_new(part);

	while (body.n > 0 && !preview_feed(p, slice_head(body, step)))
		body = slice_tail(body, step);
	must(buf_add(out, preview_finish(p)) == 0);
	preview_free(p);
}

static void check_previews(struct slice message, size_t step)
{
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	const struct mime_part *root = mime_parse(message, &parser);

	for (const struct mime_part *part = preview_part(root, NULL); part;
		part = preview_part(root, part)) {
		_cleanup_buf_ struct buf whole = BUF(PREVIEW_TEXT_BYTES), pieces = BUF(PREVIEW_TEXT_BYTES);
		struct slice body = slice_head(slice_tail(message, (size_t)part->body_offset),
			(size_t)(part->end_offset - part->body_offset));

		preview(body, part, body.n + 1, &whole);
		preview(body, part, step, &pieces);
		must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
		must(whole.n == 0 || utf8_is_valid(buf_slice(&whole)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	size_t step = n > 0 ? bytes[0] % 61 + 1 : 1;

	check_html(slice_from(bytes, n), step);
	check_previews(slice_from(bytes, n), step);
	return 0;
}
