#include "server/master/peer.h"

#include <errno.h>
#include <sys/socket.h>

/* Frames of one peer handled in a row before others have their turn; and, of a dead one, at all. */
enum { FRAMES_A_TURN = 64, FRAMES_TO_DRAIN = 4096 };

static void stop_watchers(struct peer *peer)
{
	if (!peer->loop)
		return;
	ev_io_stop(peer->loop, &peer->readable);
	ev_io_stop(peer->loop, &peer->writable);
}

static void lose(struct peer *peer, enum peer_loss loss)
{
	stop_watchers(peer);
	if (peer->lost)
		return;
	peer->lost = true;
	peer->calls->on_lost(peer->owner, loss);
}

/* Returns 0 after a frame, else what line_receive() said. */
static int receive_one(struct peer *peer)
{
	struct line_frame frame;
	int r = line_receive(&peer->line, &frame);

	if (r < 0)
		return r;
	peer->calls->on_frame(peer->owner, &frame);
	line_frame_done(&frame);
	return 0;
}

static int receive(struct peer *peer, unsigned frames)
{
	int r = 0;

	for (unsigned i = 0; i < frames && r == 0 && peer_is_open(peer); i++)
		r = receive_one(peer);
	return r;
}

static void on_readable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct peer *peer = watcher->data;
	int r = receive(peer, peer->stuck ? FRAMES_TO_DRAIN : FRAMES_A_TURN);

	(void)loop;
	(void)events;
	if (!peer_is_open(peer))
		return;
	if (r == -EBADMSG)
		lose(peer, PEER_MALFORMED);
	else if (r == -EPIPE)
		lose(peer, PEER_CLOSED);
	else if (peer->stuck)
		lose(peer, PEER_STUCK);
}

static void mark_stuck(struct peer *peer)
{
	peer->stuck = true;
	ev_feed_event(peer->loop, &peer->readable, EV_READ);
}

static void on_writable(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct peer *peer = watcher->data;

	(void)events;
	if (line_flush(&peer->line) < 0)
		mark_stuck(peer);
	if (peer->stuck || !line_wants_write(&peer->line))
		ev_io_stop(loop, watcher);
}

void peer_open(struct peer *peer, struct ev_loop *loop, int fd, enum role role)
{
	*peer = (struct peer){ .loop = loop, .line = line_open(fd, role) };
	ev_io_init(&peer->readable, on_readable, fd, EV_READ);
	ev_io_init(&peer->writable, on_writable, fd, EV_WRITE);
	peer->readable.data = peer->writable.data = peer;
}

void peer_watch(struct peer *peer, const struct peer_calls *calls, void *owner)
{
	peer->calls = calls;
	peer->owner = owner;
	if (peer_is_open(peer) && !peer->lost)
		ev_io_start(peer->loop, &peer->readable);
}

void peer_send(struct peer *peer, const struct frame *frame, const int *fds)
{
	if (!peer_is_open(peer) || peer->lost || peer->stuck)
		return;
	if (line_send(&peer->line, frame, fds) < 0) {
		/* Not watched yet: whoever begins to watch finds the end of file. */
		if (peer->calls)
			mark_stuck(peer);
		return;
	}
	if (line_wants_write(&peer->line))
		ev_io_start(peer->loop, &peer->writable);
}

void peer_drain(struct peer *peer)
{
	if (peer->calls && !peer->lost)
		(void)!receive(peer, FRAMES_TO_DRAIN);
}

void peer_shutdown(struct peer *peer)
{
	if (peer_is_open(peer))
		shutdown(peer->line.fd, SHUT_WR);
}

void peer_close(struct peer *peer)
{
	stop_watchers(peer);
	if (peer_is_open(peer))
		line_close(&peer->line);
}
