#include "server/worker/worker.h"

#include "auth/pam.h"
#include "base/clock.h"
#include "base/must.h"
#include "base/quote.h"
#include "server/ipc/channel.h"
#include "server/worker/scrub.h"
#include "server/worker/verify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

/* The front writes the credentials before it sends LOGIN, so they are there: who lets us wait is not a front. */
enum { CREDENTIALS_WAIT_MSEC = 1000 };

struct worker {
	struct line line;
	struct log log;
	struct status status;
	const struct conf *conf;
	struct penalty *penalty;
};

/* One VERIFY. */
struct login {
	uint64_t id;
	enum service service;
	struct address address;
	struct channel channel;
};

/* The first word of the cause, for programs that read logs: to ban an address for "unavailable" would be wrong. */
static const struct {
	const char *cause;
	enum log_priority priority;
} failures[VERDICT_COUNT] = {
	[VERDICT_AUTHENTICATION_FAILED] = { "authentication", LOG_PRIORITY_NOTICE },
	[VERDICT_EXPIRED] = { "expired", LOG_PRIORITY_NOTICE },
	[VERDICT_AUTHORIZATION_FAILED] = { "authorization", LOG_PRIORITY_WARNING },
	[VERDICT_UNAVAILABLE] = { "unavailable", LOG_PRIORITY_ERROR },
	[VERDICT_REFUSED] = { "refused", LOG_PRIORITY_NOTICE },
};

/* Returns 0, -ETIMEDOUT, -EPIPE or -EBADMSG. Nothing may follow the credentials before the verdict. */
static int read_record(struct channel *channel, struct channel_frame *ret_frame)
{
	const uint64_t until_usec = clock_monotonic_usec() + CREDENTIALS_WAIT_MSEC * USEC_PER_MSEC;
	int r;

	while ((r = channel_next(channel, ret_frame)) == -EAGAIN) {
		uint64_t now_usec = clock_monotonic_usec();
		struct pollfd p = { .fd = channel->fd, .events = POLLIN };

		r = channel_read(channel);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (channel->in_eof)
			return -EPIPE;
		if (r == 0)
			continue;
		if (now_usec >= until_usec)
			return -ETIMEDOUT;
		(void)poll(&p, 1, (int)((until_usec - now_usec) / USEC_PER_MSEC) + 1);
	}
	if (r == 0 && (ret_frame->kind != CHANNEL_CREDENTIALS || channel->in.n > 0))
		return -EBADMSG;
	return r;
}

static void log_failure(const struct worker *worker, const struct login *login, struct slice user, const struct verify_outcome *outcome)
{
	char quoted[QUOTE_BYTES(100)], address[ADDRESS_TEXT_BYTES];

	address_format(&login->address, address);
	log_line(&worker->log, failures[outcome->verdict].priority, "login failed: user=%s addr=%s service=%s cause=%s: %s",
		quote_format(user, quoted, sizeof quoted), address, service_name(login->service), failures[outcome->verdict].cause,
		outcome->cause);
}

static int answer_failed(struct worker *worker, struct login *login, const struct verify_outcome *outcome)
{
	const struct channel_verdict verdict = { .verdict = outcome->verdict, .delay_usec = outcome->delay_usec };

	/* A front that does not take it has gone, or sees the channel closed by the master. */
	(void)!channel_send_verdict(&login->channel, &verdict);
	status_add(&worker->status, STATUS_VERIFIED_FAILED, 1);
	return line_send(&worker->line,
		&(struct frame){ .kind = FRAME_FAILED, .failed = { .login_id = login->id, .verdict = (uint8_t)outcome->verdict } },
		NULL);
}

static struct slice encode_groups(const struct account *account, uint8_t bytes[4 * LIMIT_GROUPS])
{
	for (size_t i = 0; i < account->n_groups; i++)
		for (int j = 0; j < 4; j++)
			bytes[4 * i + (size_t)j] = (uint8_t)(account->groups[i] >> 8 * (3 - j));
	return slice_from(bytes, 4 * account->n_groups);
}

static int answer_account(struct worker *worker, struct login *login, const struct account *account)
{
	char quoted[QUOTE_BYTES(100)];
	uint8_t groups[4 * LIMIT_GROUPS];
	const struct frame frame = {
		.kind = FRAME_ACCOUNT,
		.account = {
			.login_id = login->id,
			.user = slice_str(account->user),
			.user_uid = account->user_uid,
			.user_gid = account->user_gid,
			.groups = encode_groups(account, groups),
			.home = slice_str(account->home),
			.mail_path = slice_str(account->mail_path),
			.index_path = slice_str(account->index_path),
		},
	};

	if (account->groups_left_out > 0)
		log_line(&worker->log, LOG_PRIORITY_WARNING, "user=%s is in %u groups; the first %d are used, the others are not",
			quote_format(slice_str(account->user), quoted, sizeof quoted), account->groups_left_out + LIMIT_GROUPS,
			LIMIT_GROUPS);
	status_add(&worker->status, STATUS_VERIFIED_OK, 1);
	return line_send(&worker->line, &frame, NULL);
}

/* Read, judge, wipe, log. */
static void judge(struct worker *worker, struct login *login, struct verify_outcome *ret_outcome)
{
	struct verify_request request = { .address = login->address };
	struct channel_frame frame;
	int r = read_record(&login->channel, &frame);

	if (r == 0) {
		r = credentials_decode(frame.payload, &request.credentials);
		if (r == 0) {
			verify_login(worker->conf, worker->penalty, &worker->log, &request, clock_monotonic_usec(), ret_outcome);
			if (ret_outcome->verdict != VERDICT_OK)
				log_failure(worker, login, request.credentials.authcid, ret_outcome);
		}
		channel_frame_wipe(&frame);
	}
	scrub_stack();
	if (r == 0)
		return;
	*ret_outcome = (struct verify_outcome){ .verdict = VERDICT_UNAVAILABLE };
	snprintf(ret_outcome->cause, sizeof ret_outcome->cause, "no credentials came from the front: %s", strerror(-r));
	log_failure(worker, login, SLICE("-"), ret_outcome); /* a name that no user can have */
}

static int on_verify(struct worker *worker, struct line_frame *f)
{
	struct verify_outcome outcome;
	struct login login = {
		.id = f->frame.login.login_id,
		.service = f->frame.login.service,
		.address = frame_login_address(&f->frame.login),
		.channel = channel_open(line_frame_take_fd(f, 0), CHANNEL_PEER_FRONT),
	};

	judge(worker, &login, &outcome);

	int r = outcome.verdict == VERDICT_OK ? answer_account(worker, &login, &outcome.account) :
						answer_failed(worker, &login, &outcome);

	channel_close(&login.channel);
	return r;
}

static void wait_for_line(const struct line *line)
{
	struct pollfd p = { .fd = line->fd, .events = (short)(POLLIN | (line_wants_write(line) ? POLLOUT : 0)) };

	must(poll(&p, 1, -1) >= 0 || errno == EINTR);
}

/* Take one frame. Returns 0 to go on; -EPIPE: the line ended; -EBADMSG. */
static int serve_one(struct worker *worker)
{
	struct line_frame f;
	int r = line_receive(&worker->line, &f);

	if (r == -EAGAIN)
		return 0;
	if (r < 0)
		return r;
	r = f.frame.kind == FRAME_VERIFY ? on_verify(worker, &f) : -EBADMSG;
	line_frame_done(&f);
	return r;
}

int worker_serve(const struct pool_child *child, struct penalty *penalty)
{
	struct worker worker = {
		.line = line_open(child->line_fd, ROLE_MASTER),
		.status = child->status,
		.conf = child->conf,
		.penalty = penalty,
	};

	worker.log = pool_line_log(&worker.line);
	signal(SIGCHLD, SIG_DFL); /* modules wait for the helpers they start */

	struct pam_idle *idle = pam_idle_new(child->conf->auth.pam_service, child->conf->auth.pam_config_dir);
	int r = line_send(&worker.line, &(struct frame){ .kind = FRAME_READY }, NULL);

	while (r == 0) {
		wait_for_line(&worker.line);
		r = line_flush(&worker.line);
		if (r == 0)
			r = serve_one(&worker);
	}
	pam_idle_free(idle);
	line_close(&worker.line);
	return r == -EBADMSG;
}
