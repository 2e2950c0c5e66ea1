#include "server/master/login.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/ipc/channel.h"
#include "server/master/master.h"

#include <utlist.h>

enum { KICK_SEC = 15 }; /* more than a session gives a client to take what is left for it */

#define TO(state) (1u << (state))

static const unsigned edges[LOGIN_STATE_COUNT] = {
	[LOGIN_QUEUED] = TO(LOGIN_VERIFYING),
	[LOGIN_VERIFYING] = TO(LOGIN_PLACING),
	[LOGIN_PLACING] = TO(LOGIN_ADOPTED),
};

bool login_may_become(enum login_state from, enum login_state to)
{
	return from < LOGIN_STATE_COUNT && edges[from] & TO(to);
}

void login_become(struct login *login, enum login_state state)
{
	must(login_may_become(login->state, state));
	login->state = state;
	login->since_usec = clock_monotonic_usec();
}

struct login *login_by_id(struct master *m, uint64_t id)
{
	struct login *login;

	HASH_FIND(hh, m->logins, &id, sizeof id, login);
	return login;
}

static struct login *find_by_origin(struct master *m, const struct process *front, uint64_t front_id)
{
	struct login_origin origin = { front->slot, front_id };
	struct login *login;

	HASH_FIND(hh_origin, m->logins_by_origin, &origin, sizeof origin, login);
	return login;
}

/* The front may use its number again, or is gone. */
static void forget_origin(struct login *login)
{
	if (!login->front)
		return;
	HASH_DELETE(hh_origin, login->master->logins_by_origin, login);
	login->front = NULL;
}

static void account_free(struct account *account)
{
	if (!account)
		return;
	free(account->home);
	free(account->mail_path);
	free(account->index_path);
	free(account);
}

void login_adopted(struct login *login)
{
	login_become(login, LOGIN_ADOPTED);
	forget_origin(login);
	cleanup_close(&login->channel_fd);
	login->channel_fd = -1;
	account_free(take_ptr(login->account));
	login->master->n_adopted++;
}

void login_free(struct login *login)
{
	struct master *m = login->master;

	queue_remove(&m->queue, &login->queue_entry);
	forget_origin(login);
	if (login->worker)
		login->worker->login = NULL;
	if (login->state == LOGIN_PLACING && login->session)
		session_forget_waiting(login->session, login);
	else if (login->state == LOGIN_PLACING)
		DL_DELETE(m->placing, login);
	else if (login->state == LOGIN_ADOPTED)
		m->n_adopted--;
	if (login->kicked_usec > 0)
		m->n_kicked--;
	HASH_DEL(m->logins, login);
	cleanup_close(&login->channel_fd);
	account_free(login->account);
	free(login->doing);
	free(login);
}

void login_refuse(struct login *login, enum verdict verdict)
{
	struct channel channel = channel_open(take_fd(&login->channel_fd), CHANNEL_PEER_FRONT);

	/* The channel is fresh: there is room. If not, its end says that something went wrong. */
	(void)!channel_send_verdict(&channel, &(struct channel_verdict){ .verdict = verdict });
	channel_close(&channel);
	login_free(login);
}

static struct login *new_login(struct master *m, struct process *front, const struct frame_login *frame, int channel_fd)
{
	struct login *login = calloc(1, sizeof *login);

	must(login != NULL);
	login->id = ++m->last_login_id;
	login->master = m;
	login->origin = (struct login_origin){ front->slot, frame->login_id };
	login->front = front;
	login->generation = front->generation->number;
	login->channel_fd = channel_fd;
	login->service = (enum service)frame->service;
	login->address = frame_login_address(frame);
	must(slice_to_str(frame->tls_version, login->tls_version, sizeof login->tls_version));
	must(slice_to_str(frame->tls_cipher, login->tls_cipher, sizeof login->tls_cipher));
	login->language = frame->language;
	login->since_usec = clock_monotonic_usec();
	HASH_ADD(hh, m->logins, id, sizeof login->id, login);
	HASH_ADD(hh_origin, m->logins_by_origin, origin, sizeof login->origin, login);
	return login;
}

static void cancel(struct login *login)
{
	if (login->state != LOGIN_VERIFYING) {
		login_free(login);
		return;
	}
	/* The worker goes on; what it says is of no use. */
	login->cancelled = true;
	forget_origin(login);
	cleanup_close(&login->channel_fd);
	login->channel_fd = -1;
}

void login_on_login(struct master *m, struct process *front, const struct frame_login *frame, int channel_fd)
{
	if (!channel_is_from(channel_fd, front->pid)) {
		close(channel_fd);
		process_kill(front, "it sent a channel that it did not make");
		return;
	}
	if (m->stop.state != STOP_NOT) {
		close(channel_fd);
		return;
	}

	/* A connection that tries again: its verdict reached the front sooner than the word of it reached us. */
	struct login *before = find_by_origin(m, front, frame->login_id);

	if (before)
		cancel(before);

	struct login *login = new_login(m, front, frame, channel_fd);

	m->n_logins++;
	if (queue_push(&m->queue, &login->queue_entry, front->slot, &login->address, m->configuration->conf->auth.queue_length) < 0) {
		if (m->n_queue_full++ % 1000 == 0)
			log_line(master_log(m), LOG_PRIORITY_WARNING, "too many logins are waiting (queue-length): some are turned away");
		login_free(login);
	}
}

void login_on_cancel(struct master *m, struct process *front, const struct frame_login_id *frame)
{
	struct login *login = find_by_origin(m, front, frame->login_id);

	if (login)
		cancel(login); /* else it crossed our ADOPT or the worker's verdict */
}

/* The worker is done with its login: idle again, or replaced. */
static void release_worker(struct master *m, struct process *worker)
{
	worker->login->worker = NULL;
	worker->login = NULL;
	process_become(worker, PROCESS_READY);
	if (worker->requests >= m->configuration->conf->auth.worker_requests ||
		(m->reload.state == RELOAD_NONE && worker->configuration != m->configuration->number))
		process_dismiss(worker);
}

static struct account *copy_account(const struct frame_account *frame)
{
	struct account *a = calloc(1, sizeof *a);

	must(a != NULL && frame->groups.n <= sizeof a->groups);
	must(slice_to_str(frame->user, a->user, sizeof a->user));
	a->user_uid = frame->user_uid;
	a->user_gid = frame->user_gid;
	a->n_group_bytes = frame->groups.n;
	if (frame->groups.n > 0)
		memcpy(a->groups, frame->groups.p, frame->groups.n);
	a->home = strndup(frame->home.p ? frame->home.p : "", frame->home.n);
	a->mail_path = strndup(frame->mail_path.p, frame->mail_path.n);
	a->index_path = strndup(frame->index_path.p, frame->index_path.n);
	must(a->home && a->mail_path && a->index_path);
	return a;
}

bool login_on_account(struct master *m, struct process *worker, const struct frame_account *frame)
{
	struct login *login = worker->login;

	if (!login || login->id != frame->login_id)
		return false;
	release_worker(m, worker);
	if (login->cancelled) {
		login_free(login);
		return true;
	}
	login->account = copy_account(frame);
	login_become(login, LOGIN_PLACING);
	DL_APPEND(m->placing, login);
	return true;
}

bool login_on_failed(struct master *m, struct process *worker, const struct frame_failed *frame)
{
	struct login *login = worker->login;

	if (!login || login->id != frame->login_id)
		return false;
	release_worker(m, worker);
	login_free(login);
	return true;
}

void login_front_lost(struct master *m, struct process *front)
{
	struct login *login, *next;

	HASH_ITER(hh_origin, m->logins_by_origin, login, next)
		if (login->front == front)
			cancel(login);
}

void login_worker_lost(struct master *m, struct process *worker)
{
	(void)m;
	if (worker->login)
		login_free(worker->login);
}

static void verify(struct login *login, struct process *worker)
{
	struct frame frame = {
		.kind = FRAME_VERIFY,
		.login = {
			.login_id = login->id,
			.service = (uint8_t)login->service,
			.address_family = login->address.family,
			.address_bytes = slice_from(login->address.bytes, sizeof login->address.bytes),
			.address_port = login->address.port,
			.tls_version = slice_str(login->tls_version),
			.tls_cipher = slice_str(login->tls_cipher),
			.language = login->language,
		},
	};

	login_become(login, LOGIN_VERIFYING);
	login->worker = worker;
	worker->login = login;
	worker->requests++;
	process_become(worker, PROCESS_BUSY);
	peer_send(&worker->peer, &frame, &login->channel_fd);
}

void logins_settle(struct master *m)
{
	struct process *worker;

	while (m->queue.n > 0 && (worker = m->processes.lists[ROLE_WORKER][PROCESS_READY]) != NULL) {
		struct queue_entry *entry = queue_pop(&m->queue);
		struct login *login = (struct login *)((char *)entry - offsetof(struct login, queue_entry));

		verify(login, worker);
	}
}

/* A session that does not do what the admin asks of it hangs: on a dead file server, or stopped. */
static void end_deaf_sessions(struct master *m, uint64_t now_usec)
{
	struct login *login, *next;

	if (m->n_kicked == 0)
		return;
	HASH_ITER(hh, m->logins, login, next)
		if (login->kicked_usec > 0 && now_usec - login->kicked_usec > KICK_SEC * USEC_PER_SEC &&
			login->session->process->state != PROCESS_ENDING)
			process_kill(login->session->process, "it did not close a connection that the administrator closed");
}

void logins_tick(struct master *m, uint64_t now_usec)
{
	struct process *worker, *next;

	if (!m->configuration)
		return;
	DL_FOREACH_SAFE(m->processes.lists[ROLE_WORKER][PROCESS_BUSY], worker, next)
		if (now_usec - worker->since_usec > m->configuration->conf->auth.verify_timeout_usec) {
			m->n_verify_timeouts++;
			process_kill(worker, "a login took longer than verify-timeout");
		}
	end_deaf_sessions(m, now_usec);
}

void login_kick(struct login *login)
{
	if (login->kicked_usec == 0) {
		login->kicked_usec = clock_monotonic_usec();
		login->master->n_kicked++;
	}
	peer_send(&login->session->process->peer, &(struct frame){ .kind = FRAME_KICK, .login_id = { login->id } }, NULL);
}

void logins_done(struct master *m)
{
	struct login *login, *next;

	HASH_ITER(hh, m->logins, login, next)
		login_free(login);
}
