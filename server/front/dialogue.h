/* dialogue.h - a connection before login: handshake, and the dialogue in the clear or under TLS. */
#pragma once

#include "server/front/connection.h"

/* Begin: in HANDSHAKE or CLEAR, as the service is. */
void dialogue_begin(struct connection *c);

/* The step of CLEAR and PRELOGIN; of HANDSHAKE. */
void dialogue_step(struct connection *c, unsigned events);
void dialogue_step_handshake(struct connection *c, unsigned events);

/* Which events they wait for, as a set of enum connection_event. */
unsigned dialogue_waits(const struct connection *c);
unsigned dialogue_waits_handshake(const struct connection *c);

/* When they time out. */
uint64_t dialogue_due_usec(const struct connection *c);
uint64_t dialogue_due_usec_handshake(const struct connection *c);
