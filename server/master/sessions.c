#include "server/master/sessions.h"

#include "base/clock.h"
#include "base/must.h"
#include "base/quote.h"
#include "server/master/master.h"
#include "server/master/supply.h"

#include <signal.h>
#include <sys/wait.h>
#include <utlist.h>

enum { RETIRE_GRACE_SEC = 10 };

#define TO(state) (1u << (state))

static const unsigned edges[SESSION_STATE_COUNT] = {
	[SESSION_WAITING] = TO(SESSION_ACTIVE),
	[SESSION_ACTIVE] = TO(SESSION_RETIRING) | TO(SESSION_ENDING),
	[SESSION_RETIRING] = TO(SESSION_ENDING),
	[SESSION_ENDING] = TO(SESSION_WAITING),
};

bool session_may_become(enum session_state from, enum session_state to)
{
	return from < SESSION_STATE_COUNT && edges[from] & TO(to);
}

bool session_retire_allowed(enum session_state state, size_t n_connections, size_t n_waiting)
{
	return state == SESSION_ACTIVE && n_connections == 0 && n_waiting == 0;
}

bool session_death_spoils_index(int status)
{
	return WIFSIGNALED(status) &&
		(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGABRT);
}

static void become(struct session *s, enum session_state state)
{
	must(session_may_become(s->state, state));
	s->state = state;
	s->since_usec = clock_monotonic_usec();
}

enum { KEY_BYTES_MAX = sizeof(uint64_t) + SESSION_PATH_BYTES };

static size_t make_key(const struct account *account, char key[KEY_BYTES_MAX])
{
	uint64_t user_uid = account->user_uid;
	size_t path_bytes = strlen(account->mail_path);

	must(path_bytes <= SESSION_PATH_BYTES);
	memcpy(key, &user_uid, sizeof user_uid);
	memcpy(key + sizeof user_uid, account->mail_path, path_bytes);
	return sizeof user_uid + path_bytes;
}

static struct session *find_or_make(struct master *m, const struct account *account)
{
	char key[KEY_BYTES_MAX];
	size_t n = make_key(account, key);
	struct session *s;

	HASH_FIND(hh, m->sessions, key, n, s);
	if (s)
		return s;
	s = calloc(1, sizeof *s + n);
	must(s != NULL);
	s->state = SESSION_WAITING;
	s->since_usec = clock_monotonic_usec();
	memcpy(s->key, key, n);
	memcpy(s->user, account->user, sizeof s->user);
	HASH_ADD_KEYPTR(hh, m->sessions, s->key, n, s);
	return s;
}

static void leave_queue(struct master *m, struct session *s)
{
	if (!s->queued)
		return;
	DL_DELETE(m->sessions_waiting, s);
	m->n_sessions_waiting--;
	s->queued = false;
}

static void enter_queue(struct master *m, struct session *s)
{
	if (s->queued)
		return;
	DL_APPEND(m->sessions_waiting, s);
	m->n_sessions_waiting++;
	s->queued = true;
}

static void session_free(struct master *m, struct session *s)
{
	must(!s->connections && !s->waiting);
	leave_queue(m, s);
	HASH_DEL(m->sessions, s);
	free(s);
}

static void adopt(struct session *s, struct login *login, bool drop_index)
{
	const struct account *a = login->account;
	char address[ADDRESS_TEXT_BYTES];
	struct frame frame = {
		.kind = FRAME_ADOPT,
		.adopt = {
			.login_id = login->id,
			.service = (uint8_t)login->service,
			.drop_index = drop_index,
			.user = slice_str(a->user),
			.user_uid = a->user_uid,
			.user_gid = a->user_gid,
			.groups = slice_from(a->groups, a->n_group_bytes),
			.home = slice_str(a->home),
			.mail_path = slice_str(a->mail_path),
			.index_path = slice_str(a->index_path),
			.language = login->language,
		},
	};

	address_format(&login->address, address);
	frame.adopt.address = slice_str(address);
	peer_send(&s->process->peer, &frame, &login->channel_fd);
	login->session = s;
	login_adopted(login);
	DL_APPEND(s->connections, login);
	s->n_connections++;
}

static void wait_in(struct session *s, struct login *login)
{
	login->session = s;
	DL_APPEND(s->waiting, login);
	s->n_waiting++;
}

void session_forget_waiting(struct session *s, struct login *login)
{
	struct master *m = login->master;

	DL_DELETE(s->waiting, login);
	s->n_waiting--;
	login->session = NULL;
	if (s->state != SESSION_WAITING || s->n_waiting > 0)
		return;
	leave_queue(m, s);
	if (!s->drop_index)
		session_free(m, s);
}

/* The process is this user's, and takes connections. */
static bool takes_connections(const struct session *s)
{
	return s->state == SESSION_ACTIVE && s->process->state == PROCESS_BUSY;
}

/* Names come from PAM's database: they may hold blanks. */
static void log_refused(struct master *m, const struct login *login, const char *user)
{
	char quoted[QUOTE_BYTES(100)], address[ADDRESS_TEXT_BYTES];

	address_format(&login->address, address);
	log_line(master_log(m), LOG_PRIORITY_NOTICE, "login refused: user=%s addr=%s service=%s: max-connections-per-user",
		quote_format(slice_str(user), quoted, sizeof quoted), address, service_name(login->service));
}

static void place(struct master *m, struct login *login)
{
	struct session *s = find_or_make(m, login->account);

	DL_DELETE(m->placing, login);
	wait_in(s, login);
	if (s->n_connections + s->n_waiting > m->configuration->conf->session.max_connections_per_user) {
		log_refused(m, login, s->user);
		login_refuse(login, VERDICT_LIMIT);
	} else if (takes_connections(s)) {
		DL_DELETE(s->waiting, login);
		s->n_waiting--;
		adopt(s, login, false);
	} else if (s->state == SESSION_WAITING) {
		enter_queue(m, s);
	}
}

static void take_spare(struct master *m, struct session *s, struct process *spare)
{
	bool drop_index = s->drop_index;
	struct login *login;

	leave_queue(m, s);
	become(s, SESSION_ACTIVE);
	s->process = spare;
	spare->session = s;
	process_become(spare, PROCESS_BUSY);
	while ((login = s->waiting) != NULL) {
		DL_DELETE(s->waiting, login);
		s->n_waiting--;
		adopt(s, login, drop_index);
		drop_index = false;
	}
}

void sessions_settle(struct master *m)
{
	struct process *spare;

	while (m->placing)
		place(m, m->placing);
	if (m->stop.state != STOP_NOT)
		return;
	while (m->sessions_waiting && (spare = m->processes.lists[ROLE_SESSION][PROCESS_READY]) != NULL)
		take_spare(m, m->sessions_waiting, spare);
}

bool session_on_retire(struct master *m, struct process *p)
{
	struct session *s = p->session;

	(void)m;
	if (!s || s->state == SESSION_RETIRING)
		return false;
	s->drop_index = false; /* it has worked with a good index */
	if (p->state != PROCESS_BUSY || !session_retire_allowed(s->state, s->n_connections, s->n_waiting))
		return true;
	peer_send(&p->peer, &(struct frame){ .kind = FRAME_RETIRE_OK }, NULL);
	become(s, SESSION_RETIRING);
	process_stop(p, RETIRE_GRACE_SEC * USEC_PER_SEC);
	return true;
}

/* A connection that this session has; NULL: it has none of that id. */
static struct login *connection_of(struct master *m, const struct session *s, uint64_t id)
{
	struct login *login = s ? login_by_id(m, id) : NULL;

	return login && login->state == LOGIN_ADOPTED && login->session == s ? login : NULL;
}

static void end_connection(struct session *s, struct login *login)
{
	DL_DELETE(s->connections, login);
	s->n_connections--;
	login_free(login);
}

bool session_on_closed(struct master *m, struct process *p, const struct frame_login_id *frame)
{
	struct session *s = p->session;
	struct login *login = connection_of(m, s, frame->login_id);

	if (!login)
		return false;
	s->drop_index = false;
	end_connection(s, login);
	return true;
}

bool session_on_who_entry(struct master *m, struct process *p, const struct frame_who_entry *frame)
{
	struct login *login = connection_of(m, p->session, frame->login_id);

	if (!login)
		return false;
	login->idle_usec = frame->idle_usec;
	login->commands = frame->commands;
	free(login->doing);
	login->doing = strndup(frame->doing.p ? frame->doing.p : "", frame->doing.n);
	must(login->doing != NULL);
	return true;
}

void session_process_lost(struct master *m, struct process *p)
{
	struct session *s = p->session;

	if (p->who_serial > 0)
		control_who_answered(m, p->who_serial);
	p->who_serial = 0;
	if (!s)
		return;
	while (s->connections)
		end_connection(s, s->connections);
	become(s, SESSION_ENDING);
}

static void log_end(struct master *m, const struct process *p, const struct session *s)
{
	char how[80], quoted[QUOTE_BYTES(100)];

	process_describe_exit(p->exit_known, p->exit_status, how);
	if (p->exit_known && p->exit_status == 0)
		return;
	log_line(master_log(m), LOG_PRIORITY_WARNING, "session[%d] of user=%s ended: %s%s", (int)p->pid,
		quote_format(slice_str(s->user), quoted, sizeof quoted), how,
		s->drop_index ? "; its index will be made anew" : "");
}

/* The death of a session that is somebody's is that user's affair: no back-off. */
void session_process_gone(struct master *m, struct process *p)
{
	struct session *s = p->session;

	if (!s) {
		supply_process_gone(m, p);
		return;
	}
	/* drop_index may still be set: it was killed before it could show that it has a good one. */
	s->drop_index |= p->exit_known && session_death_spoils_index(p->exit_status);
	log_end(m, p, s);
	become(s, SESSION_WAITING);
	s->process = NULL;
	p->session = NULL;
	if (s->n_waiting > 0)
		enter_queue(m, s);
	else if (!s->drop_index)
		session_free(m, s);
}

void sessions_done(struct master *m)
{
	struct session *s, *next;

	HASH_ITER(hh, m->sessions, s, next) {
		s->drop_index = true; /* keeps it in the table when its last login goes */
		while (s->connections)
			end_connection(s, s->connections);
		while (s->waiting)
			login_free(s->waiting);
		session_free(m, s);
	}
}
