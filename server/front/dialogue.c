#include "server/front/dialogue.h"

#include "base/must.h"
#include "base/quote.h"
#include "server/front/front.h"
#include "server/front/login.h"

#include <errno.h>
#include <openssl/ssl.h>

enum { COMMANDS_A_TURN = 64 };

void dialogue_begin(struct connection *c)
{
	bool implicit = service_is_implicit_tls(c->service);

	c->prelogin = malloc(sizeof *c->prelogin);
	must(c->prelogin != NULL);
	prelogin_init(c->prelogin, c->service, implicit);
	c->state = implicit ? CONNECTION_HANDSHAKE : CONNECTION_CLEAR;
	if (implicit)
		return;
	if (c->refused)
		connection_end(c, c->refusal);
	else
		prelogin_greet(c->prelogin, &c->out);
}

/* ---- the dialogue ---- */

static void log_attempt(struct connection *c)
{
	struct prelogin_attempt *attempt = &c->prelogin->attempt;
	char address[ADDRESS_TEXT_BYTES], user[QUOTE_BYTES(PRELOGIN_LOGGED_USER_BYTES)];

	if (!attempt->command)
		return;
	address_format(&c->address, address);
	status_add(&c->front->status, STATUS_CLEAR_ATTEMPTS, 1);
	front_log_client(c->front, LOG_PRIORITY_NOTICE, &c->address, "clear-text attempt: user=%s addr=%s service=%s command=%s",
		attempt->user.n > 0 ? quote_format(attempt->user, user, sizeof user) : "-", address, service_name(c->service),
		attempt->command);
	attempt->command = NULL;
}

/*
 * What came before our answer was sent, came from somebody who did not wait for it: an injection. Whatever arrives
 * later is the handshake, or breaks it.
 */
static void start_tls(struct connection *c)
{
	size_t dropped = c->in.n + stream_drop_input(&c->stream);
	char address[ADDRESS_TEXT_BYTES];

	buf_done_wipe(&c->in);
	if (dropped > 0) {
		address_format(&c->address, address);
		front_log_client(c->front, LOG_PRIORITY_WARNING, &c->address,
			"discarded %zu bytes sent in the clear behind STARTTLS: addr=%s service=%s", dropped, address,
			service_name(c->service));
	}
	connection_set_state(c, CONNECTION_HANDSHAKE);
}

/* Do what a step of the dialogue asks for. Returns whether to go on with the next one. */
static bool apply(struct connection *c, enum prelogin_wants wants)
{
	switch (wants) {
	case PRELOGIN_AGAIN:
		return true;
	case PRELOGIN_START_TLS:
		start_tls(c);
		return false;
	case PRELOGIN_LOGIN:
		login_start(c);
		return false;
	case PRELOGIN_CLOSE:
		connection_set_state(c, CONNECTION_CLOSING);
		return false;
	case PRELOGIN_INPUT:
		break;
	}
	if (c->stream.eof)
		connection_set_state(c, CONNECTION_CLOSING);
	return false;
}

/* Take commands as long as their answers have room, and this connection its turn. */
static void take_commands(struct connection *c)
{
	for (int i = 0; i < COMMANDS_A_TURN; i++) {
		if (c->out.n > PRELOGIN_HIGH_WATER_BYTES && !connection_flush(c))
			return;

		enum prelogin_wants wants = prelogin_step(c->prelogin, &c->in, &c->out);

		log_attempt(c);
		if (!apply(c, wants))
			return;
	}
	c->again = true;
}

void dialogue_step(struct connection *c, unsigned events)
{
	if (!connection_flush(c) && c->state == CONNECTION_CLOSED)
		return;
	if (events & CONNECTION_DUE) {
		connection_end(c, PRELOGIN_BYE_TIMEOUT);
		return;
	}
	if (c->out.n > PRELOGIN_HIGH_WATER_BYTES)
		return;
	if ((events & CONNECTION_CLIENT_READ) && connection_read(c, CONNECTION_READ_BYTES) == -EPIPE && !c->stream.eof) {
		connection_set_state(c, CONNECTION_CLOSED);
		return;
	}
	take_commands(c);
	if (c->in.n == 0)
		buf_done_wipe(&c->in);
	if (c->state == CONNECTION_CLEAR || c->state == CONNECTION_PRELOGIN)
		(void)connection_flush(c);
}

unsigned dialogue_waits(const struct connection *c)
{
	bool reads = !c->stream.eof && c->out.n <= PRELOGIN_HIGH_WATER_BYTES;

	return (reads ? CONNECTION_CLIENT_READ : 0) | (c->out.n > 0 ? CONNECTION_CLIENT_WRITE : 0);
}

uint64_t dialogue_due_usec(const struct connection *c)
{
	return c->began_usec + c->front->conf->front.login_timeout_usec;
}

/* ---- the handshake ---- */

static void handshake_failed(struct connection *c, const char *reason)
{
	char address[ADDRESS_TEXT_BYTES];

	address_format(&c->address, address);
	status_add(&c->front->status, STATUS_HANDSHAKES_FAILED, 1);
	front_log_client(c->front, LOG_PRIORITY_INFO, &c->address, "TLS handshake failed: addr=%s service=%s: %s", address,
		service_name(c->service), reason);
	connection_set_state(c, CONNECTION_CLOSED);
}

static void handshake_done(struct connection *c)
{
	status_add(&c->front->status, STATUS_HANDSHAKES, 1);
	status_add(&c->front->status, STATUS_HANDSHAKES_RESUMED, SSL_session_reused(c->stream.ssl) ? 1 : 0);
	connection_set_state(c, CONNECTION_PRELOGIN);
	if (c->refused)
		connection_end(c, c->refusal);
	else if (service_is_implicit_tls(c->service))
		prelogin_greet(c->prelogin, &c->out);
	else
		prelogin_tls_started(c->prelogin);
}

/* The answer to STARTTLS goes out in the clear, before TLS is put over the socket. Returns whether it is there. */
static bool has_tls(struct connection *c)
{
	if (c->stream.ssl)
		return true;
	if (!connection_flush(c))
		return false;

	struct ssl_st *ssl = tls_accept_new(c->front->tls, c->service, c->stream.fd);

	if (!ssl) {
		connection_set_state(c, CONNECTION_CLOSED);
		return false;
	}
	stream_start_tls(&c->stream, ssl);
	return true;
}

void dialogue_step_handshake(struct connection *c, unsigned events)
{
	const char *reason = NULL;

	if (events & CONNECTION_DUE) {
		handshake_failed(c, "too slow");
		return;
	}
	if (!has_tls(c))
		return;

	int r = stream_handshake(&c->stream, &reason);

	if (r == 0)
		handshake_done(c);
	else if (r == -EPROTO)
		handshake_failed(c, reason);
	else if (r != -EAGAIN)
		connection_set_state(c, CONNECTION_CLOSED);
}

unsigned dialogue_waits_handshake(const struct connection *c)
{
	return c->out.n > 0 || c->stream.read_wants_writable ? CONNECTION_CLIENT_WRITE : CONNECTION_CLIENT_READ;
}

uint64_t dialogue_due_usec_handshake(const struct connection *c)
{
	return c->state_usec + c->front->conf->front.handshake_timeout_usec;
}
