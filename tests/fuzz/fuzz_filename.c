/* A file's name, and the letters it gets. */
#include "base/must.h"
#include "maildir/filename.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf out = BUF(1 << 20), other = BUF(1 << 20);
	struct slice whole = slice_from(bytes, n);
	struct filename name = filename_parse(whole), again;
	uint32_t letters = filename_letters(name.info);
	uint64_t size;

	if (n >= sizeof letters)
		memcpy(&letters, bytes, sizeof letters);
	must(name.base.n + name.info.n == n);
	must(filename_format(name.base, name.info, letters, &out) == 0);
	again = filename_parse(buf_slice(&out));
	must(slice_equal(again.base, name.base) && filename_letters(again.info) == letters);
	if (filename_is_canonical(name.info)) {
		must(filename_format(name.base, SLICE(""), filename_letters(name.info), &other) ==
			0);
		must(slice_equal(buf_slice(&other), whole));
	}
	filename_size(name.base, 'S', &size);
	filename_size(name.base, 'W', &size);
	filename_is_message(whole);
	must(filename_compare_arrival(whole, whole) == 0);
	must(sign(filename_compare_arrival(name.base, whole)) ==
		-sign(filename_compare_arrival(whole, name.base)));
	return 0;
}
