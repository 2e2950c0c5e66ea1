/*
 * Partial writes: a DATA header promises a number of bytes. When the socket takes the header but only
 * part of them, the rest is "owed": the next send starts with it and without a header. The header
 * itself is only ever sent whole: a stream socket of AF_UNIX takes 4 bytes or none when nothing of the
 * send fits; should it take a part of the header, the connection ends (-EPIPE).
 */
#include "server/ipc/channel.h"

#include "base/must.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

static const struct kind {
	bool from_front, from_server;
	size_t min_bytes, max_bytes;
} kinds[CHANNEL_KIND_COUNT] = {
	[CHANNEL_CREDENTIALS] = { true, false, 1, 4096 },
	[CHANNEL_DATA] = { true, true, 1, LIMIT_CHANNEL_DATA_BYTES },
	[CHANNEL_TIMEOUT] = { true, false, 0, 0 },
	[CHANNEL_VERDICT] = { false, true, 9, 9 + CHANNEL_VERDICT_TEXT_BYTES },
	[CHANNEL_CLOSE] = { false, true, 0, 0 },
	[CHANNEL_KEEPALIVE] = { false, true, 1, 1 },
	[CHANNEL_STOP] = { true, false, 0, 0 },
	[CHANNEL_COMPRESS] = { false, true, 1, CHANNEL_ANSWER_BYTES },
};

int channel_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

bool channel_is_from(int fd, pid_t pid)
{
	int domain, type;
	struct ucred peer;
	socklen_t n = sizeof domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) < 0 || domain != AF_UNIX)
		return false;
	n = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != SOCK_STREAM)
		return false;
	n = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && pid > 0 && peer.pid == pid;
}

struct channel channel_open(int fd, enum channel_peer peer)
{
	return (struct channel){ .fd = fd, .peer = peer, .in = BUF(LIMIT_CHANNEL_IN_BYTES) };
}

void channel_close(struct channel *channel)
{
	cleanup_close(&channel->fd);
	channel->fd = -1;
	buf_done_wipe(&channel->in);
}

/* Descriptors that came uninvited were put into space by the kernel: close them. */
static void close_received(struct msghdr *msg)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
			cleanup_close(&fd);
		}
	}
}

int channel_read(struct channel *channel)
{
	size_t want = buf_room(&channel->in);

	if (channel->in_eof || want == 0)
		return -EAGAIN;
	if (want > LIMIT_CHANNEL_DATA_BYTES)
		want = LIMIT_CHANNEL_DATA_BYTES;

	char *at = buf_reserve(&channel->in, want);

	must(at != NULL);

	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { .iov_base = at, .iov_len = want };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	ssize_t n;

	do {
		n = recvmsg(channel->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	if (msg.msg_controllen > 0 || msg.msg_flags & MSG_CTRUNC) {
		close_received(&msg);
		return -EBADMSG;
	}
	if (n == 0)
		channel->in_eof = true;
	else
		buf_grown(&channel->in, (size_t)n);
	return 0;
}

int channel_next(struct channel *channel, struct channel_frame *ret_frame)
{
	if (channel->in.n < CHANNEL_HEADER_BYTES)
		return -EAGAIN;

	const uint8_t *h = (const uint8_t *)channel->in.p;
	size_t bytes = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];

	if (h[0] == CHANNEL_NONE || h[0] >= CHANNEL_KIND_COUNT)
		return -EBADMSG;

	const struct kind *kind = &kinds[h[0]];

	if (!(channel->peer == CHANNEL_PEER_FRONT ? kind->from_front : kind->from_server))
		return -EBADMSG;
	if (bytes < kind->min_bytes || bytes > kind->max_bytes)
		return -EBADMSG;
	if (channel->in.n < CHANNEL_HEADER_BYTES + bytes)
		return -EAGAIN;
	*ret_frame = (struct channel_frame){
		.kind = h[0],
		.payload = slice_from(channel->in.p + CHANNEL_HEADER_BYTES, bytes),
	};
	buf_consume(&channel->in, CHANNEL_HEADER_BYTES + bytes);
	return 0;
}

void channel_frame_wipe(struct channel_frame *frame)
{
	if (frame->payload.n > 0)
		explicit_bzero((char *)frame->payload.p, frame->payload.n);
}

static void put_header(uint8_t header[CHANNEL_HEADER_BYTES], enum channel_kind kind, size_t bytes)
{
	header[0] = (uint8_t)kind;
	header[1] = (uint8_t)(bytes >> 16);
	header[2] = (uint8_t)(bytes >> 8);
	header[3] = (uint8_t)bytes;
}

/* Returns bytes taken (0: no room), or -EPIPE. */
static ssize_t send_pieces(int fd, struct iovec *pieces, size_t n_pieces)
{
	struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = n_pieces };

	for (;;) {
		ssize_t n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == ENOBUFS)
			return 0;
		if (errno != EINTR)
			return -EPIPE;
	}
}

/* One send: what is owed, or a header and what it promises. Returns bytes of data taken, or -EPIPE. */
static ssize_t send_frame(int fd, struct slice data, size_t *owed)
{
	uint8_t header[CHANNEL_HEADER_BYTES];
	size_t bytes = *owed > 0 ? *owed : data.n < LIMIT_CHANNEL_DATA_BYTES ? data.n : LIMIT_CHANNEL_DATA_BYTES;
	struct iovec pieces[2] = {
		{ .iov_base = header, .iov_len = CHANNEL_HEADER_BYTES },
		{ .iov_base = (void *)data.p, .iov_len = bytes },
	};
	bool begun = *owed > 0;

	must(bytes <= data.n);
	put_header(header, CHANNEL_DATA, bytes);

	ssize_t n = begun ? send_pieces(fd, pieces + 1, 1) : send_pieces(fd, pieces, 2);

	if (n <= 0)
		return n;
	if (!begun && n < CHANNEL_HEADER_BYTES)
		return -EPIPE;

	size_t taken = (size_t)n - (begun ? 0 : CHANNEL_HEADER_BYTES);

	*owed = bytes - taken;
	return (ssize_t)taken;
}

int channel_send_data(struct channel *channel, struct slice data, size_t *owed, size_t *ret_sent)
{
	size_t sent = 0;

	while (data.n > 0) {
		size_t before = *owed;
		ssize_t n = send_frame(channel->fd, data, owed);

		if (n < 0)
			return (int)n;
		sent += (size_t)n;
		data = slice_tail(data, (size_t)n);
		if (*owed > 0 || (n == 0 && before == *owed))
			break; /* the socket is full */
	}
	*ret_sent = sent;
	return 0;
}

int channel_send(struct channel *channel, enum channel_kind kind, struct slice payload)
{
	uint8_t header[CHANNEL_HEADER_BYTES];
	struct iovec pieces[2] = {
		{ .iov_base = header, .iov_len = CHANNEL_HEADER_BYTES },
		{ .iov_base = (void *)payload.p, .iov_len = payload.n },
	};

	must(payload.n >= kinds[kind].min_bytes && payload.n <= kinds[kind].max_bytes);
	put_header(header, kind, payload.n);

	ssize_t n = send_pieces(channel->fd, pieces, payload.n > 0 ? 2 : 1);

	if (n == 0)
		return -EAGAIN;
	return n == (ssize_t)(CHANNEL_HEADER_BYTES + payload.n) ? 0 : -EPIPE;
}

int channel_send_verdict(struct channel *channel, const struct channel_verdict *verdict)
{
	uint8_t bytes[9 + CHANNEL_VERDICT_TEXT_BYTES];
	struct slice text = slice_head(verdict->text, CHANNEL_VERDICT_TEXT_BYTES);

	bytes[0] = (uint8_t)verdict->verdict;
	for (int i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)(verdict->delay_usec >> 8 * (7 - i));
	if (text.n > 0)
		memcpy(bytes + 9, text.p, text.n);
	return channel_send(channel, CHANNEL_VERDICT, slice_from(bytes, 9 + text.n));
}

int channel_verdict_parse(struct slice payload, struct channel_verdict *ret_verdict)
{
	uint64_t delay_usec = 0;

	if (payload.n < 9 || (uint8_t)payload.p[0] >= VERDICT_COUNT)
		return -EBADMSG;
	for (int i = 0; i < 8; i++)
		delay_usec = delay_usec << 8 | (uint8_t)payload.p[1 + i];

	struct slice text = slice_tail(payload, 9);

	for (size_t i = 0; i < text.n; i++)
		if ((uint8_t)text.p[i] < ' ' || text.p[i] == 0x7f)
			return -EBADMSG;
	*ret_verdict = (struct channel_verdict){ (enum verdict)(uint8_t)payload.p[0], delay_usec, text };
	return 0;
}
