#include "maildir/message/header.h"

#include "tests/unit/unit.h"

#include <errno.h>

static const struct slice sample = SLICE("Received: one\r\n\tfolded\r\n"
	"Subject: a\n b\n"
	"no colon here\n"
	"Spaced : value\n"
	"two words: x\n"
	": empty name\n"
	"SUBJECT:second\r\n"
	"\r\n"
	"body: text\n");

static void test_next(void)
{
	static const struct {
		struct slice name, value;
	} wants[] = {
		{ SLICE("Received"), SLICE(" one\r\n\tfolded") },
		{ SLICE("Subject"), SLICE(" a\n b") },
		{ SLICE(""), SLICE("no colon here") },
		{ SLICE("Spaced"), SLICE(" value") },
		{ SLICE(""), SLICE("two words: x") },
		{ SLICE(""), SLICE(": empty name") },
		{ SLICE("SUBJECT"), SLICE("second") },
	};
	struct slice in = sample;
	struct header_field field;
	size_t i = 0;

	while (header_next(&in, &field)) {
		CHECK(i < 7 && slice_equal(field.name, wants[i].name), "field %zu", i);
		CHECK(i < 7 && slice_equal(field.value, wants[i].value), "field %zu", i);
		i++;
	}
	CU_ASSERT_EQUAL(i, 7);
	CU_ASSERT(slice_equal(in, SLICE("body: text\n")));
}

static void test_edges(void)
{
	struct slice in = SLICE(" leading blank\nA:b");
	struct header_field field;

	CU_ASSERT(header_next(&in, &field));
	CU_ASSERT_EQUAL(field.name.n, 0);
	CU_ASSERT(header_next(&in, &field));
	CU_ASSERT(slice_equal(field.value, SLICE("b")));
	CU_ASSERT(!header_next(&in, &field));

	in = SLICE("A:");
	CU_ASSERT(header_next(&in, &field));
	CU_ASSERT(slice_equal(field.name, SLICE("A")) && field.value.n == 0);

	in = SLICE("\n\nx");
	CU_ASSERT(!header_next(&in, &field));
	CU_ASSERT(slice_equal(in, SLICE("\nx")));

	in = SLICE("\r");
	CU_ASSERT(header_next(&in, &field));
	CU_ASSERT(!header_next(&in, &field));
}

static void test_find_unfold(void)
{
	_cleanup_buf_ struct buf out = BUF(100);

	CU_ASSERT(slice_equal(header_find(sample, SLICE("subject")), SLICE(" a\n b")));
	CU_ASSERT_PTR_NULL(header_find(sample, SLICE("body")).p);
	CU_ASSERT_PTR_NOT_NULL(header_find(SLICE("X:\n\n"), SLICE("x")).p);
	CU_ASSERT_EQUAL(header_unfold(SLICE(" a\r\n b\n\tc \r x \n"), &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("a b\tc \r x")));

	_cleanup_buf_ struct buf small = BUF(2);

	CU_ASSERT_EQUAL(header_unfold(SLICE("abc"), &small), -ENOBUFS);
}

static void test_select(void)
{
	static const struct slice names[] = { SLICE("subject"), SLICE("SPACED"), SLICE("absent") };
	_cleanup_buf_ struct buf out = BUF(1000);

	CU_ASSERT_EQUAL(header_select(sample, names, 3, false, false, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out),
		SLICE("Subject: a\r\n b\r\nSpaced : value\r\nSUBJECT:second\r\n\r\n")));
	buf_clear(&out);
	CU_ASSERT_EQUAL(header_select(sample, names, 3, true, false, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("Received: one\r\n\tfolded\r\nno colon here\r\n"
						     "two words: x\r\n: empty name\r\n\r\n")));
	buf_clear(&out);
	CU_ASSERT_EQUAL(header_select(SLICE("A: b\0c"), NULL, 0, true, true, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("A: b\x80" "c")));
	buf_clear(&out);
	CU_ASSERT_EQUAL(header_select(SLICE("A: b\r"), NULL, 0, true, true, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("A: b\r")));
	buf_clear(&out);
	CU_ASSERT_EQUAL(header_select(SLICE(""), names, 3, true, false, &out), 0);
	CU_ASSERT_EQUAL(out.n, 0);
	CU_ASSERT_EQUAL(header_select(SLICE(""), names, 3, false, false, &out), 0);
	CU_ASSERT(slice_equal(buf_slice(&out), SLICE("\r\n")));

	_cleanup_buf_ struct buf small = BUF(4);

	CU_ASSERT_EQUAL(header_select(sample, names, 3, false, false, &small), -ENOBUFS);
	CU_ASSERT_EQUAL(small.n, 0);
}

static const struct unit_test tests[] = {
	{ "next", test_next },
	{ "edges", test_edges },
	{ "find and unfold", test_find_unfold },
	{ "select", test_select },
};

UNIT_MAIN("header", tests)
