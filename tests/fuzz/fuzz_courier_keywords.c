/* fuzz_courier_keywords.c - Courier's :list, and names of changes: numbers are those of names, slices those of the input. */
#include "base/must.h"
#include "maildir/courier_keywords.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_inside(struct slice part, const uint8_t *bytes, size_t n)
{
	must(part.n == 0 || ((const uint8_t *)part.p >= bytes &&
				    (const uint8_t *)part.p + part.n <= bytes + n));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct courier_list list = courier_list_parse(slice_from(bytes, n), &arena);
	struct courier_message message;
	struct slice base;
	size_t number;
	uint64_t turn;

	must(list.n <= COURIER_NAMES_MAX);
	for (size_t i = 0; i < list.n; i++)
		check_inside(list.names[i], bytes, n);
	while (courier_list_next(&list.lines, &message)) {
		must(message.base.n > 0);
		check_inside(message.base, bytes, n);
		while (courier_number_next(&message.numbers, list.n, &number))
			must(number < list.n);
	}
	if (courier_change_parse(slice_from(bytes, n), &turn, &base)) {
		must(base.n > 0);
		check_inside(base, bytes, n);
	}
	return 0;
}
