/*
 * The password's way: client → OpenSSL's buffer (cleansed) → c->in (wiped as it is consumed) → c->prelogin
 * (login_start() has it forgotten) → one record on the stack (wiped) → the channel. Nothing else ever holds it.
 */
#include "server/front/login.h"

#include "base/must.h"
#include "server/front/front.h"
#include "server/front/relay.h"

#include <errno.h>

/* ---- the way in ---- */

static int send_credentials(struct channel *channel, const struct credentials *credentials)
{
	uint8_t record[CREDENTIALS_MAX_BYTES];
	size_t n = credentials_encode(credentials, record);
	int r = n > 0 ? channel_send(channel, CHANNEL_CREDENTIALS, slice_from(record, n)) : -EMSGSIZE;

	explicit_bzero(record, sizeof record);
	return r;
}

static void send_login(struct connection *c, int far_fd)
{
	struct frame frame = {
		.kind = FRAME_LOGIN,
		.login = {
			.login_id = c->login->login_id,
			.service = (uint8_t)c->service,
			.address_family = c->address.family,
			.address_bytes = slice_from(c->address.bytes, sizeof c->address.bytes),
			.address_port = c->address.port,
			.tls_version = slice_head(stream_tls_version(&c->stream), 32),
			.tls_cipher = slice_head(stream_tls_cipher(&c->stream), 64),
			.language = (uint8_t)c->prelogin->language,
		},
	};

	front_send(c->front, &frame, &far_fd);
}

static int open_and_send(struct connection *c)
{
	int fds[2];
	int r = channel_pair(fds);

	if (r < 0)
		return r;

	_cleanup_close_ int far_fd = fds[1];

	connection_open_channel(c, fds[0]);
	r = send_credentials(&c->channel, &c->prelogin->credentials);
	if (r == 0)
		send_login(c, far_fd);
	return r;
}

/* Wiped bytes may have left older copies where the buffer was moved: what is left goes to new memory. */
static void renew_input(struct connection *c)
{
	struct buf fresh = BUF(c->in.max_bytes);

	must(buf_add(&fresh, buf_slice(&c->in)) == 0);
	buf_done_wipe(&c->in);
	c->in = fresh;
}

static void set_verdict(struct connection *c, const struct channel_verdict *verdict)
{
	struct login *login = c->login;
	uint64_t delay = c->front->conf->auth.failure_delay_usec;
	uint64_t asked = verdict->delay_usec < LOGIN_MAX_DELAY_USEC ? verdict->delay_usec : LOGIN_MAX_DELAY_USEC;
	bool at_once = verdict->verdict == VERDICT_OK || verdict->verdict == VERDICT_IN_USE || verdict->verdict == VERDICT_LIMIT;

	login->has_verdict = true;
	login->verdict = verdict->verdict;
	login->answer_usec = login->started_usec + (at_once ? 0 : asked > delay ? asked : delay);
	buf_clear(&login->text);
	must(buf_add(&login->text, verdict->text) == 0);
}

static void set_unavailable(struct connection *c)
{
	set_verdict(c, &(struct channel_verdict){ .verdict = VERDICT_UNAVAILABLE });
}

void login_start(struct connection *c)
{
	c->login = calloc(1, sizeof *c->login);
	must(c->login != NULL);
	*c->login = (struct login){
		.login_id = ++c->front->last_login_id,
		.started_usec = connection_now_usec(c),
		.text = BUF(CHANNEL_VERDICT_TEXT_BYTES),
	};

	int r = open_and_send(c);

	prelogin_forget(c->prelogin);
	renew_input(c);
	connection_set_state(c, CONNECTION_LOGIN);
	if (r == 0)
		return;
	connection_close_channel(c);
	set_unavailable(c);
	log_line(&c->front->log, LOG_PRIORITY_ERROR, "cannot hand a login on: %s", strerror(-r));
}

/* ---- the way out ---- */

static void forget(struct connection *c)
{
	buf_done(&c->login->text);
	free(take_ptr(c->login));
}

void login_cancel(struct connection *c)
{
	if (!c->login)
		return;
	if (!c->login->has_verdict)
		front_send(c->front, &(struct frame){ .kind = FRAME_CANCEL, .login_id = { c->login->login_id } }, NULL);
	forget(c);
}

/* Look for the first frame. Anything but a verdict in it is as bad as none. */
static void read_verdict(struct connection *c)
{
	struct channel_frame frame;
	struct channel_verdict verdict;
	int read = channel_read(&c->channel);
	int r = channel_next(&c->channel, &frame);

	if (r == 0 && frame.kind == CHANNEL_VERDICT && channel_verdict_parse(frame.payload, &verdict) == 0)
		set_verdict(c, &verdict);
	else if (r != -EAGAIN || c->channel.in_eof || (read < 0 && read != -EAGAIN))
		set_unavailable(c);
}

static void succeed(struct connection *c)
{
	(void)prelogin_answer(c->prelogin, VERDICT_OK, buf_slice(&c->login->text), &c->out);
	forget(c);
	relay_start(c);
}

static void fail(struct connection *c)
{
	connection_close_channel(c);

	enum prelogin_wants wants = prelogin_answer(c->prelogin, c->login->verdict, buf_slice(&c->login->text), &c->out);

	forget(c);
	connection_set_state(c, wants == PRELOGIN_CLOSE ? CONNECTION_CLOSING : CONNECTION_PRELOGIN);
}

/* Bytes that come meanwhile are kept for what follows; a client that went away needs no answer. */
static bool keep_pipelined(struct connection *c, unsigned events)
{
	if (!(events & CONNECTION_CLIENT_READ) || connection_read(c, LIMIT_PIPELINE_BYTES) != -EPIPE)
		return true;
	connection_set_state(c, CONNECTION_CLOSED);
	return false;
}

void login_step(struct connection *c, unsigned events)
{
	if (!keep_pipelined(c, events) || (!connection_flush(c) && c->state == CONNECTION_CLOSED))
		return;
	if (!c->login->has_verdict && (events & CONNECTION_CHANNEL_READ))
		read_verdict(c);
	if (!c->login->has_verdict && (events & CONNECTION_DUE)) {
		front_send(c->front, &(struct frame){ .kind = FRAME_CANCEL, .login_id = { c->login->login_id } }, NULL);
		set_unavailable(c);
	}
	if (!c->login->has_verdict)
		return;
	if (c->login->verdict == VERDICT_OK)
		succeed(c);
	else if (c->login->answer_usec <= connection_now_usec(c))
		fail(c);
	else
		connection_close_channel(c);
}

unsigned login_waits(const struct connection *c)
{
	bool reads = !c->stream.eof && c->in.n < LIMIT_PIPELINE_BYTES;

	return (reads ? CONNECTION_CLIENT_READ : 0) | (c->out.n > 0 ? CONNECTION_CLIENT_WRITE : 0) |
		(c->login->has_verdict ? 0 : CONNECTION_CHANNEL_READ);
}

uint64_t login_due_usec(const struct connection *c)
{
	const struct login *login = c->login;

	if (login->has_verdict)
		return login->answer_usec;
	return login->started_usec + c->front->conf->auth.verify_timeout_usec + LOGIN_QUEUE_USEC;
}
