/* Binary parts in base64: what comes out, undone again, is what went in, whatever the pieces. RFC 3516 4.4. */
#include "base/base64.h"
#include "server/imap/binary_encode.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

enum { TEXT_BYTES = 200 * 1000 };

static const struct {
	const char *in;
	size_t n;
	enum binary_need need;
	const char *want; /* of BINARY_ENCODE */
} rows[] = {
#define ROW(text) text, sizeof text - 1
#define CTE       "Content-Transfer-Encoding: "
	{ ROW(""), BINARY_KEPT, NULL },
	{ ROW("a: b\r\n\r\nx\ny"), BINARY_KEPT, NULL },
	{ ROW(CTE "8bit\r\n\r\nx\ny"), BINARY_KEPT, NULL },
	{ ROW(CTE "binary\r\n\r\n"), BINARY_KEPT, NULL },
	{ ROW(CTE "binary\r\n\r\nx\r\ny\r\0z\r"), BINARY_KEPT, NULL },
	{ ROW(CTE "binary\r\n\r\n\n"), BINARY_ENCODE, CTE "base64\r\n\r\nCg==\r\n" },
	{ ROW("A: 1\n" CTE " Binary \nB: 2\n\nx\ny"), BINARY_ENCODE,
		"A: 1\n" CTE "base64\r\nB: 2\n\neAp5\r\n" },
	{ ROW("CONTENT-TRANSFER-ENCODING:\r\n\tbinary\r\n" CTE "7bit\r\n\r\nx\n"), BINARY_ENCODE,
		CTE "base64\r\n\r\neAo=\r\n" },
	{ ROW(CTE "binary\r\n\r\n012345678901234567890123456789012345678901234567890123456789\n"),
		BINARY_ENCODE,
		CTE
		"base64\r\n\r\n"
		"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"
		"Nzg5Cg==\r\n" },
	{ ROW(CTE "binary\r\n\r\n01234567890123456789012345678901234567890123456789012345\n"),
		BINARY_ENCODE,
		CTE "base64\r\n\r\n"
		    "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDUK\r"
		    "\n" },
	{ ROW("Content-Type: multipart/mixed; boundary=b\n" CTE "binary\n\nfore\n--b\n" CTE
	      "binary\n\nx\n\n--b\n\nplain\n--b\n" CTE "binary\n\ny\r\n--b\n" CTE
	      "binary\n\n\nz\n--b--\naft\n"),
		BINARY_ENCODE,
		"Content-Type: multipart/mixed; boundary=b\n" CTE "binary\n\nfore\n--b\n" CTE
		"base64\r\n\neAo=\n--b\n\nplain\n--b\n" CTE "binary\n\ny\r\n--b\n" CTE
		"base64\r\n\nCno=\n--b--\naft\n" },
	{ ROW("Content-Type: message/rfc822\r\n\r\n" CTE "binary\r\n\r\nx\n"), BINARY_ENCODE,
		"Content-Type: message/rfc822\r\n\r\n" CTE "base64\r\n\r\neAo=" },
	{ ROW("Content-Type: multipart/mixed; boundary=b\n" CTE "binary\n\nno part\n"),
		BINARY_REFUSED, NULL },
};

/* All of in, in pieces, appended to out. */
static void feed(struct binary_encoder *encoder, struct slice in, size_t piece, struct buf *out)
{
	while (in.n > 0)
		binary_encoder_feed(encoder, slice_take(&in, in.n < piece ? in.n : piece), out);
}

static void check_row(size_t i, size_t piece)
{
	_cleanup_buf_ struct buf out = BUF(TEXT_BYTES);
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	struct slice in = slice_from(rows[i].in, rows[i].n);
	const struct mime_part *root = mime_parse(in, &parser);
	struct binary_encoder encoder;

	CHECK(binary_need(root) == rows[i].need, "row %zu: %d", i, binary_need(root));
	if (rows[i].need != BINARY_ENCODE || binary_need(root) != BINARY_ENCODE)
		return;
	binary_encoder_init(&encoder, root);
	feed(&encoder, in, piece, &out);
	CHECK(binary_encoder_is_done(&encoder), "row %zu", i);
	CHECK(slice_equal(buf_slice(&out), slice_str(rows[i].want)), "row %zu by %zu: %.*s", i,
		piece, SLICE_FMT(buf_slice(&out)));
	binary_encoder_done(&encoder);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t piece = 1; piece < rows[i].n + 2; piece++)
			check_row(i, piece);
}

/* Fewer octets than the tree was made from, or others: it ends, and says so. */
static void test_other_octets(void)
{
	_cleanup_buf_ struct buf out = BUF(TEXT_BYTES);
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	const struct mime_part *root = mime_parse(SLICE(CTE "binary\r\n\r\nx\ny"), &parser);
	struct binary_encoder encoder;

	binary_encoder_init(&encoder, root);
	feed(&encoder, SLICE("nothing of the kind, and no header"), 5, &out);
	CHECK(!binary_encoder_is_done(&encoder), "there should be more");
	binary_encoder_done(&encoder);
}

/* A header longer than the parser looks at. */
static void test_long_header(void)
{
	_cleanup_buf_ struct buf in = BUF(2 * LIMIT_HEADER_BYTES),
				 out = BUF(4 * LIMIT_HEADER_BYTES);
	_cleanup_mime_parser_ struct mime_parser *parser = NULL;
	struct binary_encoder encoder;
	const struct mime_part *root;

	CU_ASSERT_FATAL(buf_add_str(&in, CTE "binary\r\n") == 0);
	while (in.n < LIMIT_HEADER_BYTES + 5000)
		CU_ASSERT_FATAL(
			buf_add_str(&in, "X-Filler: something that is long enough to count\r\n") ==
			0);
	CU_ASSERT_FATAL(buf_add_str(&in, "\r\nx\ny") == 0);
	root = mime_parse(buf_slice(&in), &parser);
	CU_ASSERT_FATAL(binary_need(root) == BINARY_ENCODE);
	binary_encoder_init(&encoder, root);
	feed(&encoder, buf_slice(&in), BINARY_TAKEN_BYTES, &out);
	CHECK(binary_encoder_is_done(&encoder) &&
			slice_starts_with(buf_slice(&out), SLICE(CTE "base64\r\n")),
		"the field is put right");
	CHECK(out.n == in.n + 3 && slice_ends_with(buf_slice(&out), SLICE("\r\n\r\neAp5\r\n")),
		"%zu %zu", out.n, in.n);
	binary_encoder_done(&encoder);
}

/* As maildir/append.h says: CRLF is stored as LF, but for one that follows a CR. */
static void store(struct slice octets, struct buf *out)
{
	unsigned char before = 0;

	for (size_t i = 0; i < octets.n; i++) {
		bool drops = octets.p[i] == '\r' && i + 1 < octets.n && octets.p[i + 1] == '\n' &&
			     before != '\r';

		before = (unsigned char)octets.p[i];
		if (!drops)
			CU_ASSERT_FATAL(
				buf_add(out, slice_tail(slice_head(octets, i + 1), i)) == 0);
	}
}

static void check_line_ends(struct slice octets, size_t piece)
{
	_cleanup_buf_ struct buf stored = BUF(TEXT_BYTES), got = BUF(TEXT_BYTES);
	struct line_ends ends = { 0 };

	for (struct slice in = octets; in.n > 0;)
		line_ends_note(&ends, slice_take(&in, in.n < piece ? in.n : piece));
	store(octets, &stored);
	line_ends_rewind(&ends);
	for (struct slice in = buf_slice(&stored); in.n > 0;)
		line_ends_restore(&ends, slice_take(&in, in.n < piece ? in.n : piece), &got);
	CHECK(slice_equal(buf_slice(&got), octets), "%zu octets by %zu: %zu came back", octets.n,
		piece, got.n);
	line_ends_done(&ends);
}

static void test_line_ends(void)
{
	static const char alphabet[] = "\r\r\r\n\n\nx";
	char octets[300];

	check_line_ends(SLICE(""), 1);
	check_line_ends(SLICE("\n"), 1);
	check_line_ends(SLICE("a\r\nb\r\nc\nd\r\r\ne\r"), 3);
	srand(11);
	for (int round = 0; round < 3000; round++) {
		size_t n = (size_t)rand() % sizeof octets;

		for (size_t i = 0; i < n; i++)
			octets[i] = alphabet[rand() % 7];
		check_line_ends(slice_from(octets, n), 1 + (size_t)rand() % 20);
	}
}

/* Line ends that alternate cost memory: it is bounded. What somebody else wrote into the file ends in no fault. */
static void test_line_ends_limit(void)
{
	_cleanup_buf_ struct buf got = BUF(100);
	struct line_ends ends = { 0 };

	for (size_t i = 0; i < BINARY_RUNS_MAX / 2; i++)
		line_ends_note(&ends, SLICE("\r\n\n"));
	CHECK(!ends.overflow, "that many are kept");
	line_ends_note(&ends, SLICE("\r\n"));
	CHECK(ends.overflow, "no more are");
	line_ends_done(&ends);
	line_ends_note(&ends, SLICE("\r\n"));
	line_ends_rewind(&ends);
	line_ends_restore(&ends, SLICE("\n\n\n"), &got);
	CHECK(slice_equal(buf_slice(&got), SLICE("\r\n\n\n")), "%zu", got.n);
	line_ends_done(&ends);
}

static const struct unit_test tests[] = {
	{ "parts", test_rows },
	{ "other octets", test_other_octets },
	{ "a long header", test_long_header },
	{ "line ends", test_line_ends },
	{ "limit of line ends", test_line_ends_limit },
};
UNIT_MAIN("binary_encode", tests)
