#include "server/ipc/line.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct line_packet {
	struct line_packet *next;
	size_t n_bytes, n_fds;
	int fds[FRAME_MAX_FDS];
	uint8_t bytes[];
};

union fd_space {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FRAME_MAX_FDS * sizeof(int))];
};

int line_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

struct line line_open(int fd, enum role peer)
{
	return (struct line){ .fd = fd, .peer = peer };
}

static void packet_free(struct line_packet *packet)
{
	for (size_t i = 0; i < packet->n_fds; i++)
		cleanup_close(&packet->fds[i]);
	explicit_bzero(packet->bytes, packet->n_bytes);
	free(packet);
}

void line_close(struct line *line)
{
	while (line->first) {
		struct line_packet *packet = line->first;

		line->first = packet->next;
		packet_free(packet);
	}
	line->last = NULL;
	line->queued_bytes = 0;
	cleanup_close(&line->fd);
	line->fd = -1;
}

/* Returns 0, -EAGAIN, or -EPIPE for every other failure: the peer is of no use any more. */
static int send_packet(int fd, struct slice packet, const int *fds, size_t n_fds)
{
	struct iovec iov = { .iov_base = (void *)packet.p, .iov_len = packet.n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_space space = { 0 };

	if (n_fds > 0) {
		msg.msg_control = space.bytes;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));

		struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
			return -EAGAIN;
		if (errno != EINTR)
			return -EPIPE;
	}
}

static int enqueue(struct line *line, struct slice bytes, const int *fds, size_t n_fds)
{
	if (line->queued_bytes + bytes.n > LINE_QUEUE_BYTES)
		return -EPIPE;

	struct line_packet *packet = malloc(sizeof *packet + bytes.n);

	must(packet != NULL);
	*packet = (struct line_packet){ .n_bytes = bytes.n };
	memcpy(packet->bytes, bytes.p, bytes.n);
	for (; packet->n_fds < n_fds; packet->n_fds++) {
		packet->fds[packet->n_fds] = fcntl(fds[packet->n_fds], F_DUPFD_CLOEXEC, 0);
		if (packet->fds[packet->n_fds] < 0) {
			packet_free(packet);
			return -EPIPE;
		}
	}
	if (line->last)
		line->last->next = packet;
	else
		line->first = packet;
	line->last = packet;
	line->queued_bytes += bytes.n;
	return 0;
}

int line_send(struct line *line, const struct frame *frame, const int *fds)
{
	uint8_t bytes[FRAME_MAX_BYTES];

	if (line->fd < 0)
		return -EPIPE;

	size_t n_fds = frame_fds(frame);
	struct slice packet = slice_from(bytes, frame_encode(frame, bytes));
	int r = line->first ? -EAGAIN : send_packet(line->fd, packet, fds, n_fds);

	if (r == -EAGAIN && frame->kind == FRAME_LOG) {
		line->dropped_logs++;
		return 0;
	}
	if (r == -EAGAIN)
		r = enqueue(line, packet, fds, n_fds);
	if (frame->kind == FRAME_TICKET_KEYS)
		explicit_bzero(bytes, packet.n);
	return r;
}

int line_flush(struct line *line)
{
	while (line->first) {
		struct line_packet *packet = line->first;
		int r = send_packet(line->fd, slice_from(packet->bytes, packet->n_bytes), packet->fds, packet->n_fds);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		line->first = packet->next;
		if (!line->first)
			line->last = NULL;
		line->queued_bytes -= packet->n_bytes;
		packet_free(packet);
	}
	return 0;
}

static void take_descriptors(struct msghdr *msg, struct line_frame *ret)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;

		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		must(ret->n_fds + n <= FRAME_MAX_FDS);
		memcpy(ret->fds + ret->n_fds, CMSG_DATA(h), n * sizeof(int));
		ret->n_fds += n;
	}
}

/* One packet. Returns 0, -EAGAIN, -EPIPE; -EMFILE: descriptors are missing, and those that came are closed. */
static int receive_packet(int fd, struct line_frame *ret, struct slice *ret_packet, bool *ret_cut)
{
	struct iovec iov = { .iov_base = ret->packet, .iov_len = sizeof ret->packet };
	union fd_space space;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof space.bytes,
	};
	ssize_t n;

	ret->n_fds = 0;
	ret->frame.kind = FRAME_NONE;
	do {
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	take_descriptors(&msg, ret);
	if (n == 0 && ret->n_fds == 0)
		return -EPIPE;
	if (msg.msg_flags & MSG_CTRUNC) {
		line_frame_done(ret);
		return -EMFILE;
	}
	*ret_packet = slice_from(ret->packet, (size_t)n);
	*ret_cut = msg.msg_flags & MSG_TRUNC;
	return 0;
}

int line_receive(struct line *line, struct line_frame *ret)
{
	struct slice packet;
	bool cut;
	int r;

	while ((r = receive_packet(line->fd, ret, &packet, &cut)) == -EMFILE)
		line->lost_frames++;
	if (r < 0)
		return r;
	if (cut || frame_decode(packet, line->peer, &ret->frame) < 0 || frame_fds(&ret->frame) != ret->n_fds) {
		ret->frame.kind = FRAME_NONE;
		line_frame_done(ret);
		return -EBADMSG;
	}
	return 0;
}

void line_frame_done(struct line_frame *frame)
{
	if (frame->frame.kind == FRAME_TICKET_KEYS)
		explicit_bzero(frame->packet, sizeof frame->packet);
	for (size_t i = 0; i < frame->n_fds; i++)
		cleanup_close(&frame->fds[i]);
	frame->n_fds = 0;
}

int line_frame_take_fd(struct line_frame *frame, size_t i)
{
	must(i < frame->n_fds && frame->fds[i] >= 0);
	return take_fd(&frame->fds[i]);
}
