/* fuzz_charset.c - the first byte chooses a charset, the second the pieces: the same text whatever they are; UTF-8. */
#include "base/must.h"
#include "maildir/message/casemap.h"
#include "maildir/message/charset.h"
#include "maildir/message/charset_guess.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_utf8(struct slice s)
{
	while (s.n > 0) {
		int c = utf8_character(s);

		must(c > 0);
		s = slice_tail(s, (size_t)c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n < 2)
		return 0;

	const char *name = charset_name(bytes[0] % 64);
	struct slice charset = slice_str(name ? name : "x-unknown"), text = slice_from(bytes + 2, n - 2);
	size_t step = bytes[1] % 16 + 1;
	_cleanup_charset_decoder_ struct charset_decoder *decoder = charset_decoder_new(charset);
	_cleanup_buf_ struct buf whole = BUF(1 << 26), pieces = BUF(1 << 26), folded = BUF(1 << 28);

	must(charset_to_utf8(charset, text, &whole) == 0);
	must(whole.n <= 4 * text.n + CHARSET_HELD_BYTES);
	check_utf8(buf_slice(&whole));
	for (size_t i = 0; i < text.n; i += step)
		must(charset_decoder_feed(decoder, slice_head(slice_tail(text, i), step), &pieces) == 0);
	must(charset_decoder_finish(decoder, &pieces) == 0);
	must(slice_equal(buf_slice(&whole), buf_slice(&pieces)));
	must(casemap_append(buf_slice(&whole), &folded) == 0);
	must(folded.n <= whole.n * CASEMAP_GROWTH);
	check_utf8(buf_slice(&folded));
	return 0;
}
