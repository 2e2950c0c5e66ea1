/* fuzz_frame.c - a packet of any peer: the first byte picks the sender; what decodes must encode to the same bytes. */
#include "base/must.h"
#include "server/ipc/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct frame frame;
	uint8_t again[FRAME_MAX_BYTES];

	if (n == 0)
		return 0;
	if (frame_decode(slice_from(bytes + 1, n - 1), bytes[0] % ROLE_COUNT, &frame) < 0)
		return 0;
	must(frame_encode(&frame, again) == n - 1 && memcmp(again, bytes + 1, n - 1) == 0);
	must(frame_fds(&frame) <= FRAME_MAX_FDS);
	return 0;
}
