/* fuzz_header.c - fields: no byte lost or read twice; with and without names they make up the header. */
#include "base/must.h"
#include "maildir/message/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct slice names[] = { SLICE("Subject"), SLICE("to") };
	struct slice in = slice_from(bytes, n);
	struct header_field field;
	_cleanup_buf_ struct buf out = BUF(1 << 26), with = BUF(1 << 26), without = BUF(1 << 26);

	while (header_next(&in, &field)) {
		must(field.raw.n > 0 && field.value.n <= field.raw.n);
		must(header_unfold(field.value, &out) == 0 && slice_find(buf_slice(&out), '\n') < 0);
	}
	must(header_select(slice_from(bytes, n), names, 2, false, true, &with) == 0);
	must(header_select(slice_from(bytes, n), names, 2, true, true, &without) == 0);
	must(slice_ends_with(buf_slice(&with), SLICE("\r\n")));
	must(slice_find(buf_slice(&with), '\0') < 0 && slice_find(buf_slice(&without), '\0') < 0);
	must(with.n + without.n <= 2 * n + 6);
	return 0;
}
