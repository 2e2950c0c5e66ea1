/*
 *   SPARE ──first ADOPT──▶ SERVING ──no connection for linger──▶ RETIRING ──RETIRE_OK──▶ exit
 *     │                     │    ◀──────────── ADOPT ────────────── │
 *     └─────────────────────┴── STOP, or the line ended ────────────┘
 *                                          ▼
 *                                      STOPPING ──goodbyes sent, or 5 s──▶ exit
 *
 * 1. With the first ADOPT the process becomes the user and enters the sandbox; nothing of a client is
 *    looked at before that.
 * 2. A session serves one uid and one mail path as long as it lives. The master that asks for another
 *    one is wrong: exit.
 */
#include "server/session/session.h"

#include "base/clock.h"
#include "base/must.h"
#include "maildir/store.h"
#include "server/pool/pool.h"
#include "server/session/account.h"
#include "server/session/schedule.h"

#include <errno.h>
#include <ev.h>
#include <stdlib.h>

enum { EXIT_FAULT = 70 };

/* Very many connections: those whose entries do not fit are shown without an answer, rather than that the line counts as dead. */
enum { WHO_QUEUE_BYTES = LINE_QUEUE_BYTES / 2 };

static const double goodbye_seconds = 5;

enum session_state { SPARE, SERVING, RETIRING, STOPPING };

struct session {
	const struct session_settings *settings;
	enum session_state state;
	struct ev_loop *loop;
	struct line line;
	struct log log;
	ev_io line_io;
	ev_prepare line_flush;
	ev_timer linger, goodbye;
	struct schedule *schedule;
	struct account *account; /* NULL: a spare */
	struct client_host host;
	bool may_serve, line_failed;
	int exit_status;
};

static void set_state(struct session *session, enum session_state state)
{
	static const unsigned allowed[] = {
		[SPARE] = 1 << SERVING | 1 << STOPPING,
		[SERVING] = 1 << SERVING | 1 << RETIRING | 1 << STOPPING,
		[RETIRING] = 1 << SERVING | 1 << STOPPING,
		[STOPPING] = 1 << STOPPING,
	};

	must(allowed[session->state] & 1u << state);
	session->state = state;
}

static void finish(struct session *session, int exit_status)
{
	session->exit_status = exit_status;
	ev_break(session->loop, EVBREAK_ALL);
}

static void stop(struct session *session)
{
	if (session->state == STOPPING)
		return;
	set_state(session, STOPPING);
	ev_timer_stop(session->loop, &session->linger);
	ev_timer_start(session->loop, &session->goodbye);
	schedule_bye_all(session->schedule, CLOSE_SHUTDOWN);
	if (schedule_count(session->schedule) == 0)
		finish(session, 0);
}

/* A line that fails is looked at before the loop waits again: what is under way now may be amid the connections. */
static void send_to_master(struct session *session, const struct frame *frame)
{
	if (line_send(&session->line, frame, NULL) < 0)
		session->line_failed = true;
}

static void start_linger(struct session *session)
{
	/* Without a store there is nothing worth keeping: the next login shall find a fresh session. */
	double seconds =
		session->host.store
			? (double)session->settings->conf->session.linger_usec / USEC_PER_SEC
			: 0;

	ev_timer_stop(session->loop, &session->linger);
	ev_timer_set(&session->linger, seconds, 0);
	ev_timer_start(session->loop, &session->linger);
}

static void on_connection_over(void *arg, uint64_t login_id)
{
	struct session *session = arg;

	send_to_master(session, &(struct frame){ .kind = FRAME_CLOSED, .login_id = { login_id } });
	if (schedule_count(session->schedule) > 0)
		return;
	if (session->state == STOPPING)
		finish(session, 0);
	else
		start_linger(session);
}

static void on_linger(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct session *session = timer->data;

	(void)loop;
	(void)events;
	if (session->state != SERVING || schedule_count(session->schedule) > 0)
		return;
	/* Now, and not at the end, for which the user's next login waits. */
	if (session->host.store)
		store_settle(session->host.store);
	set_state(session, RETIRING);
	send_to_master(session, &(struct frame){ .kind = FRAME_RETIRE });
}

static void on_goodbye_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	finish(timer->data, 0);
}

/* The first ADOPT. Returns 0, or the exit status. */
static int settle(struct session *session, const struct frame_adopt *adopt)
{
	session->account = account_new(adopt);
	return account_enter(
		session->account, session->settings, &session->log, &session->may_serve);
}

static void open_store(struct session *session)
{
	session->host.store =
		account_open_store(session->account, session->settings, &session->log);
	schedule_set_store(session->schedule, session->host.store);
}

static void on_adopt(struct session *session, struct line_frame *f)
{
	const struct frame_adopt *adopt = &f->frame.adopt;

	if (session->state == STOPPING) {
		/* The channel closes with the frame; the front tells the client to come back later. */
		send_to_master(session,
			&(struct frame){ .kind = FRAME_CLOSED, .login_id = { adopt->login_id } });
		return;
	}
	if (!session->account) {
		int r = settle(session, adopt);

		if (r != 0) {
			finish(session, r);
			return;
		}
	} else if (!account_matches(session->account, adopt)) {
		log_line(&session->log, LOG_PRIORITY_ERROR,
			"the session of user=%s was given a connection of another account",
			session->account->user);
		finish(session, EXIT_FAULT);
		return;
	}
	set_state(session, SERVING);
	ev_timer_stop(session->loop, &session->linger);
	if (session->may_serve && !session->host.store)
		open_store(session);
	schedule_add(session->schedule, client_new(&session->host, adopt, line_frame_take_fd(f, 0),
						clock_monotonic_usec()));
}

static void on_retire_ok(struct session *session, struct line_frame *f)
{
	(void)f;
	if (session->state == RETIRING)
		finish(session, 0);
}

static void on_stop(struct session *session, struct line_frame *f)
{
	(void)f;
	stop(session);
}

static void on_kick(struct session *session, struct line_frame *f)
{
	/* One that is gone already is no error: CLOSED is under way. */
	schedule_bye(session->schedule, f->frame.login_id.login_id, CLOSE_KICKED);
}

static void tell_who(void *arg, const struct client *client)
{
	struct session *session = arg;
	struct client_facts facts = client_facts(client, clock_monotonic_usec());
	_cleanup_buf_ struct buf doing = BUF(16 * 1024);

	if (session->line.queued_bytes > WHO_QUEUE_BYTES)
		return;
	client_describe(client, &doing);

	send_to_master(
		session, &(struct frame){
				 .kind = FRAME_WHO_ENTRY,
				 .who_entry = { facts.login_id, facts.idle_usec, facts.commands,
					 slice_head(buf_slice(&doing), FRAME_TEXT_BYTES) },
			 });
}

static void on_who(struct session *session, struct line_frame *f)
{
	schedule_each(session->schedule, tell_who, session);
	send_to_master(
		session, &(struct frame){ .kind = FRAME_WHO_END, .serial = f->frame.serial });
}

static void (*const on_frame[FRAME_KIND_COUNT])(struct session *, struct line_frame *) = {
	[FRAME_ADOPT] = on_adopt,
	[FRAME_RETIRE_OK] = on_retire_ok,
	[FRAME_STOP] = on_stop,
	[FRAME_KICK] = on_kick,
	[FRAME_WHO] = on_who,
};

/* One frame: whatever is left makes the line readable again, and the connections have their turn. */
static void take_frame(struct session *session)
{
	struct line_frame f;
	int r = line_receive(&session->line, &f);

	if (r == -EAGAIN)
		return;
	if (r < 0) {
		ev_io_stop(session->loop, &session->line_io);
		session->line_failed = true;
		return;
	}
	if (on_frame[f.frame.kind])
		on_frame[f.frame.kind](session, &f);
	line_frame_done(&f);
}

static void on_line(struct ev_loop *loop, ev_io *io, int events)
{
	struct session *session = io->data;

	(void)loop;
	if (events & EV_WRITE && line_flush(&session->line) < 0)
		session->line_failed = true;
	if (events & EV_READ)
		take_frame(session);
}

/* Before the loop waits: watch for room if the line has a queue; without a master there is no more to do. */
static void on_line_flush(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct session *session = prepare->data;
	int want = EV_READ | (line_wants_write(&session->line) ? EV_WRITE : 0);

	(void)events;
	if (session->line_failed)
		stop(session);
	if (!ev_is_active(&session->line_io) ||
		(session->line_io.events & (EV_READ | EV_WRITE)) == want)
		return;
	ev_io_stop(loop, &session->line_io);
	ev_io_set(&session->line_io, session->line.fd, want);
	ev_io_start(loop, &session->line_io);
}

static void start_watchers(struct session *session)
{
	struct ev_loop *loop = session->loop;

	ev_io_init(&session->line_io, on_line, session->line.fd, EV_READ);
	ev_timer_init(&session->linger, on_linger, 0, 0);
	ev_timer_init(&session->goodbye, on_goodbye_over, goodbye_seconds, 0);
	session->line_io.data = session->linger.data = session->goodbye.data =
		session->line_flush.data = session;
	ev_io_start(loop, &session->line_io);
	session->schedule = schedule_new(&(struct schedule_settings){
		.loop = loop,
		.log = &session->log,
		.status = session->settings->status,
		.on_over = on_connection_over,
		.arg = session,
	});
	/* Behind the schedule's own: what its round sends is seen. */
	ev_prepare_init(&session->line_flush, on_line_flush);
	session->line_flush.data = session;
	ev_set_priority(&session->line_flush, EV_MINPRI);
	ev_prepare_start(loop, &session->line_flush);
}

static void release(struct session *session)
{
	schedule_free(session->schedule);
	if (session->host.store)
		store_close(session->host.store);
	account_free(session->account);
	ev_io_stop(session->loop, &session->line_io);
	ev_prepare_stop(session->loop, &session->line_flush);
	ev_timer_stop(session->loop, &session->linger);
	ev_timer_stop(session->loop, &session->goodbye);
	line_close(&session->line);
	ev_loop_destroy(session->loop);
}

int session_run(int line_fd, const struct session_settings *settings)
{
	struct session session = {
		.settings = settings,
		.line = line_open(line_fd, ROLE_MASTER),
		.loop = ev_loop_new(EVFLAG_NOENV | EVBACKEND_EPOLL),
		.host = { .version = RESTANTE_VERSION, .admin = settings->conf->imap.admin },
	};

	if (!session.loop) {
		line_close(&session.line);
		return EXIT_FAULT;
	}
	session.log = pool_line_log(&session.line);
	session.host.log = &session.log;
	start_watchers(&session);
	send_to_master(&session, &(struct frame){ .kind = FRAME_READY });
	ev_run(session.loop, 0);
	release(&session);
	return session.exit_status;
}
