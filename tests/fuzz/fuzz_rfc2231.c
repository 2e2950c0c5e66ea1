/* fuzz_rfc2231.c - parameters: their number is bounded, and each has a value that decodes. */
#include "base/must.h"
#include "maildir/message/rfc2231.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_arena_ struct arena arena = { 0 };
	struct mime_param *first = rfc2231_parse(slice_from(bytes, n), &arena);
	unsigned count = 0;

	for (struct mime_param *p = first; p; p = p->next) {
		_cleanup_buf_ struct buf out = BUF(1 << 26);
		struct slice name = p->name;

		must(name.n > 0 && p->value.p);
		if (count++ < 50 && name.p[name.n - 1] == '*' && name.n > 1)
			name.n--;
		if (count < 50)
			must(rfc2231_value(first, name, &out) == 0);
	}
	must(count <= MIME_PARAMS);
	return 0;
}
