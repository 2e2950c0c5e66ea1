/* login.h - a login under way: credentials into the channel, the verdict out of it, the answer at its time. */
#pragma once

#include "server/front/connection.h"

/*
 * The answer to a failed login comes at start + the longest of [auth] failure-delay and what the verdict asks, so that
 * no cause of failure can be told by its time; IN_USE and LIMIT, which only come after the right password, at once.
 * A channel that ends without a verdict is a temporary failure.
 */
enum {
	LOGIN_QUEUE_USEC = 60 * 1000000,      /* beyond what verifying may take: the wait in the master's queue */
	LOGIN_MAX_DELAY_USEC = 120 * 1000000, /* whatever a verdict asks */
};

/* Hand the credentials of c->prelogin on; all copies of them are wiped. The state becomes LOGIN. */
void login_start(struct connection *c);

/* The step of LOGIN, what it waits for, and when it is due. */
void login_step(struct connection *c, unsigned events);
unsigned login_waits(const struct connection *c);
uint64_t login_due_usec(const struct connection *c);

/* Forget the login; if there is no verdict yet, the master is told. */
void login_cancel(struct connection *c);
