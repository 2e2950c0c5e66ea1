/* fuzz_compress.c - what a client sends compressed: whatever it is, resting in between changes nothing, and no more comes out than there is room for. */
#include "base/must.h"
#include "server/front/compress.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { OUT_MAX_BYTES = 1024 * 1024, ROOM_BYTES = 1000 };

/* Inflate in pieces; with rests, let go of the memory behind each. Returns what compress_inflate() said last. */
static int inflate_all(struct slice in, size_t piece, bool rests, struct buf *out)
{
	struct compress *compress = compress_new();
	int r = 0;

	while ((in.n > 0 || r == -EAGAIN) && (r == 0 || r == -EAGAIN) && buf_room(out) >= 32768) {
		struct slice some = slice_head(in, piece), rest = some;
		size_t before = out->n;

		r = compress_inflate(compress, &rest, ROOM_BYTES, out);
		must(out->n - before <= ROOM_BYTES);
		in = slice_tail(in, some.n - rest.n);
		if (rests)
			(void)compress_rest(compress);
	}
	compress_free(compress);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf whole = BUF(OUT_MAX_BYTES), parts = BUF(OUT_MAX_BYTES);
	struct slice in;
	int a, b;

	if (n < 2)
		return 0;
	in = slice_from(bytes + 1, n - 1);
	a = inflate_all(in, in.n, false, &whole);
	b = inflate_all(in, 1 + bytes[0], true, &parts);
	if (a == 0 && b == 0)
		must(slice_equal(buf_slice(&whole), buf_slice(&parts)));
	must((a == -EBADMSG) == (b == -EBADMSG) || buf_room(&whole) < 32768 || buf_room(&parts) < 32768);
	return 0;
}
