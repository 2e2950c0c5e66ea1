/* fuzz_mime.c - the MIME tree: the same whatever the pieces are; its stretches lie in each other; it formats. */
#include "base/must.h"
#include "maildir/message/bodystructure.h"
#include "maildir/message/crlf.h"
#include "maildir/message/section.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static uint64_t octets_of(struct slice s)
{
	struct crlf_count count = { 0 };

	crlf_count(&count, s);
	return count.octets;
}

static void check_part(const struct mime_part *part, struct slice message)
{
	must(part->header_offset <= part->body_offset && part->body_offset <= part->end_offset);
	must(part->end_offset <= message.n);

	struct slice header = { message.p + part->header_offset, part->body_offset - part->header_offset };
	struct slice body = { message.p + part->body_offset, part->end_offset - part->body_offset };

	must(octets_of(header) == part->header_octets && octets_of(body) == part->body_octets);
	must(part->kind != MIME_MESSAGE || (part->children && !part->children->next));
	for (const struct mime_part *child = part->children; child; child = child->next) {
		must(child->parent == part && child->end_offset <= part->end_offset);
		must(child->header_offset >= part->body_offset);
		must(!child->next || child->end_offset <= child->next->header_offset);
		check_part(child, message);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct slice message = slice_from(bytes, n);
	_cleanup_mime_parser_ struct mime_parser *whole = NULL, *pieces = mime_parser_new();
	_cleanup_buf_ struct buf a = BUF(1 << 28), b = BUF(1 << 28);
	const struct mime_part *root = mime_parse(message, &whole);
	size_t step = n > 0 ? bytes[0] % 61 + 1 : 1;

	check_part(root, message);
	must(bodystructure_format(root, true, &a) == 0);
	for (size_t i = 0; i < n; i += step)
		mime_parser_feed(pieces, slice_head(slice_tail(message, i), step));
	must(bodystructure_format(mime_parser_finish(pieces), true, &b) == 0);
	must(slice_equal(buf_slice(&a), buf_slice(&b)));
	return 0;
}
