#include "base/checksum.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

enum { BYTES = 200 };

static void fill(char *bytes)
{
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (char)(i * 37 + 11);
}

static void test_every_bit_counts(void)
{
	char bytes[BYTES];

	fill(bytes);
	for (size_t n = 0; n <= BYTES; n += n < 70 ? 1 : 13) {
		uint64_t whole = checksum(1, slice_from(bytes, n));

		CHECK(checksum(2, slice_from(bytes, n)) != whole, "seed, %zu bytes", n);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			bytes[bit / 8] ^= (char)(1 << bit % 8);
			CHECK(checksum(1, slice_from(bytes, n)) != whole, "bit %zu of %zu bytes",
				bit, n);
			bytes[bit / 8] ^= (char)(1 << bit % 8);
		}
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Zeros most of all: a product of zero would swallow what comes before. */
static void test_lengths_differ(void)
{
	char zeros[BYTES] = { 0 };
	uint64_t sums[BYTES];

	for (size_t n = 0; n < BYTES; n++)
		sums[n] = checksum(7, slice_from(zeros, n));
	qsort(sums, BYTES, sizeof *sums, compare);
	for (size_t i = 1; i < BYTES; i++)
		CU_ASSERT_NOT_EQUAL(sums[i - 1], sums[i]);
}

static void test_alignment_does_not_matter(void)
{
	char bytes[BYTES], shifted[BYTES + 8];

	fill(bytes);
	for (size_t shift = 0; shift < 8; shift++) {
		memcpy(shifted + shift, bytes, BYTES);
		CU_ASSERT_EQUAL(checksum(1, slice_from(shifted + shift, BYTES)),
			checksum(1, slice_from(bytes, BYTES)));
	}
}

static const struct unit_test TESTS[] = {
	{ "every bit of bytes and seed counts", test_every_bit_counts },
	{ "the same bytes in other numbers differ", test_lengths_differ },
	{ "alignment does not matter", test_alignment_does_not_matter },
};

UNIT_MAIN("checksum", TESTS)
