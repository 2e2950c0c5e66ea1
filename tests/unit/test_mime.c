#include "maildir/message/bodystructure.h"
#include "maildir/message/crlf.h"
#include "maildir/message/mime.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

/* Messages and their BODY; each is also fed at every split point, and byte by byte, and with CRLF line ends. */
static const struct {
	struct slice message;
	const char *body;
} rows[] = {
	{ SLICE(""), "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)" },
	{ SLICE("\nHi\n"), "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 4 1)" },
	{ SLICE("Content-Type: image/png; name=\"a b\"\nContent-Transfer-Encoding: base64\nContent-ID: <x>\n\nAAAA"),
		"(\"image\" \"png\" (\"name\" \"a b\") \"<x>\" NIL \"base64\" 4)" },
	{ SLICE("Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\npost\n"),
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 3 0)"
		"(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 1) \"mixed\")" },
	/* The longest boundary wins; an outer one ends an inner part; the inner end is missing. */
	{ SLICE("Content-Type: multipart/a; boundary=b\n\n--b\nContent-Type: multipart/c; boundary=bb\n\n--bb\n\n1\n--bb\n\n2\n--b\n\n3\n--b--"),
		"(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) \"c\")"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) \"a\")" },
	{ SLICE("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n"),
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) "
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) 2)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0) \"digest\")" },
	/* A header without its empty line; a part that is only its header. */
	{ SLICE("Content-Type: multipart/x; boundary=b\n\n--b\nContent-Type: text/html\n--b\n\n--b\n\n\n--b--"),
		"((\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"x\")" },
	{ SLICE("Content-Type: multipart/x; boundary=b\n\n"),
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"x\")" },
	{ SLICE("Content-Type: message/rfc822\n"),
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) 0)" },
	{ SLICE("Content-Type: text; charset=x\n\nbody"), "(\"text\" \"plain\" (\"charset\" \"x\") NIL NIL \"7bit\" 4 0)" },
	{ SLICE("Content-Type: multipart/x; boundary=b\n\n--b \t\n\n-\n--\n--c\n --b\n--b-\n--b--\n--b\n"),
		"((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 16 3)"
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0) \"x\")" },
};

static void check_body(struct mime_parser *parser, const char *want, size_t row, size_t cut)
{
	_cleanup_buf_ struct buf out = BUF(100000);

	CHECK(bodystructure_format(mime_parser_finish(parser), false, &out) == 0, "row %zu", row);
	CHECK(slice_equal(buf_slice(&out), slice_str(want)), "row %zu cut %zu: %.*s", row, cut,
		SLICE_FMT(buf_slice(&out)));
	mime_parser_free(parser);
}

static void check_splits(struct slice message, const char *want, size_t row)
{
	for (size_t cut = 0; cut <= message.n; cut++) {
		struct mime_parser *parser = mime_parser_new();

		mime_parser_feed(parser, slice_head(message, cut));
		mime_parser_feed(parser, slice_tail(message, cut));
		check_body(parser, want, row, cut);
	}

	struct mime_parser *parser = mime_parser_new();

	for (size_t i = 0; i < message.n; i++)
		mime_parser_feed(parser, slice_from(message.p + i, 1));
	check_body(parser, want, row, 0);
}

static void test_splits(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		_cleanup_buf_ struct buf crlf = BUF(100000);
		bool cr = false;

		check_splits(rows[i].message, rows[i].body, i);
		CHECK(crlf_append(rows[i].message, false, &cr, &crlf) == 0, "row %zu", i);
		check_splits(buf_slice(&crlf), rows[i].body, i);
	}
}

static void test_offsets(void)
{
	struct slice message = SLICE("A: b\r\nContent-Type: multipart/x; boundary=b\n\n--b\r\n\r\none\r\n--b\nX: y\n\ntwo\n--b--\nend");
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(message, &parser), *one = root->children;

	CU_ASSERT_EQUAL(root->children_count, 2);
	CU_ASSERT_EQUAL(root->header_lines, 3);
	CU_ASSERT_EQUAL(root->end_offset, message.n);
	CU_ASSERT(slice_starts_with(slice_tail(message, one->body_offset), SLICE("one")));
	CU_ASSERT_EQUAL(one->end_offset - one->body_offset, 3);
	CU_ASSERT_EQUAL(one->header_octets, 2);
	CU_ASSERT(slice_starts_with(slice_tail(message, one->next->header_offset), SLICE("X: y\n\ntwo\n--")));
	CU_ASSERT_EQUAL(one->next->header_octets, 8);
	CU_ASSERT_EQUAL(one->next->body_octets, 3);
	CU_ASSERT_PTR_EQUAL(one->next->parent, root);
	mime_parser_free(parser);
}

static void test_fields(void)
{
	struct slice message = SLICE(
		"From: a@b\nX-Other: no\nTo: c@d,\n e@f\nReferences: <1>\nContent-Language: en, de\n"
		"Content-Disposition: attachment; filename*0=\"a\";\n filename*1=b\nContent-MD5: m\n"
		"Content-Location: l\nContent-Description: one\n two\nContent-Type: a/b\nContent-Type: c/d\n\nbody");
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(message, &parser);

	CU_ASSERT(slice_equal(root->envelope_fields, SLICE("From: a@b\nTo: c@d,\n e@f\nReferences: <1>\n")));
	CU_ASSERT(slice_equal(root->languages->next->tag, SLICE("de")));
	CU_ASSERT_PTR_NULL(root->languages->next->next);
	CU_ASSERT(slice_equal(root->disposition, SLICE("attachment")));
	CU_ASSERT(slice_equal(mime_param_value(root->disposition_params, SLICE("FILENAME")), SLICE("ab")));
	CU_ASSERT(slice_equal(root->description, SLICE("one two")));
	CU_ASSERT(slice_equal(root->md5, SLICE("m")) && slice_equal(root->location, SLICE("l")));
	CU_ASSERT(slice_equal(root->type, SLICE("a")));
	CU_ASSERT_PTR_NULL(root->id.p);
	mime_parser_free(parser);
}

static void test_nul(void)
{
	struct slice message = SLICE("Content-Type: multipart/x; boundary=b\n\n--b\n\nab\n--b\n\na\0b\n--b\nX: \0\n\n--b--\n");
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(message, &parser), *part = root->children;

	CU_ASSERT(!root->header_has_nul && root->body_has_nul);
	CU_ASSERT(!part->body_has_nul && part->next->body_has_nul && !part->next->header_has_nul);
	CU_ASSERT(part->next->next->header_has_nul && !part->next->next->body_has_nul);
	mime_parser_free(parser);
}

/* Deeper than the limit: the part there is opaque, and everything ends where it should. */
static void test_depth(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 20);
	struct mime_parser *parser;
	unsigned depth = 1;

	for (unsigned i = 0; i < 150; i++)
		CU_ASSERT_EQUAL(buf_addf(&message, "Content-Type: multipart/x; boundary=%u-\n\n--%u-\n", i, i), 0);
	CU_ASSERT_EQUAL(buf_add_str(&message, "\nleaf\n"), 0);

	const struct mime_part *part = mime_parse(buf_slice(&message), &parser);

	for (; part->children; part = part->children)
		depth++;
	CU_ASSERT_EQUAL(depth, LIMIT_MIME_DEPTH);
	CU_ASSERT_EQUAL(part->kind, MIME_LEAF);
	CU_ASSERT(slice_equal(part->subtype, SLICE("octet-stream")));
	CU_ASSERT_EQUAL(part->end_offset, message.n);
	mime_parser_free(parser);
}

static void test_parts(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 20);
	struct mime_parser *parser;

	CU_ASSERT_EQUAL(buf_add_str(&message, "Content-Type: multipart/x; boundary=b\n\n"), 0);
	for (unsigned i = 0; i < LIMIT_MIME_PARTS + 100; i++)
		CU_ASSERT_EQUAL(buf_add_str(&message, "--b\n\nx\n"), 0);

	const struct mime_part *root = mime_parse(buf_slice(&message), &parser), *last = root->children;

	CU_ASSERT_EQUAL(root->children_count, LIMIT_MIME_PARTS - 1);
	while (last->next)
		last = last->next;
	CU_ASSERT_EQUAL(last->end_offset, message.n);
	mime_parser_free(parser);
}

/* Fields beyond the limit are not looked at; a line that never ends is survived; the body begins where it should. */
static void test_large_header(void)
{
	_cleanup_buf_ struct buf message = BUF(8 << 20);
	struct mime_parser *parser;

	CU_ASSERT_EQUAL(buf_add_str(&message, "Subject: early\nX-Long: "), 0);
	memset(buf_reserve(&message, 3 << 20), 'x', 3 << 20);
	buf_grown(&message, 3 << 20);
	CU_ASSERT_EQUAL(buf_add_str(&message, "\nFrom: late@x\nContent-Type: image/png\n\nbody"), 0);

	const struct mime_part *root = mime_parse(buf_slice(&message), &parser);

	CU_ASSERT(slice_equal(root->envelope_fields, SLICE("Subject: early\n")));
	CU_ASSERT_PTR_NULL(root->type.p);
	CU_ASSERT_EQUAL(root->body_octets, 4);
	CU_ASSERT_EQUAL(root->header_lines, 5);
	mime_parser_free(parser);
}

/* What all parts keep is bounded; types and boundaries go on being read. */
static void test_kept(void)
{
	_cleanup_buf_ struct buf message = BUF(64 << 20);
	struct mime_parser *parser;
	const struct mime_part *root, *last;

	CU_ASSERT_EQUAL(buf_add_str(&message, "Content-Type: multipart/x; boundary=b\n"), 0);
	for (unsigned i = 0; i < 40; i++) {
		CU_ASSERT_EQUAL(buf_add_str(&message, "\n--b\nContent-Type: image/png; name="), 0);
		memset(buf_reserve(&message, 900000), 'n', 900000);
		buf_grown(&message, 900000);
		CU_ASSERT_EQUAL(buf_add_str(&message, "\n"), 0);
	}
	root = mime_parse(buf_slice(&message), &parser);
	for (last = root->children; last->next;)
		last = last->next;
	CU_ASSERT(mime_param_value(root->children->params, SLICE("name")).n == 900000);
	CU_ASSERT_PTR_NULL(last->params);
	CU_ASSERT(slice_equal(last->subtype, SLICE("png")));
	mime_parser_free(parser);
}

static void test_long_boundary(void)
{
	_cleanup_buf_ struct buf message = BUF(1 << 20);
	struct mime_parser *parser;
	char boundary[MIME_BOUNDARY_BYTES + 501];

	memset(boundary, 'q', sizeof boundary - 1);
	boundary[sizeof boundary - 1] = '\0';
	CU_ASSERT_EQUAL(buf_addf(&message, "Content-Type: multipart/x; boundary=%s\n\n--%s\n\none\n--%s\n\ntwo\n", boundary,
				boundary, boundary), 0);
	CU_ASSERT_EQUAL(mime_parse(buf_slice(&message), &parser)->children_count, 2);
	mime_parser_free(parser);
}

static void test_no_room(void)
{
	struct mime_parser *parser;
	const struct mime_part *root = mime_parse(rows[5].message, &parser);

	for (size_t room = 0; room < 240; room += 7) {
		_cleanup_buf_ struct buf out = BUF(room);

		CHECK(bodystructure_format(root, true, &out) == -ENOBUFS && out.n == 0, "room %zu", room);
	}
	mime_parser_free(parser);
}

static const struct unit_test tests[] = {
	{ "splits", test_splits },
	{ "offsets", test_offsets },
	{ "fields", test_fields },
	{ "nul", test_nul },
	{ "depth", test_depth },
	{ "parts", test_parts },
	{ "large header", test_large_header },
	{ "kept", test_kept },
	{ "long boundary", test_long_boundary },
	{ "no room", test_no_room },
};

UNIT_MAIN("mime", tests)
