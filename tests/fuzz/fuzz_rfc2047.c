/* fuzz_rfc2047.c - encoded words and base subjects: always UTF-8, never controls. */
#include "base/must.h"
#include "maildir/message/charset_guess.h"
#include "maildir/message/rfc2047.h"
#include "maildir/message/subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_text(struct slice s)
{
	while (s.n > 0) {
		int c = utf8_character(s);

		must(c > 0 && ((uint8_t)s.p[0] >= ' ' || s.p[0] == '\t'));
		s = slice_tail(s, (size_t)c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf out = BUF(1 << 26), base = BUF(1 << 26);

	must(rfc2047_decode(slice_from(bytes, n), &out) == 0);
	check_text(buf_slice(&out));
	must(subject_base(slice_from(bytes, n), &base, NULL) == 0);
	must(base.n <= out.n);
	check_text(buf_slice(&base));
	return 0;
}
