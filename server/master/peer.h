/* peer.h - one end of a line in the event loop: whole frames in, frames out, and one word when the line is lost. */
#pragma once

#include "server/ipc/line.h"

#include <ev.h>

enum peer_loss {
	PEER_CLOSED,    /* end of file: the process closed its end, or ended */
	PEER_MALFORMED, /* something that is no frame of this peer's */
	PEER_STUCK,     /* it does not read, and its queue is full */
};

/* What the owner is told. It may call peer_close() in either, but not free the peer. */
struct peer_calls {
	void (*on_frame)(void *owner, struct line_frame *frame);
	void (*on_lost)(void *owner, enum peer_loss loss); /* once; the watchers are stopped */
};

struct peer {
	struct ev_loop *loop;
	struct line line;
	struct ev_io readable, writable;
	const struct peer_calls *calls;
	void *owner;
	bool stuck, lost;
};

/* Take fd over as our end of the line of a process of this role. Nothing is read before peer_watch(). */
void peer_open(struct peer *peer, struct ev_loop *loop, int fd, enum role role);

/* Begin to read, telling owner by calls. */
void peer_watch(struct peer *peer, const struct peer_calls *calls, void *owner);

/*
 * Send a frame; fds as for line_send(): they stay the caller's. Where it fails, the owner hears of it by
 * on_lost later, never from in here. A peer that is closed or lost swallows it.
 */
void peer_send(struct peer *peer, const struct frame *frame, const int *fds);

/* Hand all frames that are there already to on_frame, as after the end of the process. */
void peer_drain(struct peer *peer);

/* Say end-of-file to the other end, and go on reading. */
void peer_shutdown(struct peer *peer);

/* Out of the event loop, then closed. May be called again. */
void peer_close(struct peer *peer);

static inline bool peer_is_open(const struct peer *peer)
{
	return peer->line.fd >= 0;
}
