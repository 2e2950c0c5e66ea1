#include "server/master/verbs.h"

#include "base/clock.h"
#include "server/master/master.h"
#include "server/master/reply.h"
#include "server/master/verb_status.h"

#include <utlist.h>

/* Ask all sessions, but those that still owe an answer: a round waits for them no longer than its deadline. */
static void begin_who(struct master *m)
{
	struct control *control = &m->control;
	struct process *p;

	control->who_serial++;
	control->who_open = 0;
	control->who_deadline_usec = clock_monotonic_usec() + CONTROL_WHO_MSEC * USEC_PER_MSEC;
	master_wake_at(m, control->who_deadline_usec);
	DL_FOREACH(m->processes.lists[ROLE_SESSION][PROCESS_BUSY], p) {
		if (p->who_serial > 0)
			continue;
		p->who_serial = control->who_serial;
		control->who_open++;
		peer_send(&p->peer, &(struct frame){ .kind = FRAME_WHO, .serial = { p->who_serial } }, NULL);
	}
}

static void verb_who(struct master *m, struct control_client *client, const struct slice *arguments, size_t n)
{
	(void)arguments, (void)n;
	client->wait = CONTROL_WAIT_WHO;
	if (m->control.who_open == 0 || clock_monotonic_usec() >= m->control.who_deadline_usec)
		begin_who(m); /* else: share the round under way */
}

static void tell_connection(struct control_client *client, const struct session *s, const struct login *login)
{
	char address[ADDRESS_TEXT_BYTES];
	struct reply_row row = { 0 };

	address_format(&login->address, address);
	reply_add(&row, s->user);
	reply_add(&row, address);
	reply_add(&row, service_name(login->service));
	reply_add(&row, login->tls_version);
	reply_add(&row, login->tls_cipher);
	reply_add_number(&row, login->idle_usec);
	reply_add_number(&row, login->commands);
	reply_add(&row, login->doing ? login->doing : "(no answer)");
	reply_add_number(&row, (uint64_t)s->process->pid);
	reply_add_number(&row, login->id);
	reply_row(client, &row);
}

void verb_who_complete(struct master *m, struct control_client *client)
{
	struct session *s, *next;
	struct login *login;

	reply_table(client, "who user:s address:s service:s tls:s cipher:s idle:u commands:n doing:s pid:n id:n");
	HASH_ITER(hh, m->sessions, s, next)
		DL_FOREACH(s->connections, login)
			tell_connection(client, s, login);
	reply_end(client);
}

static void kick_user(struct master *m, struct control_client *client, struct slice user)
{
	struct session *s, *next;
	size_t n = 0;

	HASH_ITER(hh, m->sessions, s, next) {
		struct login *login;

		if (!slice_equal(slice_str(s->user), user))
			continue;
		DL_FOREACH(s->connections, login) {
			login_kick(login);
			n++;
		}
	}
	if (n == 0)
		reply_text(client, 'E', "%.*s has no connection", SLICE_FMT(user));
	else
		reply_text(client, 'M', "%zu connection%s of %.*s closed", n, n == 1 ? "" : "s", SLICE_FMT(user));
}

static void kick_id(struct master *m, struct control_client *client, struct slice text)
{
	uint64_t id;
	struct login *login = slice_number(text, UINT64_MAX, &id) ? login_by_id(m, id) : NULL;

	if (!login || login->state != LOGIN_ADOPTED) {
		reply_text(client, 'E', "there is no connection %.*s", SLICE_FMT(text));
		return;
	}
	login_kick(login);
	reply_text(client, 'M', "connection %.*s of %s closed", SLICE_FMT(text), login->session->user);
}

static void verb_kick(struct master *m, struct control_client *client, const struct slice *arguments, size_t n)
{
	(void)n;
	if (slice_equal(arguments[0], SLICE("user")))
		kick_user(m, client, arguments[1]);
	else if (slice_equal(arguments[0], SLICE("id")))
		kick_id(m, client, arguments[1]);
	else
		reply_text(client, 'E', "kick: \"user\" or \"id\" is expected");
	reply_end(client);
}

static void verb_reload(struct master *m, struct control_client *client, const struct slice *arguments, size_t n)
{
	const struct reload *r = &m->reload;
	bool one_counts_before = r->state != RELOAD_NONE && r->reason != RELOAD_RESTART;

	(void)arguments, (void)n;
	if (m->stop.state != STOP_NOT) {
		reply_text(client, 'E', "the server is stopping");
		reply_end(client);
		return;
	}
	client->wait = CONTROL_WAIT_RELOAD;
	client->wait_for = r->rounds + 1 + one_counts_before;
	client->deadline_usec = clock_monotonic_usec() + 2 * CONTROL_REPLY_SEC * USEC_PER_SEC;
	reload_begin(m, RELOAD_ASKED);
}

void verb_reload_complete(struct master *m, struct control_client *client)
{
	const struct reload *r = &m->reload;

	if (r->last_ok) {
		reply_text(client, 'M', "configuration taken: generation %llu accepts connections",
			(unsigned long long)(m->accepting ? m->accepting->number : 0));
	} else {
		for (size_t i = 0; i < r->n_problems; i++)
			reply_text(client, 'E', "%s", r->problems[i]);
		reply_text(client, 'E', "the configuration was not taken; everything goes on as before");
	}
	reply_end(client);
}

static const struct verb verbs[] = {
	{ "status", 0, 0, verb_status },
	{ "who", 0, 0, verb_who },
	{ "kick", 2, 2, verb_kick },
	{ "reload", 0, 0, verb_reload },
};

const struct verb *verb_find(struct slice name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (slice_equal(name, slice_str(verbs[i].name)))
			return &verbs[i];
	return NULL;
}
