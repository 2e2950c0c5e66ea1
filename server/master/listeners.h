/* listeners.h - the listening sockets: from systemd by name, or opened from [listen]. Accepting is the fronts' work. */
#pragma once

#include "base/log.h"
#include "conf/conf.h"
#include "server/ipc/frames.h"

struct listener {
	int fd;
	enum service service;
	struct address address; /* for messages; family 0 if it is no TCP socket */
};

struct listeners {
	struct listener items[FRAME_MAX_FDS];
	size_t n;
	bool from_systemd; /* then [listen] is not looked at */
};

/* Why a listener is not there, ready for a person: service, address, cause, remedy. */
struct listener_problems {
	char texts[FRAME_MAX_FDS + 1][300];
	size_t n;
};

/*
 * Take the sockets that systemd passed, if it did.
 * Returns  0: taken. -ENOENT: systemd passed none. -EINVAL: problems tells of unknown names and of descriptors
 *          that are no listening stream sockets.
 */
_must_check_ int listeners_from_systemd(struct listeners *ret, struct listener_problems *problems);

/*
 * Open what [listen] asks for, keeping what is already open in have.
 * have     may be NULL. Descriptors that both need are duplicated.
 * Returns  0, or -EINVAL: problems tells of each that failed; nothing stays open.
 */
_must_check_ int listeners_open(const struct conf *conf, const struct listeners *have, struct listeners *ret,
	struct listener_problems *problems);

/* The frame that hands the sockets to a front pool. services: room for FRAME_MAX_FDS; fds: as for line_send(). */
struct frame listeners_frame(const struct listeners *listeners, uint8_t *services, int *fds);

/* Close all. */
void listeners_done(struct listeners *listeners);
