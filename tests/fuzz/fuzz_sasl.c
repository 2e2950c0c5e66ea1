/* Any bytes as a SASL PLAIN response. */
#include "auth/sasl.h"

#include "base/limits.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf decoded = BUF(4096);
	struct sasl_plain plain;

	sasl_mechanism_parse(slice_from(bytes, n));
	if (sasl_plain_parse(slice_from(bytes, n), &decoded, &plain) == 0) {
		must(plain.authcid.n > 0 && plain.authcid.n <= LIMIT_USER_BYTES);
		must(plain.authzid.n + plain.authcid.n + plain.password.n + 2 == decoded.n);
	} else {
		must(decoded.base == NULL);
	}
	buf_done_wipe(&decoded);
	return 0;
}
