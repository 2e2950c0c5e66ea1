#include "server/wire/dot_stuff.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
	struct slice in, want;
} cases[] = {
	{ SLICE(""), SLICE(".\r\n") },
	{ SLICE("a\r\n"), SLICE("a\r\n.\r\n") },
	{ SLICE("a"), SLICE("a\r\n.\r\n") },
	{ SLICE("a\r"), SLICE("a\r\r\n.\r\n") },
	{ SLICE("."), SLICE("..\r\n.\r\n") },
	{ SLICE(".\r\n"), SLICE("..\r\n.\r\n") },
	{ SLICE("..\r\n"), SLICE("...\r\n.\r\n") },
	{ SLICE("a.b\r\n.c\r\n"), SLICE("a.b\r\n..c\r\n.\r\n") },
	{ SLICE(".\r\n.\r\n.\r\n"), SLICE("..\r\n..\r\n..\r\n.\r\n") },
	{ SLICE("\r\n.\r\n\r\n"), SLICE("\r\n..\r\n\r\n.\r\n") },
	{ SLICE("a\0\r\n.\0\r\n"), SLICE("a\0\r\n..\0\r\n.\r\n") },
	{ SLICE("x\r.\r\n"), SLICE("x\r.\r\n.\r\n") },
};

enum { N_CASES = sizeof cases / sizeof *cases };

static void stuff_pieces(size_t row, size_t cut1, size_t cut2)
{
	_cleanup_buf_ struct buf out = BUF(1000);
	struct dot_stuff state = DOT_STUFF_START;
	struct slice rest = cases[row].in;
	size_t cuts[] = { cut1, cut2 - cut1, rest.n - cut2 };

	CU_ASSERT(buf_add_str(&out, "+OK\r\n") == 0);
	for (int i = 0; i < 3; i++) {
		size_t from = out.n;

		CU_ASSERT(buf_add(&out, slice_take(&rest, cuts[i])) == 0);
		CU_ASSERT(dot_stuff_tail(&state, &out, from) == 0);
	}
	CU_ASSERT(dot_stuff_end(&state, &out) == 0);
	CHECK(slice_equal(slice_tail(buf_slice(&out), 5), cases[row].want),
		"row %zu cut at %zu, %zu", row, cut1, cut2);
}

static void test_every_split(void)
{
	for (size_t row = 0; row < N_CASES; row++)
		for (size_t a = 0; a <= cases[row].in.n; a++)
			for (size_t b = a; b <= cases[row].in.n; b++)
				stuff_pieces(row, a, b);
}

static void test_no_room(void)
{
	_cleanup_buf_ struct buf out = BUF(4);
	struct dot_stuff state = DOT_STUFF_START;

	CU_ASSERT(buf_add_str(&out, ".\r\n.") == 0);
	CU_ASSERT(dot_stuff_tail(&state, &out, 0) == -ENOBUFS);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE(".\r\n.")));
	CU_ASSERT(!state.in_line);
	CU_ASSERT(dot_stuff_end(&state, &out) == -ENOBUFS);
}

static const struct unit_test tests[] = {
	{ "every split point", test_every_split },
	{ "no room", test_no_room },
};

UNIT_MAIN("dot_stuff", tests)
