/* line.h - one end of a process's line to the master (or the master's end of it): frames out through a bounded queue, frames in. */
#pragma once

#include "server/ipc/frames.h"

/*
 * Neither end ever blocks: every send and receive is MSG_DONTWAIT. What the kernel does not take at once
 * is queued, in order, with its descriptors, up to LINE_QUEUE_BYTES; beyond, the peer counts as dead.
 */
enum { LINE_QUEUE_BYTES = 1024 * 1024 };

struct line_packet;

struct line {
	int fd;           /* -1: closed */
	enum role peer;   /* who may send what is checked against this */
	struct line_packet *first, *last;
	size_t queued_bytes;
	uint64_t dropped_logs; /* LOG frames that found no room; whoever logs tells, and sets it to 0 */
	uint64_t lost_frames;  /* received without all their descriptors: no room for more here, or too many were sent */
};

/* A frame as it came, with its descriptors. */
struct line_frame {
	struct frame frame; /* slices point into packet */
	int fds[FRAME_MAX_FDS];
	size_t n_fds; /* those not taken are closed by line_frame_done() */
	uint8_t packet[FRAME_MAX_BYTES];
};

/* Make a pair: SOCK_SEQPACKET, close-on-exec, non-blocking. Returns 0 or -errno. */
_must_check_ int line_pair(int ret_fds[2]);

/* Take fd over as one end of a line whose other end is a process of role peer. */
struct line line_open(int fd, enum role peer);

/* Close the descriptor and drop the queue. The caller has taken fd out of its event loop before. */
void line_close(struct line *line);

/*
 * Send a frame, or queue it.
 * fds      frame_fds(frame) descriptors; copied (the caller keeps and closes its own).
 * Returns  0; -EPIPE: the peer is gone or its queue is full: end it.
 *          A LOG frame is dropped and counted instead when anything is queued.
 */
_must_check_ int line_send(struct line *line, const struct frame *frame, const int *fds);

/* Whether something is queued: watch for writable, then call line_flush(). */
static inline bool line_wants_write(const struct line *line)
{
	return line->first != NULL;
}

/* Send what is queued as far as it goes. Returns 0, or -EPIPE. */
_must_check_ int line_flush(struct line *line);

/*
 * Receive one frame.
 * Returns  0: *ret is set; call line_frame_done() after use.
 *          -EAGAIN: nothing there. -EPIPE: end of file, or an error of the socket.
 *          -EBADMSG: not a frame of this peer, or not with the right number of descriptors: end the peer.
 *          A frame whose descriptors this process has no room for is no fault of the peer: it is dropped and counted
 *          in lost_frames; what hung on them sees end-of-file (a login: a temporary failure).
 *          Descriptors arrive close-on-exec.
 */
_must_check_ int line_receive(struct line *line, struct line_frame *ret);

/* Wipe the packet where it held ticket keys, and close the descriptors that were not taken. */
void line_frame_done(struct line_frame *frame);

/* Take descriptor i out of the frame; the caller owns it. */
int line_frame_take_fd(struct line_frame *frame, size_t i);
