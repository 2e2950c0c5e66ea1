/* client.h - one request to the master over its control socket. */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"

enum {
	CLIENT_TIMEOUT_SECONDS = 30,
	CLIENT_RELOAD_TIMEOUT_SECONDS = 80, /* a busy host may need a while; systemd waits 90 s */
	CLIENT_EXPLAIN_BYTES = 600,
};

/*
 * Write the request of a verb and its arguments, as server/ipc/control.h has it.
 * Returns 0; -E2BIG: longer than a request may be.
 */
_must_check_ int client_format(struct buf *out, const struct slice *words, size_t n);

/*
 * Send a request and read until the other end closes. Blocks, but never longer than timeout_seconds without a byte.
 * Returns 0; -ETIMEDOUT; -ENAMETOOLONG: no socket can have such a path; -ENOBUFS: more than reply may hold; -errno of connect() and of what follows.
 */
_must_check_ int client_ask(const char *socket_path, struct slice request, unsigned timeout_seconds, struct buf *reply);

/* Say for a person why client_ask() failed, and what to do. Pure. */
void client_explain(const char *socket_path, int error, char ret_text[CLIENT_EXPLAIN_BYTES]);
