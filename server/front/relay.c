/*
 *   client ──stream_read──▶ c->in ──channel_send_data──▶ session
 *   client ◀──stream_write── c->out, then relay.to_client ◀──channel_next── channel.in ◀──channel_read── session
 *
 * Backpressure: the client is read only while c->in is empty, the channel only while all it gave was sent on.
 * relay.to_client points into channel.in: channel_read() and channel_next() are called only when it is empty.
 * A quiet connection holds no buffer.
 *
 * With COMPRESS (RFC 4978), from the answer to it on:
 *
 *   client ──stream_read──▶ c->in ──inflate──▶ relay.inflated ──channel_send_data──▶ session
 *   client ◀──stream_write── c->out ◀──deflate── relay.to_client ◀── as above
 *
 * Each arrow moves only while what it fills is empty, so no ratio of compression makes anything grow. What is deflated is
 * flushed when the session has no more for now.
 */
#include "server/front/relay.h"

#include "base/must.h"
#include "server/front/compress.h"
#include "server/front/front.h"

#include <errno.h>
#include <sys/socket.h>

static const char still_here[] = "* OK Still here\r\n";

void relay_start(struct connection *c)
{
	uint64_t now = connection_now_usec(c);

	must(c->channel.fd >= 0 && !c->login);
	prelogin_done(c->prelogin);
	free(take_ptr(c->prelogin));
	c->relay = (struct relay){ .active_usec = now, .said_usec = now, .line_start = true };
	connection_set_state(c, CONNECTION_RELAY);
}

void relay_done(struct connection *c)
{
	compress_free(take_ptr(c->relay.compress));
	buf_done(&c->relay.inflated);
}

/* ---- client to session ---- */

/* What is to be relayed. */
static struct buf *upstream(struct connection *c)
{
	return c->relay.compress ? &c->relay.inflated : &c->in;
}

static bool has_upstream(const struct connection *c)
{
	return (c->relay.compress ? c->relay.inflated.n : c->in.n) > 0;
}

/* Whether all that the client sent was handed over. */
static bool is_upstream_empty(const struct connection *c)
{
	return c->in.n == 0 && c->relay.inflated.n == 0 && !c->relay.inflates_more;
}

/* Tell the session that no more will come, once all that came was handed over. */
static void finish_upstream(struct connection *c)
{
	if (!c->stream.eof || !is_upstream_empty(c) || c->relay.finished)
		return;
	c->relay.finished = true;
	(void)shutdown(c->channel.fd, SHUT_WR); /* a session that is gone shows when the channel is read */
}

static void send_upstream(struct connection *c)
{
	struct buf *from = upstream(c);
	size_t sent;

	if (from->n == 0)
		return;
	if (channel_send_data(&c->channel, buf_slice(from), &c->relay.owed, &sent) < 0) {
		/* The session closed its end: what it said before is still to be read, but nobody listens any more. */
		c->relay.owed = 0;
		c->relay.finished = true;
		sent = from->n;
	}
	buf_consume(from, sent);
	if (from->n == 0)
		buf_done(from);
}

/* Returns false if the connection is over: what came is no DEFLATE. */
static bool inflate_some(struct connection *c)
{
	struct slice in = buf_slice(&c->in);
	int r;

	if (!c->relay.compress || c->relay.inflated.n > 0)
		return true;
	r = compress_inflate(c->relay.compress, &in, RELAY_INFLATE_BYTES, &c->relay.inflated);
	buf_consume(&c->in, c->in.n - in.n);
	if (c->in.n == 0)
		buf_done(&c->in);
	if (c->relay.inflated.n == 0)
		buf_done(&c->relay.inflated);
	c->relay.inflates_more = r == -EAGAIN;
	if (r == 0 || r == -EAGAIN)
		return true;
	front_log_client(c->front, LOG_PRIORITY_INFO, &c->address, "what the client sent compressed is no DEFLATE");
	connection_set_state(c, CONNECTION_CLOSED);
	return false;
}

/* Returns false if the connection is over. */
static bool read_client(struct connection *c)
{
	if (!is_upstream_empty(c) || c->stream.eof)
		return true;

	int r = connection_read(c, CONNECTION_READ_BYTES);

	if (r == 0) {
		c->relay.active_usec = connection_now_usec(c);
		if (!c->relay.stopping)
			c->relay.retry_usec = 0;
		return true;
	}
	buf_done(&c->in);
	if (r == -EAGAIN || c->stream.eof)
		return true;
	connection_set_state(c, CONNECTION_CLOSED);
	return false;
}

/* Returns false if the connection is over. */
static bool go_upstream(struct connection *c, unsigned events)
{
	size_t turn = 0;

	if ((events & CONNECTION_CLIENT_READ) && !read_client(c))
		return false;
	do {
		if (!inflate_some(c))
			return false;
		send_upstream(c);
		turn += RELAY_INFLATE_BYTES;
	} while (c->relay.inflates_more && c->relay.inflated.n == 0 && turn < RELAY_TURN_BYTES);
	if (c->relay.inflates_more && c->relay.inflated.n == 0)
		c->again = true;
	finish_upstream(c);
	return true;
}

/* ---- session to client ---- */

static void note_said(struct connection *c, struct slice sent)
{
	c->relay.said_usec = c->relay.active_usec = connection_now_usec(c);
	c->relay.line_start = sent.p[sent.n - 1] == '\n';
}

/* Only while out is empty: so its size is bounded. */
static ssize_t deflate_downstream(struct connection *c)
{
	struct slice all = slice_take(&c->relay.to_client, c->relay.to_client.n);

	note_said(c, all);
	compress_deflate(c->relay.compress, all, &c->out);
	if (connection_flush(c))
		return (ssize_t)all.n;
	return c->state == CONNECTION_CLOSED ? -EPIPE : -EAGAIN;
}

/* Returns bytes sent; 0: nothing to send; -EAGAIN: the client takes no more; -EPIPE: it is gone. */
static ssize_t send_downstream(struct connection *c)
{
	struct slice *rest = &c->relay.to_client;

	if (c->out.n > 0 && !connection_flush(c))
		return c->state == CONNECTION_CLOSED ? -EPIPE : -EAGAIN;
	if (rest->n == 0)
		return 0;
	if (c->relay.compress)
		return deflate_downstream(c);

	ssize_t n = stream_write(&c->stream, *rest);

	if (n == -EPIPE)
		connection_set_state(c, CONNECTION_CLOSED);
	if (n > 0) {
		note_said(c, slice_take(rest, (size_t)n));
		status_add(&c->front->status, STATUS_BYTES_TO_CLIENTS, n);
	}
	return n;
}

/*
 * The session answered COMPRESS. What the client sent up to now is not compressed, and if some of it waits, it broke the rule
 * to wait for this answer: it goes on as it is.
 */
static bool begin_compression(struct connection *c, struct slice answer)
{
	if (c->relay.compress || !service_is_imap(c->service)) {
		connection_set_state(c, CONNECTION_CLOSED);
		return false;
	}
	c->relay.compress = compress_new();
	c->relay.inflated = BUF(2 * (size_t)RELAY_INFLATE_BYTES);
	must(buf_add(&c->relay.inflated, buf_slice(&c->in)) == 0);
	buf_done(&c->in);
	must(c->out.n == 0); /* or no frame would be taken */
	buf_done(&c->out);
	c->out = BUF(RELAY_OUT_BYTES);
	must(buf_add(&c->out, answer) == 0);
	note_said(c, answer);
	return true;
}

/* What a frame of the session means. Returns false if the connection is over. */
static bool take_frame(struct connection *c, const struct channel_frame *frame)
{
	switch (frame->kind) {
	case CHANNEL_DATA:
		c->relay.to_client = frame->payload;
		return true;
	case CHANNEL_KEEPALIVE:
		c->relay.keepalive = frame->payload.p[0] != 0;
		c->relay.said_usec = connection_now_usec(c);
		return true;
	case CHANNEL_COMPRESS:
		return begin_compression(c, frame->payload);
	case CHANNEL_CLOSE:
		if (c->relay.compress)
			compress_flush(c->relay.compress, &c->out);
		connection_set_state(c, CONNECTION_CLOSING);
		return false;
	default: /* a second verdict */
		connection_set_state(c, CONNECTION_CLOSED);
		return false;
	}
}

/*
 * Get the next frame, reading if need be. Returns 0, -EAGAIN; else the connection is over: a session that ended
 * without CLOSE may have died in the middle of a response, so the client gets no clean end either.
 */
static int next_frame(struct connection *c, unsigned events, struct channel_frame *ret_frame)
{
	int r = channel_next(&c->channel, ret_frame);

	if (r != -EAGAIN || !(events & CONNECTION_CHANNEL_READ))
		return r;
	r = channel_read(&c->channel);
	if (c->channel.in_eof)
		return -EPIPE;
	return r == 0 ? channel_next(&c->channel, ret_frame) : r;
}

static void go_downstream(struct connection *c, unsigned events)
{
	size_t turn = 0;

	while (turn < RELAY_TURN_BYTES) {
		struct channel_frame frame;
		ssize_t n = send_downstream(c);

		if (n < 0)
			return;
		turn += (size_t)n;
		if (c->relay.to_client.n > 0)
			continue;

		int r = next_frame(c, events, &frame);

		if (r == -EAGAIN) {
			if (c->channel.in.n == 0)
				buf_shrink(&c->channel.in, 0);
			if (c->relay.compress)
				compress_flush(c->relay.compress, &c->out);
			if (c->out.n > 0)
				(void)connection_flush(c);
			return;
		}
		if (r < 0)
			connection_set_state(c, CONNECTION_CLOSED);
		if (r < 0 || !take_frame(c, &frame))
			return;
		turn += CHANNEL_HEADER_BYTES;
	}
	c->again = true;
}

/* ---- time ---- */

static uint64_t idle_usec(const struct connection *c)
{
	return service_is_imap(c->service) ? c->front->conf->front.imap_idle_timeout_usec
					   : c->front->conf->front.pop3_idle_timeout_usec;
}

/* When a silent client is to be told goodbye; or the connection is cut, because the session did not say it in time. */
static uint64_t silence_due_usec(const struct connection *c)
{
	const struct relay *relay = &c->relay;

	if (relay->told_usec > 0)
		return relay->told_usec + RELAY_GOODBYE_USEC;
	if (relay->retry_usec > 0)
		return relay->retry_usec;
	if (c->stream.eof && RELAY_EOF_USEC < idle_usec(c))
		return relay->active_usec + RELAY_EOF_USEC;
	return relay->active_usec + idle_usec(c);
}

static bool may_keep_alive(const struct connection *c)
{
	return c->relay.keepalive && service_is_imap(c->service) && c->front->conf->front.keepalive_usec > 0 && c->out.n == 0 && c->relay.to_client.n == 0 &&
		c->channel.in.n == 0 && c->relay.line_start && c->relay.told_usec == 0;
}

/* When the memory of compression is to be given back; UINT64_MAX: not now. */
static uint64_t rest_due_usec(const struct connection *c)
{
	if (!c->relay.compress || c->out.n > 0 || c->relay.to_client.n > 0 || !is_upstream_empty(c) ||
		!compress_is_awake(c->relay.compress))
		return UINT64_MAX;
	return c->relay.active_usec + RELAY_REST_USEC;
}

/* One that was at rest goes on resting: many quiet connections must not be awake because of this. */
static void say_still_here(struct connection *c)
{
	struct compress *compress = c->relay.compress;
	bool was_awake = compress && compress_is_awake(compress);

	if (!compress) {
		must(buf_add_str(&c->out, still_here) == 0);
		return;
	}
	compress_deflate(compress, slice_str(still_here), &c->out);
	compress_flush(compress, &c->out);
	if (!was_awake)
		(void)compress_rest(compress);
}

static uint64_t keepalive_due_usec(const struct connection *c)
{
	return c->relay.said_usec + c->front->conf->front.keepalive_usec;
}

/* Whether a session that has no room for our word may still get it: while the front ends its own timer is the limit. */
static bool may_wait_to_tell(const struct connection *c, uint64_t now)
{
	return c->relay.stopping || c->relay.active_usec + idle_usec(c) + RELAY_GOODBYE_USEC > now;
}

static void tell_session(struct connection *c, uint64_t now)
{
	if (c->relay.told_usec > 0 || c->relay.finished) {
		connection_set_state(c, CONNECTION_CLOSED);
		return;
	}

	/* Not between the pieces of a frame. */
	enum channel_kind word = c->relay.stopping ? CHANNEL_STOP : CHANNEL_TIMEOUT;
	int r = c->relay.owed > 0 ? -EAGAIN : channel_send(&c->channel, word, SLICE(""));

	if (r == 0)
		c->relay.told_usec = now;
	else if (r == -EAGAIN && may_wait_to_tell(c, now))
		c->relay.retry_usec = now + RELAY_RETRY_USEC;
	else
		connection_set_state(c, CONNECTION_CLOSED);
}

void relay_stop(struct connection *c)
{
	if (c->relay.told_usec > 0 || c->relay.finished)
		return; /* the session was told already, or has said it */
	c->relay.stopping = true;
	c->relay.retry_usec = connection_now_usec(c);
}

static void on_due(struct connection *c)
{
	uint64_t now = connection_now_usec(c);

	if (may_keep_alive(c) && keepalive_due_usec(c) <= now) {
		c->relay.said_usec = now;
		say_still_here(c);
	}
	if (rest_due_usec(c) <= now)
		(void)compress_rest(c->relay.compress);
	if (silence_due_usec(c) <= now)
		tell_session(c, now);
}

/* ---- the step ---- */

void relay_step(struct connection *c, unsigned events)
{
	if (events & CONNECTION_DUE)
		on_due(c);
	if (c->state == CONNECTION_RELAY && go_upstream(c, events))
		go_downstream(c, events);
}

unsigned relay_waits(const struct connection *c)
{
	bool blocked = c->out.n > 0 || c->relay.to_client.n > 0;

	return (is_upstream_empty(c) && !c->stream.eof ? CONNECTION_CLIENT_READ : 0) | (blocked ? CONNECTION_CLIENT_WRITE : 0) |
		(!blocked ? CONNECTION_CHANNEL_READ : 0) | (has_upstream(c) ? CONNECTION_CHANNEL_WRITE : 0);
}

uint64_t relay_due_usec(const struct connection *c)
{
	uint64_t due = silence_due_usec(c), rest = rest_due_usec(c);

	if (rest < due)
		due = rest;
	if (may_keep_alive(c) && keepalive_due_usec(c) < due)
		return keepalive_due_usec(c);
	return due;
}
