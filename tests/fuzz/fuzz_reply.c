/* fuzz_reply.c - any bytes as an answer on the control socket, shown both ways. */
#include "base/must.h"
#include "server/ctl/json.h"
#include "server/ctl/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	_cleanup_buf_ struct buf text = BUF(1024 * 1024), json = BUF(16 * 1024 * 1024),
				 plain = BUF(16 * 1024 * 1024);
	_cleanup_arena_ struct arena arena = { 0 };
	struct reply reply;

	if (buf_add(&text, slice_from(bytes, n)) < 0 ||
		reply_parse(buf_slice(&text), &arena, &reply) < 0)
		return 0;
	if (json_add_reply(&json, &reply) == 0)
		must(json.n >= 3 && json.p[0] == '{');
	if (text_add_reply(&plain, &reply, 1800000000000000) == 0)
		must(slice_find(buf_slice(&plain), '\x1b') < 0);
	return 0;
}
