/* fuzz_transfer.c - the first byte chooses encoding and pieces: the same bytes whatever they are. */
#include "base/must.h"
#include "maildir/message/transfer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void decode(struct slice in, size_t step, enum transfer_encoding encoding, struct buf *out)
{
	struct transfer_decoder decoder = { .encoding = encoding };

	for (size_t i = 0; i < in.n; i += step)
		must(transfer_feed(&decoder, slice_head(slice_tail(in, i), step), out) == 0);
	must(transfer_finish(&decoder, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf whole = BUF(1 << 26), pieces = BUF(1 << 26);

	if (n < 1)
		return 0;

	enum transfer_encoding encoding = bytes[0] & 1 ? TRANSFER_BASE64 : TRANSFER_QUOTED_PRINTABLE;
	struct slice in = slice_from(bytes + 1, n - 1);

	decode(in, in.n + 1, encoding, &whole);
	decode(in, bytes[0] % 7 + 1, encoding, &pieces);
	must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
	must(whole.n <= in.n + TRANSFER_HELD_BYTES);
	return 0;
}
