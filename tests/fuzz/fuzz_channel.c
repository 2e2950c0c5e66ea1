/* fuzz_channel.c - a stream from a hostile front or session, through the reader and the parsers of its payloads. */
#include "base/must.h"
#include "server/ipc/channel.h"
#include "server/ipc/credentials.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void parse_payload(const struct channel_frame *frame)
{
	struct channel_verdict verdict;
	struct credentials credentials;

	if (frame->kind == CHANNEL_VERDICT && channel_verdict_parse(frame->payload, &verdict) == 0)
		must(verdict.verdict < VERDICT_COUNT);
	if (frame->kind == CHANNEL_CREDENTIALS && credentials_decode(frame->payload, &credentials) == 0)
		must(credentials.authcid.n > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	int ends[2];

	if (n == 0 || n > 65536)
		return 0;
	must(channel_pair(ends) == 0);

	struct channel channel = channel_open(ends[0], bytes[0] & 1 ? CHANNEL_PEER_FRONT : CHANNEL_PEER_SERVER);
	struct channel_frame frame;
	int r = 0;

	if (write(ends[1], bytes + 1, n - 1) < 0)
		r = -1;
	shutdown(ends[1], SHUT_WR);
	while (r == 0 && channel_read(&channel) == 0 && !channel.in_eof)
		while ((r = channel_next(&channel, &frame)) == 0)
			parse_payload(&frame);
	channel_close(&channel);
	close(ends[1]);
	return 0;
}
