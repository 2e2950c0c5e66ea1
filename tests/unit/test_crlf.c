#include "maildir/message/crlf.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

struct row {
	struct slice in, want;
	uint64_t lines;
};

static const struct row rows[] = {
	{ SLICE(""), SLICE(""), 0 },
	{ SLICE("a"), SLICE("a"), 0 },
	{ SLICE("\n"), SLICE("\r\n"), 1 },
	{ SLICE("\r\n"), SLICE("\r\n"), 1 },
	{ SLICE("\r"), SLICE("\r"), 0 },
	{ SLICE("\r\r\n"), SLICE("\r\r\n"), 1 },
	{ SLICE("\n\r"), SLICE("\r\n\r"), 1 },
	{ SLICE("\n\n\n"), SLICE("\r\n\r\n\r\n"), 3 },
	{ SLICE("a\nb\r\nc\rd\n\r\n"), SLICE("a\r\nb\r\nc\rd\r\n\r\n"), 4 },
	{ SLICE("nul\0here\n"), SLICE("nul\x80here\r\n"), 1 },
	{ SLICE("0123456789abcdef\n0123456789abcdef\r\n0123456789abcde\r\n0123456789abcdef0\n"),
		SLICE("0123456789abcdef\r\n0123456789abcdef\r\n0123456789abcde\r\n0123456789abcdef0\r\n"), 4 },
};

static void test_count(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			struct crlf_count count = { 0 };

			crlf_count(&count, slice_head(rows[i].in, cut));
			crlf_count(&count, slice_tail(rows[i].in, cut));
			CHECK(count.octets == rows[i].want.n, "row %zu cut %zu", i, cut);
			CHECK(count.lines == rows[i].lines, "row %zu cut %zu", i, cut);
			CHECK(count.has_nul == (slice_find(rows[i].in, '\0') >= 0), "row %zu", i);
		}
}

static void test_convert(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t room = 1; room <= 20; room++) {
			struct slice in = rows[i].in;
			char out[256];
			size_t n = 0, written;
			bool cr = false;

			while (in.n > 0) {
				size_t used = crlf_convert(in, true, &cr, out + n, room, &written);

				CHECK(written <= room, "row %zu", i);
				in = slice_tail(in, used);
				n += written;
			}
			CHECK(slice_equal(slice_from(out, n), rows[i].want), "row %zu room %zu", i, room);
		}
}

static void test_append(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
			_cleanup_buf_ struct buf out = BUF(256);
			bool cr = false;

			CHECK(crlf_append(slice_head(rows[i].in, cut), true, &cr, &out) == 0, "row %zu", i);
			CHECK(crlf_append(slice_tail(rows[i].in, cut), true, &cr, &out) == 0, "row %zu", i);
			CHECK(slice_equal(buf_slice(&out), rows[i].want), "row %zu cut %zu", i, cut);
		}

	_cleanup_buf_ struct buf small = BUF(3);
	bool cr = false;

	CU_ASSERT_EQUAL(crlf_append(SLICE("ab\n"), false, &cr, &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);
	CU_ASSERT_EQUAL(crlf_append(SLICE("a\n"), false, &cr, &small), 0);
}

/* Skipping k octets and converting the rest gives the tail of the whole. */
static void test_skip(void)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t skip = 0; skip <= rows[i].want.n + 1; skip++)
			for (size_t cut = 0; cut <= rows[i].in.n; cut++) {
				_cleanup_buf_ struct buf out = BUF(256);
				struct slice parts[] = { slice_head(rows[i].in, cut), slice_tail(rows[i].in, cut) };
				uint64_t left = skip;
				bool cr = false;

				for (int part = 0; part < 2; part++) {
					size_t used = crlf_skip(parts[part], &cr, &left);
					struct slice rest = slice_tail(parts[part], used);

					CHECK(crlf_append(rest, true, &cr, &out) == 0, "row %zu", i);
				}
				CHECK(slice_equal(buf_slice(&out), slice_tail(rows[i].want, skip)),
					"row %zu skip %zu cut %zu", i, skip, cut);
				CHECK(left == (skip > rows[i].want.n), "row %zu skip %zu", i, skip);
			}
}

/* Large enough for every path of the counting by blocks. */
static void test_large(void)
{
	enum { N = 70000 };
	char *bytes = malloc(N);
	uint64_t seed = 1, octets = N, lines = 0;

	for (size_t i = 0; i < N; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = "\r\n\nab"[(seed >> 33) % 5];
		lines += bytes[i] == '\n';
		octets += bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r');
	}
	for (size_t from = 0; from < 40; from++) {
		struct crlf_count count = { 0 };

		crlf_count(&count, slice_from(bytes, from));
		crlf_count(&count, slice_from(bytes + from, N - from));
		CHECK(count.octets == octets && count.lines == lines, "from %zu", from);
	}

	uint64_t left = octets - 3;
	bool cr = false;
	size_t used = crlf_skip(slice_from(bytes, N), &cr, &left);

	CU_ASSERT_EQUAL(left, 0);
	CU_ASSERT(used >= N - 3);
	free(bytes);
}

static const struct unit_test tests[] = {
	{ "count", test_count },
	{ "convert", test_convert },
	{ "append", test_append },
	{ "skip", test_skip },
	{ "large", test_large },
};

UNIT_MAIN("crlf", tests)
