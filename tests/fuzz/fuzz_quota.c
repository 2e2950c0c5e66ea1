/* fuzz_quota.c - the text of maildirsize: what is relied on is written, and read again, the same. */
#include "base/must.h"
#include "maildir/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf text = BUF(1024);
	struct quota_text parsed, again;

	if (!quota_parse(slice_from(bytes, n), &parsed))
		return 0;
	must(parsed.used.bytes >= 0 && parsed.used.messages >= 0 && parsed.sums > 0);
	(void)quota_is_over(&parsed.limits, &parsed.used);
	must(quota_format(&parsed.limits, &parsed.used, &text) == 0);
	must(quota_parse(buf_slice(&text), &again) && again.sums == 1);
	must(quota_limits_equal(&parsed.limits, &again.limits));
	must(parsed.used.bytes == again.used.bytes && parsed.used.messages == again.used.messages);
	return 0;
}
