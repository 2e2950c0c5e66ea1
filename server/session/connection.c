/*
 * What must hold:
 *
 * 1. Memory is bounded whatever the front does: the channel is read only while in has room for a whole DATA frame, and the engine is
 *    stepped only while out is below its high-water mark.
 * 2. Nothing but a malformed frame is an error of the front's; that ends this connection and no other.
 * 3. The verdict is the first frame out; CLOSE is the last one.
 * 4. A maildrop's lock is held from before the engine is made until after it is freed.
 */
#include "server/session/connection.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/imap/imap.h"
#include "server/pop3/pop3.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	STEP_BUDGET = 200, /* units; some milliseconds of the most costly ones */
	IN_MAX_BYTES = LIMIT_COMMAND_LINE_BYTES + LIMIT_COMMAND_LITERAL_BYTES +
		       2 * LIMIT_CHANNEL_DATA_BYTES,
	RESUME_BELOW_BYTES = LIMIT_OUTPUT_HIGH_WATER_BYTES / 2,
};

static const uint64_t opening_timeout_usec = 60 * USEC_PER_SEC;
static const uint64_t stall_timeout_usec = 300 * USEC_PER_SEC;
static const uint64_t linger_timeout_usec = 5 * USEC_PER_SEC;
static const uint64_t retry_min_usec = USEC_PER_MSEC, retry_max_usec = 10 * USEC_PER_SEC;

enum phase { OPENING, SERVING, FLUSHING, LINGERING, OVER };

struct connection {
	const struct connection_host *host;
	enum phase phase;
	struct channel channel;
	struct buf in, out;      /* of the dialogue */
	size_t owed;             /* of a DATA frame, see channel_send_data() */
	struct engine *engine;   /* NULL: not made, or freed already */
	enum engine_wants wants; /* of the engine */
	bool has_maildrop_lock, is_logged_in;
	bool keepalive_told;
	enum verdict verdict; /* while OPENING, once is_decided */
	bool is_decided;
	enum close_reason reason;
	uint64_t login_id;
	enum service service;
	char *user, *address;   /* for logs, escaped */
	uint64_t retry_at_usec; /* with ENGINE_RETRY */
	uint64_t deadline_usec; /* of the phase; UINT64_MAX: none */
	uint64_t last_input_usec;
	uint64_t commands, in_bytes, out_bytes;
};

/* A word of a log line: nothing in it can look like another field of the line. UTF-8 stays readable. */
static char *escape(struct slice s)
{
	char *word = malloc(s.n * 4 + 1), *at = word;

	must(word != NULL);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = (uint8_t)s.p[i];

		if (c <= ' ' || c == 0x7f || c == '\\' || c == '"')
			at += sprintf(at, "\\x%02x", c);
		else
			*at++ = (char)c;
	}
	*at = '\0';
	return word;
}

static void enter(struct connection *connection, enum phase phase, uint64_t deadline_usec)
{
	static const unsigned allowed[] = {
		[OPENING] = 1 << SERVING | 1 << LINGERING | 1 << OVER,
		[SERVING] = 1 << FLUSHING | 1 << OVER,
		[FLUSHING] = 1 << LINGERING | 1 << OVER,
		[LINGERING] = 1 << OVER,
		[OVER] = 0,
	};

	must(allowed[connection->phase] & 1u << phase);
	connection->phase = phase;
	connection->deadline_usec = deadline_usec;
}

static void wait_for_retry(
	struct connection *connection, const struct engine_io *io, uint64_t now_usec)
{
	uint64_t wait_usec = io->retry_usec;

	if (wait_usec < retry_min_usec)
		wait_usec = retry_min_usec;
	if (wait_usec > retry_max_usec)
		wait_usec = retry_max_usec;
	connection->retry_at_usec = now_usec + wait_usec;
}

/* Free the engine, and what only it needs. */
static void end_engine(struct connection *connection)
{
	if (connection->engine) {
		connection->commands = connection->engine->commands;
		connection->engine->type->free(connection->engine);
		connection->engine = NULL;
	}
	if (connection->has_maildrop_lock)
		store_unlock_maildrop(connection->host->store);
	connection->has_maildrop_lock = false;
}

/* The channel is of no use any more. */
static void end(struct connection *connection, enum close_reason reason)
{
	if (connection->phase == OVER)
		return;
	if (connection->reason == CLOSE_NOT_YET)
		connection->reason = reason;
	end_engine(connection);
	enter(connection, OVER, UINT64_MAX);
}

/* All was sent. Closing now, with bytes of the front's unread, would look like a failure to it. */
static void linger(struct connection *connection, uint64_t now_usec)
{
	enter(connection, connection->channel.in_eof ? OVER : LINGERING,
		now_usec + linger_timeout_usec);
}

/* The engine has said all it will. */
static void begin_flushing(
	struct connection *connection, enum close_reason reason, uint64_t now_usec)
{
	connection->reason = reason;
	end_engine(connection);
	buf_done(&connection->in);
	enter(connection, FLUSHING, now_usec + stall_timeout_usec);
}

static void decide(struct connection *connection, enum verdict verdict)
{
	connection->verdict = verdict;
	connection->is_decided = true;
}

static void add_pop3_success(const struct connection *connection, struct buf *text)
{
	uint32_t messages = 0;
	uint64_t octets = 0;

	must(pop3_opened(connection->engine, &messages, &octets) == 0);
	must(buf_addf(text, "%" PRIu32 " messages, %" PRIu64 " octets", messages, octets) == 0);
}

/* What the client reads, after the tag and OK or NO, or after +OK or -ERR. */
static void add_verdict_text(const struct connection *connection, struct buf *text)
{
	static const struct {
		const char *imap, *pop3;
	} refusals[VERDICT_COUNT] = {
		[VERDICT_UNAVAILABLE] = { "[UNAVAILABLE] The mailbox cannot be opened now; try "
					  "again later",
			"[SYS/TEMP] The maildrop cannot be opened now; try again later" },
		[VERDICT_IN_USE] = { "", "[IN-USE] Another POP3 session has the maildrop open" },
	};
	bool is_imap = service_is_imap(connection->service);

	if (connection->verdict != VERDICT_OK)
		must(buf_add_str(text, is_imap ? refusals[connection->verdict].imap
					       : refusals[connection->verdict].pop3) == 0);
	else if (is_imap)
		must(buf_addf(text, "[CAPABILITY %.*s] Logged in",
			     SLICE_FMT(imap_capability_text())) == 0);
	else
		add_pop3_success(connection, text);
}

static void enter_service(struct connection *connection)
{
	connection->is_logged_in = true;
	connection->wants = ENGINE_STEP;
	log_line(connection->host->log, LOG_PRIORITY_INFO, "login: user=%s addr=%s service=%s",
		connection->user, connection->address, service_name(connection->service));
	enter(connection, SERVING, UINT64_MAX);
}

/* Tell the front how the login went, as soon as that is known and the channel takes it. */
static void send_verdict(struct connection *connection, uint64_t now_usec)
{
	struct buf text = BUF(CHANNEL_VERDICT_TEXT_BYTES);

	add_verdict_text(connection, &text);

	int r = channel_send_verdict(
		&connection->channel, &(struct channel_verdict){ .verdict = connection->verdict,
					      .text = buf_slice(&text) });

	buf_done(&text);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		end(connection, CLOSE_CLIENT_GONE);
	} else if (connection->verdict == VERDICT_OK) {
		enter_service(connection);
	} else {
		end_engine(connection);
		linger(connection, now_usec);
	}
}

static void begin_imap(struct connection *connection)
{
	const struct connection_host *host = connection->host;

	connection->engine = imap_new(&(struct imap_settings){ .store = host->store,
		.log = host->log,
		.user = connection->user,
		.version = host->version });
	decide(connection, VERDICT_OK);
}

static void begin_pop3(struct connection *connection)
{
	const struct connection_host *host = connection->host;

	if (store_lock_maildrop(host->store) < 0) {
		log_line(host->log, LOG_PRIORITY_INFO,
			"login refused: user=%s addr=%s service=%s: the maildrop is open in "
			"another POP3 session",
			connection->user, connection->address, service_name(connection->service));
		decide(connection, VERDICT_IN_USE);
		return;
	}
	connection->has_maildrop_lock = true;
	connection->engine = pop3_new(&(struct pop3_settings){ .store = host->store,
		.log = host->log,
		.user = connection->user,
		.version = host->version });
	connection->wants = ENGINE_STEP;
}

struct connection *connection_new(const struct connection_host *host,
	const struct frame_adopt *adopt, int fd, uint64_t now_usec)
{
	struct connection *connection = malloc(sizeof *connection);

	must(connection != NULL);
	*connection = (struct connection){
		.host = host,
		.phase = OPENING,
		.channel = channel_open(fd, CHANNEL_PEER_FRONT),
		.in = BUF(IN_MAX_BYTES),
		.out = BUF(LIMIT_OUTPUT_BYTES),
		.user = escape(adopt->user),
		.address = escape(adopt->address),
		.login_id = adopt->login_id,
		.service = (enum service)adopt->service,
		.deadline_usec = now_usec + opening_timeout_usec,
		.last_input_usec = now_usec,
	};
	if (!host->store)
		decide(connection, VERDICT_UNAVAILABLE);
	else if (service_is_imap(connection->service))
		begin_imap(connection);
	else
		begin_pop3(connection);
	if (connection->is_decided)
		send_verdict(connection, now_usec);
	return connection;
}

void connection_free(struct connection *connection)
{
	if (connection->phase != OVER)
		end(connection, CLOSE_CLIENT_GONE);
	if (connection->is_logged_in)
		log_line(connection->host->log, LOG_PRIORITY_INFO,
			"closed: user=%s addr=%s service=%s reason=\"%s\" in=%" PRIu64
			" out=%" PRIu64 " commands=%" PRIu64,
			connection->user, connection->address, service_name(connection->service),
			close_reason_text(connection->reason), connection->in_bytes,
			connection->out_bytes, connection->commands);
	channel_close(&connection->channel);
	buf_done(&connection->in);
	buf_done(&connection->out);
	free(connection->user);
	free(connection->address);
	free(connection);
}

int connection_fd(const struct connection *connection)
{
	return connection->channel.fd;
}

static bool has_room(const struct connection *connection)
{
	return connection->phase >= FLUSHING ||
	       buf_room(&connection->in) >= LIMIT_CHANNEL_DATA_BYTES;
}

/* Everything the front will ever send has been taken in. */
static bool is_in_over(const struct connection *connection)
{
	return connection->channel.in_eof && has_room(connection);
}

static void take_data(struct connection *connection, struct slice data, uint64_t now_usec)
{
	connection->in_bytes += data.n;
	connection->last_input_usec = now_usec;
	if (connection->phase >= FLUSHING)
		return; /* too late: not looked at */
	must(buf_add(&connection->in, data) == 0);
	if (connection->phase == SERVING && connection->wants == ENGINE_INPUT)
		connection->wants = ENGINE_STEP;
}

/* Take the whole frames of what was read, as far as in has room. */
static void take_frames(struct connection *connection, uint64_t now_usec)
{
	while (connection->phase != OVER && has_room(connection)) {
		struct channel_frame frame;
		int r = channel_next(&connection->channel, &frame);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			end(connection, CLOSE_PROTOCOL);
		else if (frame.kind == CHANNEL_DATA)
			take_data(connection, frame.payload, now_usec);
		else if (frame.kind == CHANNEL_TIMEOUT)
			connection_bye(connection, CLOSE_IDLE_TIMEOUT, now_usec);
		else
			end(connection,
				CLOSE_PROTOCOL); /* credentials: the auth worker read them already */
	}
	if (connection->phase == SERVING && connection->wants == ENGINE_INPUT &&
		is_in_over(connection))
		connection->wants = ENGINE_STEP;
}

/* One read: whatever is left makes the channel readable again, and others have their turn. */
void connection_read(struct connection *connection, uint64_t now_usec)
{
	if (connection->phase == OVER || !has_room(connection))
		return;

	int r = channel_read(&connection->channel);

	if (r == 0)
		take_frames(connection, now_usec);
	else if (r != -EAGAIN)
		end(connection, r == -EBADMSG ? CLOSE_PROTOCOL : CLOSE_CLIENT_GONE);
	if (connection->phase == LINGERING && connection->channel.in_eof)
		end(connection, connection->reason);
}

/* Memory of a connection that has nothing to do is given back. */
static void shrink_when_quiet(struct connection *connection)
{
	if (connection->channel.in.n == 0)
		buf_shrink(&connection->channel.in, 0);
	if (connection->in.n == 0)
		buf_shrink(&connection->in, 0);
	if (connection->out.n == 0)
		buf_shrink(&connection->out, 0);
}

static bool must_tell_keepalive(const struct connection *connection)
{
	return connection->phase == SERVING &&
	       connection->engine->idling != connection->keepalive_told;
}

/* A frame of its own goes only where no DATA frame is open: when out is empty. */
static void send_small_frames(struct connection *connection, uint64_t now_usec)
{
	int r = 0;

	if (must_tell_keepalive(connection)) {
		char on = connection->engine->idling ? 1 : 0;

		r = channel_send(&connection->channel, CHANNEL_KEEPALIVE, slice_from(&on, 1));
		if (r == 0)
			connection->keepalive_told = connection->engine->idling;
	} else if (connection->phase == FLUSHING) {
		r = channel_send(&connection->channel, CHANNEL_CLOSE, SLICE(""));
		if (r == 0)
			linger(connection, now_usec);
	}
	if (r < 0 && r != -EAGAIN)
		end(connection, CLOSE_CLIENT_GONE);
}

static void flush(struct connection *connection, uint64_t now_usec)
{
	size_t sent = 0;

	if (connection->out.n > 0) {
		if (channel_send_data(&connection->channel, buf_slice(&connection->out),
			    &connection->owed, &sent) < 0) {
			end(connection, CLOSE_CLIENT_GONE);
			return;
		}
		buf_consume(&connection->out, sent);
		connection->out_bytes += sent;
	}
	if (connection->wants == ENGINE_OUTPUT && connection->out.n < RESUME_BELOW_BYTES)
		connection->wants = ENGINE_STEP;
	if (connection->out.n == 0) {
		must(connection->owed == 0);
		if (connection->phase == SERVING)
			connection->deadline_usec = UINT64_MAX;
		send_small_frames(connection, now_usec);
	} else if (sent > 0 || connection->deadline_usec == UINT64_MAX) {
		connection->deadline_usec = now_usec + stall_timeout_usec;
	}
}

void connection_write(struct connection *connection, uint64_t now_usec)
{
	if (connection->phase == OPENING && connection->is_decided)
		send_verdict(connection, now_usec);
	if (connection->phase == SERVING || connection->phase == FLUSHING)
		flush(connection, now_usec);
}

static struct engine_io make_io(struct connection *connection)
{
	return (struct engine_io){
		.in = &connection->in,
		.out = &connection->out,
		.in_eof = connection->phase == SERVING && is_in_over(connection),
		.now_usec = clock_realtime_usec(),
		.budget = STEP_BUDGET,
	};
}

static void open_step(struct connection *connection, uint64_t now_usec)
{
	struct engine_io io = make_io(connection);
	uint32_t messages;
	uint64_t octets;

	connection->wants = connection->engine->type->step(connection->engine, &io);
	if (connection->wants == ENGINE_RETRY)
		wait_for_retry(connection, &io, now_usec);

	int r = pop3_opened(connection->engine, &messages, &octets);

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_line(connection->host->log, LOG_PRIORITY_ERROR,
			"login refused: user=%s addr=%s service=%s: cannot open the maildrop: %s",
			connection->user, connection->address, service_name(connection->service),
			strerror(-r));
	decide(connection, r < 0 ? VERDICT_UNAVAILABLE : VERDICT_OK);
	send_verdict(connection, now_usec);
}

static void serve_step(struct connection *connection, uint64_t now_usec)
{
	struct engine_io io = make_io(connection);

	connection->wants = connection->engine->type->step(connection->engine, &io);
	if (connection->wants == ENGINE_RETRY)
		wait_for_retry(connection, &io, now_usec);
	if (connection->wants == ENGINE_CLOSE)
		begin_flushing(connection, connection->engine->reason, now_usec);
	else if (connection->wants == ENGINE_INPUT && io.in_eof)
		begin_flushing(connection, CLOSE_CLIENT_GONE, now_usec);
	else if (connection->wants == ENGINE_INPUT && !has_room(connection))
		begin_flushing(connection, CLOSE_LIMIT, now_usec);
	flush(connection, now_usec);
	take_frames(connection, now_usec); /* the step may have made room */
}

static bool can_step(const struct connection *connection)
{
	return connection->wants == ENGINE_STEP &&
	       ((connection->phase == OPENING && !connection->is_decided) ||
		       connection->phase == SERVING);
}

static void meet_deadline(struct connection *connection, uint64_t now_usec)
{
	if (connection->phase == OPENING && !connection->is_decided) {
		log_line(connection->host->log, LOG_PRIORITY_ERROR,
			"login refused: user=%s addr=%s service=%s: the maildrop could not be "
			"opened in time (a lock held by another program?)",
			connection->user, connection->address, service_name(connection->service));
		decide(connection, VERDICT_UNAVAILABLE);
		connection->deadline_usec = now_usec + linger_timeout_usec;
		send_verdict(connection, now_usec);
		return;
	}
	end(connection, CLOSE_IDLE_TIMEOUT); /* keeps a reason that was given before */
}

static uint64_t commands_of(const struct connection *connection)
{
	return connection->engine ? connection->engine->commands : connection->commands;
}

uint64_t connection_run(struct connection *connection, uint64_t now_usec)
{
	uint64_t before = commands_of(connection), until_usec = now_usec + CONNECTION_SLICE_USEC,
		 t = now_usec;

	if (connection->wants == ENGINE_RETRY && now_usec >= connection->retry_at_usec)
		connection->wants = ENGINE_STEP;
	while (can_step(connection) && t < until_usec) {
		if (connection->phase == OPENING)
			open_step(connection, t);
		else
			serve_step(connection, t);
		t = clock_monotonic_usec();
	}
	if (now_usec >= connection->deadline_usec)
		meet_deadline(connection, now_usec);
	if (connection->phase >= FLUSHING || connection->wants == ENGINE_INPUT)
		shrink_when_quiet(connection);
	return commands_of(connection) - before;
}

void connection_poke(struct connection *connection)
{
	if (connection->phase == SERVING && connection->wants == ENGINE_INPUT)
		connection->wants = ENGINE_STEP;
}

void connection_bye(struct connection *connection, enum close_reason reason, uint64_t now_usec)
{
	if (connection->phase == OPENING && !connection->is_decided) {
		connection->reason = reason;
		decide(connection, VERDICT_UNAVAILABLE);
		send_verdict(connection, now_usec);
	} else if (connection->phase == SERVING) {
		struct engine_io io = make_io(connection);

		connection->engine->type->bye(connection->engine, &io, reason);
		begin_flushing(connection, reason, now_usec);
		flush(connection, now_usec);
	}
}

struct connection_wants connection_wants(const struct connection *connection)
{
	bool is_retrying = connection->wants == ENGINE_RETRY && connection->phase <= SERVING;
	uint64_t wake_usec = connection->deadline_usec;

	if (is_retrying && connection->retry_at_usec < wake_usec)
		wake_usec = connection->retry_at_usec;
	return (struct connection_wants){
		.over = connection->phase == OVER,
		.run = can_step(connection),
		.read = connection->phase != OVER && !connection->channel.in_eof &&
			has_room(connection),
		.write = (connection->phase == OPENING && connection->is_decided) ||
			 connection->out.n > 0 || connection->phase == FLUSHING ||
			 must_tell_keepalive(connection),
		.wake_usec = wake_usec,
	};
}

struct connection_facts connection_facts(const struct connection *connection, uint64_t now_usec)
{
	return (struct connection_facts){
		.login_id = connection->login_id,
		.idle_usec = now_usec > connection->last_input_usec
				     ? now_usec - connection->last_input_usec
				     : 0,
		.commands = commands_of(connection),
		.is_idling = connection->phase == SERVING && connection->engine->idling,
	};
}

void connection_describe(const struct connection *connection, struct buf *out)
{
	if (connection->engine)
		connection->engine->type->describe(connection->engine, out);
	else
		must(buf_add_str(out, "closing") == 0);
}
