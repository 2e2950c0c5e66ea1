/*
 * Invariants:
 * 1. A connection is in the list of its front from connection_new() to connection_free(), and counted as long.
 * 2. Steps run from step_all() only; a connection is freed after its step returned, never within one.
 * 3. A descriptor is taken out of the event loop before it is closed.
 */
#include "server/front/connection.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/front/dialogue.h"
#include "server/front/front.h"
#include "server/front/login.h"
#include "server/front/relay.h"

#include <errno.h>

enum { CLOSING_USEC = 10 * 1000000, LINGER_USEC = 2 * 1000000 };

static void step_closing(struct connection *c, unsigned events);
static void step_linger(struct connection *c, unsigned events);
static unsigned waits_closing(const struct connection *c);
static unsigned waits_linger(const struct connection *c);
static uint64_t due_usec_closing(const struct connection *c);
static uint64_t due_usec_linger(const struct connection *c);

#define TO(state) (1u << CONNECTION_##state)

static const struct {
	unsigned edges;
	void (*step)(struct connection *c, unsigned events);
	unsigned (*waits)(const struct connection *c);
	uint64_t (*due_usec)(const struct connection *c); /* 0: never */
} states[CONNECTION_STATE_COUNT] = {
	[CONNECTION_CLEAR] = { TO(HANDSHAKE) | TO(CLOSING) | TO(CLOSED), dialogue_step, dialogue_waits, dialogue_due_usec },
	[CONNECTION_HANDSHAKE] = { TO(PRELOGIN) | TO(CLOSING) | TO(CLOSED), dialogue_step_handshake, dialogue_waits_handshake,
		dialogue_due_usec_handshake },
	[CONNECTION_PRELOGIN] = { TO(LOGIN) | TO(CLOSING) | TO(CLOSED), dialogue_step, dialogue_waits, dialogue_due_usec },
	[CONNECTION_LOGIN] = { TO(PRELOGIN) | TO(RELAY) | TO(CLOSING) | TO(CLOSED), login_step, login_waits, login_due_usec },
	[CONNECTION_RELAY] = { TO(CLOSING) | TO(CLOSED), relay_step, relay_waits, relay_due_usec },
	[CONNECTION_CLOSING] = { TO(LINGER) | TO(CLOSED), step_closing, waits_closing, due_usec_closing },
	[CONNECTION_LINGER] = { TO(CLOSED), step_linger, waits_linger, due_usec_linger },
};

uint64_t connection_now_usec(const struct connection *c)
{
	(void)c;
	return clock_monotonic_usec();
}

void connection_set_state(struct connection *c, enum connection_state state)
{
	must(states[c->state].edges & 1u << state);
	if (c->state == CONNECTION_RELAY || state == CONNECTION_RELAY)
		status_add(&c->front->status, STATUS_RELAYING, state == CONNECTION_RELAY ? 1 : -1);
	c->state = state;
	c->state_usec = connection_now_usec(c);
}

/* ---- the event loop ---- */

static void watch(struct ev_loop *loop, ev_io *io, int events)
{
	int now = ev_is_active(io) ? io->events & (EV_READ | EV_WRITE) : 0;

	if (now == events)
		return;
	ev_io_stop(loop, io);
	if (events == 0)
		return;
	ev_io_modify(io, events);
	ev_io_start(loop, io);
}

static int loop_events(unsigned waits, unsigned read, unsigned write)
{
	return (waits & read ? EV_READ : 0) | (waits & write ? EV_WRITE : 0);
}

/* Restarted only to fire earlier: one that fires too early looks again. */
static void set_timer(struct connection *c, uint64_t due_usec)
{
	uint64_t now = connection_now_usec(c);

	if (due_usec == 0 || (c->timer_usec > 0 && c->timer_usec <= due_usec))
		return;
	ev_timer_stop(c->front->loop, &c->timer);
	ev_timer_set(&c->timer, due_usec > now ? (double)(due_usec - now) / USEC_PER_SEC : 0., 0.);
	ev_timer_start(c->front->loop, &c->timer);
	c->timer_usec = due_usec > now ? due_usec : now;
}

/* What TLS wants may be the other direction than what the step waits for. */
static unsigned tls_waits(const struct connection *c, unsigned waits)
{
	if ((waits & CONNECTION_CLIENT_READ) && c->stream.read_wants_writable)
		waits |= CONNECTION_CLIENT_WRITE;
	if ((waits & CONNECTION_CLIENT_WRITE) && c->stream.write_wants_readable)
		waits |= CONNECTION_CLIENT_READ;
	return waits;
}

static void settle(struct connection *c)
{
	struct ev_loop *loop = c->front->loop;
	unsigned waits = tls_waits(c, states[c->state].waits(c));
	bool held = c->readable && (waits & CONNECTION_CLIENT_READ) && stream_has_pending(&c->stream);

	watch(loop, &c->client_watch, loop_events(waits, CONNECTION_CLIENT_READ, CONNECTION_CLIENT_WRITE));
	if (c->channel.fd >= 0)
		watch(loop, &c->channel_watch, loop_events(waits, CONNECTION_CHANNEL_READ, CONNECTION_CHANNEL_WRITE));
	/* What the kernel will not tell: come back after the others. (A fed event would come before them.) */
	set_timer(c, c->again || held ? connection_now_usec(c) : states[c->state].due_usec(c));
}

static void step_all(struct connection *c, unsigned events)
{
	enum connection_state before;

	uint64_t due_usec = states[c->state].due_usec(c);

	if (due_usec > 0 && due_usec <= connection_now_usec(c))
		events |= CONNECTION_DUE;
	if ((events & CONNECTION_CLIENT_WRITE) && c->stream.read_wants_writable)
		events |= CONNECTION_CLIENT_READ;
	c->again = false;
	do {
		before = c->state;
		states[before].step(c, events);
		events = CONNECTION_CLIENT_READ | CONNECTION_CLIENT_WRITE | CONNECTION_CHANNEL_READ;
	} while (c->state != before && c->state != CONNECTION_CLOSED);
	if (c->state == CONNECTION_CLOSED)
		connection_free(c);
	else
		settle(c);
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	step_all(io->data, (events & EV_READ ? CONNECTION_CLIENT_READ : 0) | (events & EV_WRITE ? CONNECTION_CLIENT_WRITE : 0));
}

static void on_channel(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	step_all(io->data, (events & EV_READ ? CONNECTION_CHANNEL_READ : 0) | (events & EV_WRITE ? CONNECTION_CHANNEL_WRITE : 0));
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct connection *c = timer->data;
	bool again = c->again || c->readable;

	(void)loop;
	(void)events;
	c->timer_usec = 0;
	step_all(c, again ? CONNECTION_CLIENT_READ | CONNECTION_CHANNEL_READ : 0);
}

/* ---- bytes ---- */

bool connection_flush(struct connection *c)
{
	while (c->out.n > 0) {
		ssize_t n = stream_write(&c->stream, buf_slice(&c->out));

		if (n == -EPIPE)
			connection_set_state(c, CONNECTION_CLOSED);
		if (n < 0)
			return false;
		buf_consume(&c->out, (size_t)n);
		status_add(&c->front->status, STATUS_BYTES_TO_CLIENTS, n);
	}
	buf_done(&c->out);
	return true;
}

int connection_read(struct connection *c, size_t limit_bytes)
{
	size_t room = c->in.n < limit_bytes ? limit_bytes - c->in.n : 0;

	if (room == 0)
		return -EAGAIN;

	ssize_t n = stream_read(&c->stream, &c->in, room < CONNECTION_READ_BYTES ? room : CONNECTION_READ_BYTES);

	c->readable = n > 0;
	if (n <= 0)
		return n == -EAGAIN ? -EAGAIN : -EPIPE;
	status_add(&c->front->status, STATUS_BYTES_FROM_CLIENTS, n);
	return 0;
}

void connection_open_channel(struct connection *c, int fd)
{
	c->channel = channel_open(fd, CHANNEL_PEER_SERVER);
	ev_io_init(&c->channel_watch, on_channel, fd, EV_READ);
	c->channel_watch.data = c;
}

void connection_close_channel(struct connection *c)
{
	if (c->channel.fd < 0)
		return;
	ev_io_stop(c->front->loop, &c->channel_watch);
	channel_close(&c->channel);
	c->relay.to_client = (struct slice){ 0 };
}

/* ---- the end ---- */

void connection_end(struct connection *c, enum prelogin_bye bye)
{
	if (c->state == CONNECTION_HANDSHAKE) {
		connection_set_state(c, CONNECTION_CLOSED); /* nothing can be said yet */
		return;
	}
	prelogin_say_bye(c->service, bye, &c->out);
	connection_set_state(c, CONNECTION_CLOSING);
}

static void step_closing(struct connection *c, unsigned events)
{
	login_cancel(c);
	connection_close_channel(c);
	buf_done_wipe(&c->in);
	if (events & CONNECTION_DUE) {
		connection_set_state(c, CONNECTION_CLOSED);
		return;
	}
	if (!connection_flush(c))
		return;

	int r = stream_finish(&c->stream);

	if (r != -EAGAIN)
		connection_set_state(c, r == 0 ? CONNECTION_LINGER : CONNECTION_CLOSED);
}

static unsigned waits_closing(const struct connection *c)
{
	(void)c;
	return CONNECTION_CLIENT_WRITE;
}

static uint64_t due_usec_closing(const struct connection *c)
{
	return c->state_usec + CLOSING_USEC;
}

static void step_linger(struct connection *c, unsigned events)
{
	if ((events & CONNECTION_DUE) || stream_discard(&c->stream) == 0)
		connection_set_state(c, CONNECTION_CLOSED);
}

static unsigned waits_linger(const struct connection *c)
{
	(void)c;
	return CONNECTION_CLIENT_READ;
}

static uint64_t due_usec_linger(const struct connection *c)
{
	return c->state_usec + LINGER_USEC;
}

/* ---- beginning and freeing ---- */

static void count(struct connection *c, int n)
{
	struct front *front = c->front;

	front->n_connections += (unsigned)n;
	front->n_refusing += c->refused ? (unsigned)n : 0;
	status_add(&front->status, STATUS_CONNECTIONS_IMAPS + c->service, n);
	status_count_client(&front->status, &c->address, n);
}

static void link_connection(struct connection *c)
{
	c->next = c->front->connections;
	if (c->next)
		c->next->previous = c;
	c->front->connections = c;
}

static void unlink_connection(struct connection *c)
{
	if (c->previous)
		c->previous->next = c->next;
	else
		c->front->connections = c->next;
	if (c->next)
		c->next->previous = c->previous;
}

void connection_new(struct front *front, int fd, enum service service, const struct address *address, enum prelogin_bye refusal)
{
	struct connection *c = calloc(1, sizeof *c);

	must(c != NULL);
	*c = (struct connection){
		.front = front,
		.service = service,
		.address = *address,
		.refused = refusal != PRELOGIN_BYE_COUNT,
		.refusal = refusal,
		.began_usec = clock_monotonic_usec(),
		.stream = { .fd = fd },
		.in = BUF(LIMIT_PIPELINE_BYTES),
		.out = BUF(PRELOGIN_OUT_BYTES),
		.channel = { .fd = -1 },
	};
	c->state_usec = c->began_usec;
	ev_io_init(&c->client_watch, on_client, fd, EV_READ);
	ev_init(&c->timer, on_timer);
	c->client_watch.data = c->timer.data = c;
	link_connection(c);
	count(c, 1);
	dialogue_begin(c);
	step_all(c, CONNECTION_CLIENT_READ | CONNECTION_CLIENT_WRITE);
}

void connection_free(struct connection *c)
{
	struct front *front = c->front;

	login_cancel(c);
	connection_close_channel(c);
	relay_done(c);
	ev_io_stop(front->loop, &c->client_watch);
	ev_timer_stop(front->loop, &c->timer);
	stream_close(&c->stream);
	buf_done_wipe(&c->in);
	buf_done(&c->out);
	if (c->prelogin) {
		prelogin_done(c->prelogin);
		free(c->prelogin);
	}
	count(c, -1);
	unlink_connection(c);
	free(c);
	front_connection_ended(front);
}

void connection_stop(struct connection *c)
{
	if (c->state >= CONNECTION_CLOSING)
		return; /* it was said */
	if (c->state == CONNECTION_RELAY) { /* the session says it */
		relay_stop(c);
		step_all(c, 0);
		return;
	}
	connection_end(c, PRELOGIN_BYE_STOPPING);
	if (c->state == CONNECTION_CLOSED)
		connection_free(c);
	else
		step_all(c, CONNECTION_CLIENT_WRITE);
}
