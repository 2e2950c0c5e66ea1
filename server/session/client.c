/*
 * What must hold:
 *
 * 1. Memory is bounded whatever the front does: the channel is read only while in has room for a whole DATA frame, and the engine is
 *    stepped only while out is below its high-water mark.
 * 2. Nothing but a malformed frame is an error of the front's; that ends this connection and no other.
 * 3. The verdict is the first frame out; CLOSE is the last one.
 * 4. A maildrop's lock is held from before the engine is made until after it is freed.
 */
#include "server/session/client.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/quote.h"
#include "server/imap/imap.h"
#include "server/pop3/pop3.h"

#include <errno.h>
#include <inttypes.h>
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

struct client {
	const struct client_host *host;
	enum phase phase;
	struct channel channel;
	struct buf in, out;      /* of the dialogue */
	size_t owed;             /* of a DATA frame, see channel_send_data() */
	size_t compress_at, compress_bytes; /* where in out the answer to COMPRESS is; 0 bytes: there is none */
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

static void enter(struct client *client, enum phase phase, uint64_t deadline_usec)
{
	static const unsigned allowed[] = {
		[OPENING] = 1 << SERVING | 1 << LINGERING | 1 << OVER,
		[SERVING] = 1 << FLUSHING | 1 << OVER,
		[FLUSHING] = 1 << LINGERING | 1 << OVER,
		[LINGERING] = 1 << OVER,
		[OVER] = 0,
	};

	must(allowed[client->phase] & 1u << phase);
	client->phase = phase;
	client->deadline_usec = deadline_usec;
}

static void wait_for_retry(struct client *client, const struct engine_io *io, uint64_t now_usec)
{
	uint64_t wait_usec = io->retry_usec;

	if (wait_usec < retry_min_usec)
		wait_usec = retry_min_usec;
	if (wait_usec > retry_max_usec)
		wait_usec = retry_max_usec;
	client->retry_at_usec = now_usec + wait_usec;
}

/* Free the engine, and what only it needs. */
static void end_engine(struct client *client)
{
	if (client->engine) {
		client->commands = client->engine->commands;
		client->engine->type->free(client->engine);
		client->engine = NULL;
	}
	if (client->has_maildrop_lock)
		store_unlock_maildrop(client->host->store);
	client->has_maildrop_lock = false;
}

/* The channel is of no use any more. */
static void end(struct client *client, enum close_reason reason)
{
	if (client->phase == OVER)
		return;
	if (client->reason == CLOSE_NOT_YET)
		client->reason = reason;
	end_engine(client);
	enter(client, OVER, UINT64_MAX);
}

/* All was sent. Closing now, with bytes of the front's unread, would look like a failure to it. */
static void linger(struct client *client, uint64_t now_usec)
{
	enter(client, client->channel.in_eof ? OVER : LINGERING, now_usec + linger_timeout_usec);
}

/* The engine has said all it will. */
static void begin_flushing(struct client *client, enum close_reason reason, uint64_t now_usec)
{
	client->reason = reason;
	end_engine(client);
	buf_done(&client->in);
	enter(client, FLUSHING, now_usec + stall_timeout_usec);
}

static void decide(struct client *client, enum verdict verdict)
{
	client->verdict = verdict;
	client->is_decided = true;
}

static void add_pop3_success(const struct client *client, struct buf *text)
{
	uint32_t messages = 0;
	uint64_t octets = 0;

	must(pop3_opened(client->engine, &messages, &octets) == 0);
	must(buf_addf(text, "%" PRIu32 " messages, %" PRIu64 " octets", messages, octets) == 0);
}

static void add_imap_success(struct buf *text)
{
	must(buf_add_str(text, "[CAPABILITY ") == 0);
	imap_capability_text(text);
	must(buf_add_str(text, "] Logged in") == 0);
}

/* What the client reads, after the tag and OK or NO, or after +OK or -ERR. */
static void add_verdict_text(const struct client *client, struct buf *text)
{
	static const struct {
		const char *imap, *pop3;
	} refusals[VERDICT_COUNT] = {
		[VERDICT_UNAVAILABLE] = { "[UNAVAILABLE] The mailbox cannot be opened now; try "
					  "again later",
			"[SYS/TEMP] The maildrop cannot be opened now; try again later" },
		[VERDICT_IN_USE] = { "", "[IN-USE] Another POP3 session has the maildrop open" },
	};
	bool is_imap = service_is_imap(client->service);

	if (client->verdict != VERDICT_OK)
		must(buf_add_str(text, is_imap ? refusals[client->verdict].imap
					       : refusals[client->verdict].pop3) == 0);
	else if (is_imap)
		add_imap_success(text);
	else
		add_pop3_success(client, text);
}

static void enter_service(struct client *client)
{
	client->is_logged_in = true;
	client->wants = ENGINE_STEP;
	log_line(client->host->log, LOG_PRIORITY_INFO, "login: user=%s addr=%s service=%s",
		client->user, client->address, service_name(client->service));
	enter(client, SERVING, UINT64_MAX);
}

/* Tell the front how the login went, as soon as that is known and the channel takes it. */
static void send_verdict(struct client *client, uint64_t now_usec)
{
	struct buf text = BUF(CHANNEL_VERDICT_TEXT_BYTES);

	add_verdict_text(client, &text);

	int r = channel_send_verdict(&client->channel,
		&(struct channel_verdict){ .verdict = client->verdict, .text = buf_slice(&text) });

	buf_done(&text);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		end(client, CLOSE_CLIENT_GONE);
	} else if (client->verdict == VERDICT_OK) {
		enter_service(client);
	} else {
		end_engine(client);
		linger(client, now_usec);
	}
}

static void begin_imap(struct client *client, enum language language)
{
	const struct client_host *host = client->host;

	client->engine = imap_new(&(struct imap_settings){ .store = host->store,
		.log = host->log,
		.user = client->user,
		.version = host->version,
		.language = language,
		.admin = host->admin });
	decide(client, VERDICT_OK);
}

static void begin_pop3(struct client *client)
{
	const struct client_host *host = client->host;

	if (store_lock_maildrop(host->store) < 0) {
		log_line(host->log, LOG_PRIORITY_INFO,
			"login refused: user=%s addr=%s service=%s: the maildrop is open in "
			"another POP3 session",
			client->user, client->address, service_name(client->service));
		decide(client, VERDICT_IN_USE);
		return;
	}
	client->has_maildrop_lock = true;
	client->engine = pop3_new(&(struct pop3_settings){ .store = host->store,
		.log = host->log,
		.user = client->user });
	client->wants = ENGINE_STEP;
}

struct client *client_new(
	const struct client_host *host, const struct frame_adopt *adopt, int fd, uint64_t now_usec)
{
	struct client *client = malloc(sizeof *client);

	must(client != NULL);
	*client = (struct client){
		.host = host,
		.phase = OPENING,
		.channel = channel_open(fd, CHANNEL_PEER_FRONT),
		.in = BUF(IN_MAX_BYTES),
		.out = BUF(LIMIT_OUTPUT_BYTES),
		.user = quote_dup(adopt->user),
		.address = quote_dup(adopt->address),
		.login_id = adopt->login_id,
		.service = (enum service)adopt->service,
		.deadline_usec = now_usec + opening_timeout_usec,
		.last_input_usec = now_usec,
	};
	if (!host->store)
		decide(client, VERDICT_UNAVAILABLE);
	else if (service_is_imap(client->service))
		begin_imap(client, (enum language)adopt->language);
	else
		begin_pop3(client);
	if (client->is_decided)
		send_verdict(client, now_usec);
	return client;
}

void client_free(struct client *client)
{
	if (client->phase != OVER)
		end(client, CLOSE_CLIENT_GONE);
	if (client->is_logged_in)
		log_line(client->host->log, LOG_PRIORITY_INFO,
			"closed: user=%s addr=%s service=%s reason=\"%s\" in=%" PRIu64
			" out=%" PRIu64 " commands=%" PRIu64,
			client->user, client->address, service_name(client->service),
			close_reason_text(client->reason), client->in_bytes, client->out_bytes,
			client->commands);
	channel_close(&client->channel);
	buf_done(&client->in);
	buf_done(&client->out);
	free(client->user);
	free(client->address);
	free(client);
}

int client_fd(const struct client *client)
{
	return client->channel.fd;
}

static bool has_room(const struct client *client)
{
	return client->phase >= FLUSHING || buf_room(&client->in) >= LIMIT_CHANNEL_DATA_BYTES;
}

/* Everything the front will ever send has been taken in. */
static bool is_in_over(const struct client *client)
{
	return client->channel.in_eof && has_room(client);
}

static void take_data(struct client *client, struct slice data, uint64_t now_usec)
{
	client->in_bytes += data.n;
	client->last_input_usec = now_usec;
	if (client->phase >= FLUSHING)
		return; /* too late: not looked at */
	must(buf_add(&client->in, data) == 0);
	if (client->phase == SERVING && client->wants == ENGINE_INPUT)
		client->wants = ENGINE_STEP;
}

/* Take the whole frames of what was read, as far as in has room. */
static void take_frames(struct client *client, uint64_t now_usec)
{
	while (client->phase != OVER && has_room(client)) {
		struct channel_frame frame;
		int r = channel_next(&client->channel, &frame);

		if (r == -EAGAIN)
			break;
		if (r < 0)
			end(client, CLOSE_PROTOCOL);
		else if (frame.kind == CHANNEL_DATA)
			take_data(client, frame.payload, now_usec);
		else if (frame.kind == CHANNEL_TIMEOUT)
			client_bye(client, CLOSE_IDLE_TIMEOUT, now_usec);
		else if (frame.kind == CHANNEL_STOP)
			client_bye(client, CLOSE_SHUTDOWN, now_usec);
		else
			end(client,
				CLOSE_PROTOCOL); /* credentials: the auth worker read them already */
	}
	if (client->phase == SERVING && client->wants == ENGINE_INPUT && is_in_over(client))
		client->wants = ENGINE_STEP;
}

/* One read: whatever is left makes the channel readable again, and others have their turn. */
void client_read(struct client *client, uint64_t now_usec)
{
	if (client->phase == OVER || !has_room(client))
		return;

	int r = channel_read(&client->channel);

	if (r == 0)
		take_frames(client, now_usec);
	else if (r != -EAGAIN)
		end(client, r == -EBADMSG ? CLOSE_PROTOCOL : CLOSE_CLIENT_GONE);
	if (client->phase == LINGERING && client->channel.in_eof)
		end(client, client->reason);
}

/* Memory of a connection that has nothing to do is given back. */
static void shrink_when_quiet(struct client *client)
{
	if (client->channel.in.n == 0)
		buf_shrink(&client->channel.in, 0);
	if (client->in.n == 0)
		buf_shrink(&client->in, 0);
	if (client->out.n == 0)
		buf_shrink(&client->out, 0);
}

static bool must_tell_keepalive(const struct client *client)
{
	return client->phase == SERVING && client->engine->idling != client->keepalive_told;
}

/* Only where no DATA frame is open. */
static int tell_keepalive(struct client *client)
{
	char on = client->engine->idling ? 1 : 0;
	int r = channel_send(&client->channel, CHANNEL_KEEPALIVE, slice_from(&on, 1));

	if (r == 0)
		client->keepalive_told = client->engine->idling;
	return r;
}

/* A frame of its own goes only where no DATA frame is open: when out is empty. */
static void send_small_frames(struct client *client, uint64_t now_usec)
{
	int r = 0;

	if (must_tell_keepalive(client)) {
		r = tell_keepalive(client);
	} else if (client->phase == FLUSHING) {
		r = channel_send(&client->channel, CHANNEL_CLOSE, SLICE(""));
		if (r == 0)
			linger(client, now_usec);
	}
	if (r < 0 && r != -EAGAIN)
		end(client, CLOSE_CLIENT_GONE);
}

/*
 * IDLE is over, and the front does not know yet: it hears of that before the next response, lest its word to the client falls
 * into a literal that is slow to come.
 */
static bool must_end_keepalive(const struct client *client)
{
	return must_tell_keepalive(client) && client->keepalive_told;
}

/* The answer to COMPRESS is next: it goes in a frame of its own kind. Returns 0, -EAGAIN or -EPIPE. */
static int send_compress(struct client *client, size_t *ret_sent)
{
	int r = channel_send(&client->channel, CHANNEL_COMPRESS,
		slice_head(buf_slice(&client->out), client->compress_bytes));

	if (r < 0)
		return r;
	*ret_sent = client->compress_bytes;
	client->compress_bytes = 0;
	return 0;
}

/* Send what waits, as far as it goes. Returns 0, -EAGAIN or -EPIPE. */
static int send_out(struct client *client, size_t *ret_sent)
{
	struct slice data = buf_slice(&client->out);
	int r = 0;

	if (must_end_keepalive(client) && client->owed > 0)
		data = slice_head(data, client->owed);
	else if (must_end_keepalive(client))
		r = tell_keepalive(client);
	if (r < 0)
		return r;
	if (client->compress_bytes > 0 && client->compress_at == 0)
		return send_compress(client, ret_sent);
	if (client->compress_bytes > 0)
		data = slice_head(data, client->compress_at);
	return channel_send_data(&client->channel, data, &client->owed, ret_sent);
}

static void flush(struct client *client, uint64_t now_usec)
{
	size_t sent = 0;
	int r = client->out.n > 0 ? send_out(client, &sent) : 0;

	if (r < 0 && r != -EAGAIN) {
		end(client, CLOSE_CLIENT_GONE);
		return;
	}
	buf_consume(&client->out, sent);
	client->out_bytes += sent;
	client->compress_at -= sent < client->compress_at ? sent : client->compress_at;
	if (client->wants == ENGINE_OUTPUT && client->out.n < RESUME_BELOW_BYTES &&
		client->compress_bytes == 0)
		client->wants = ENGINE_STEP;
	if (client->out.n == 0) {
		must(client->owed == 0);
		if (client->phase == SERVING)
			client->deadline_usec = UINT64_MAX;
		send_small_frames(client, now_usec);
	} else if (sent > 0 || client->deadline_usec == UINT64_MAX) {
		client->deadline_usec = now_usec + stall_timeout_usec;
	}
}

void client_write(struct client *client, uint64_t now_usec)
{
	if (client->phase == OPENING && client->is_decided)
		send_verdict(client, now_usec);
	if (client->phase == SERVING || client->phase == FLUSHING)
		flush(client, now_usec);
}

static struct engine_io make_io(struct client *client)
{
	return (struct engine_io){
		.in = &client->in,
		.out = &client->out,
		.in_eof = client->phase == SERVING && is_in_over(client),
		.now_usec = clock_realtime_usec(),
		.budget = STEP_BUDGET,
	};
}

static void open_step(struct client *client, uint64_t now_usec)
{
	struct engine_io io = make_io(client);
	uint32_t messages;
	uint64_t octets;

	client->wants = client->engine->type->step(client->engine, &io);
	if (client->wants == ENGINE_RETRY)
		wait_for_retry(client, &io, now_usec);

	int r = pop3_opened(client->engine, &messages, &octets);

	if (r == -EINPROGRESS)
		return;
	if (r < 0)
		log_line(client->host->log, LOG_PRIORITY_ERROR,
			"login refused: user=%s addr=%s service=%s: cannot open the maildrop: %s",
			client->user, client->address, service_name(client->service), strerror(-r));
	decide(client, r < 0 ? VERDICT_UNAVAILABLE : VERDICT_OK);
	send_verdict(client, now_usec);
}

/* The engine answered COMPRESS: what it writes from now on, goodbyes too, goes behind the switch. */
static void take_compress(struct client *client)
{
	size_t bytes = client->engine->compress_bytes;

	if (bytes == 0)
		return;
	must(client->wants == ENGINE_OUTPUT && bytes <= client->out.n);
	client->engine->compress_bytes = 0;
	client->compress_bytes = bytes;
	client->compress_at = client->out.n - bytes;
}

static void serve_step(struct client *client, uint64_t now_usec)
{
	struct engine_io io = make_io(client);

	client->wants = client->engine->type->step(client->engine, &io);
	take_compress(client);
	if (client->wants == ENGINE_RETRY)
		wait_for_retry(client, &io, now_usec);
	if (client->wants == ENGINE_CLOSE)
		begin_flushing(client, client->engine->reason, now_usec);
	else if (client->wants == ENGINE_INPUT && io.in_eof)
		begin_flushing(client, CLOSE_CLIENT_GONE, now_usec);
	else if (client->wants == ENGINE_INPUT && !has_room(client))
		begin_flushing(client, CLOSE_LIMIT, now_usec);
	flush(client, now_usec);
	take_frames(client, now_usec); /* the step may have made room */
}

static bool can_step(const struct client *client)
{
	return client->wants == ENGINE_STEP &&
	       ((client->phase == OPENING && !client->is_decided) || client->phase == SERVING);
}

static void meet_deadline(struct client *client, uint64_t now_usec)
{
	if (client->phase == OPENING && !client->is_decided) {
		log_line(client->host->log, LOG_PRIORITY_ERROR,
			"login refused: user=%s addr=%s service=%s: the maildrop could not be "
			"opened in time (a lock held by another program?)",
			client->user, client->address, service_name(client->service));
		decide(client, VERDICT_UNAVAILABLE);
		client->deadline_usec = now_usec + linger_timeout_usec;
		send_verdict(client, now_usec);
		return;
	}
	end(client, CLOSE_IDLE_TIMEOUT); /* keeps a reason that was given before */
}

static uint64_t commands_of(const struct client *client)
{
	return client->engine ? client->engine->commands : client->commands;
}

uint64_t client_run(struct client *client, uint64_t now_usec)
{
	uint64_t before = commands_of(client), until_usec = now_usec + CLIENT_SLICE_USEC,
		 t = now_usec;

	if (client->wants == ENGINE_RETRY && now_usec >= client->retry_at_usec)
		client->wants = ENGINE_STEP;
	while (can_step(client) && t < until_usec) {
		if (client->phase == OPENING)
			open_step(client, t);
		else
			serve_step(client, t);
		t = clock_monotonic_usec();
	}
	if (now_usec >= client->deadline_usec)
		meet_deadline(client, now_usec);
	if (client->phase >= FLUSHING || client->wants == ENGINE_INPUT)
		shrink_when_quiet(client);
	return commands_of(client) - before;
}

void client_poke(struct client *client)
{
	if (client->phase == SERVING && client->wants == ENGINE_INPUT)
		client->wants = ENGINE_STEP;
}

void client_bye(struct client *client, enum close_reason reason, uint64_t now_usec)
{
	if (client->phase == OPENING && !client->is_decided) {
		client->reason = reason;
		decide(client, VERDICT_UNAVAILABLE);
		send_verdict(client, now_usec);
	} else if (client->phase == SERVING) {
		struct engine_io io = make_io(client);

		client->engine->type->bye(client->engine, &io, reason);
		begin_flushing(client, reason, now_usec);
		flush(client, now_usec);
	}
}

struct client_wants client_wants(const struct client *client)
{
	bool is_retrying = client->wants == ENGINE_RETRY && client->phase <= SERVING;
	uint64_t wake_usec = client->deadline_usec;

	if (is_retrying && client->retry_at_usec < wake_usec)
		wake_usec = client->retry_at_usec;
	return (struct client_wants){
		.over = client->phase == OVER,
		.run = can_step(client),
		.read = client->phase != OVER && !client->channel.in_eof && has_room(client),
		.write = (client->phase == OPENING && client->is_decided) || client->out.n > 0 ||
			 client->phase == FLUSHING || must_tell_keepalive(client),
		.wake_usec = wake_usec,
	};
}

struct client_facts client_facts(const struct client *client, uint64_t now_usec)
{
	return (struct client_facts){
		.login_id = client->login_id,
		.idle_usec =
			now_usec > client->last_input_usec ? now_usec - client->last_input_usec : 0,
		.commands = commands_of(client),
		.is_idling = client->phase == SERVING && client->engine->idling,
	};
}

void client_describe(const struct client *client, struct buf *out)
{
	if (client->engine)
		client->engine->type->describe(client->engine, out);
	else
		must(buf_add_str(out, "closing") == 0);
}
