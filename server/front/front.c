#include "server/front/front.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/front/connection.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- to the master ---- */

static void end_if_idle(struct front *front)
{
	if (front->phase != FRONT_SERVING && front->n_connections == 0)
		ev_break(front->loop, EVBREAK_ALL);
}

static void watch_line(struct front *front)
{
	int events = EV_READ | (line_wants_write(&front->line) ? EV_WRITE : 0);

	if (front->line.fd < 0 || (front->line_watch.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(front->loop, &front->line_watch);
	ev_io_modify(&front->line_watch, events);
	ev_io_start(front->loop, &front->line_watch);
}

void front_send(struct front *front, const struct frame *frame, const int *fds)
{
	/* What broke shows as end-of-file in on_line(). */
	if (line_send(&front->line, frame, fds) < 0)
		return;
	watch_line(front);
}

void front_log_client(struct front *front, enum log_priority priority, const struct address *address, const char *format, ...)
{
	char text[LOG_LINE_MAX_BYTES];
	unsigned suppressed;
	va_list args;

	if (!log_limit_allow(&front->log_limit, address, clock_monotonic_usec(), &suppressed))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (suppressed > 0)
		log_line(&front->log, priority, "%s (and %u more lines about this address)", text, suppressed);
	else
		log_line(&front->log, priority, "%s", text);
}

/* ---- from the master ---- */

static void on_stop_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void drain(struct front *front)
{
	if (front->phase != FRONT_SERVING)
		return;
	front->phase = FRONT_DRAINING;
	listeners_close(front);
	end_if_idle(front);
}

static void stop(struct front *front)
{
	struct connection *next;

	if (front->phase == FRONT_STOPPING)
		return;
	drain(front);
	front->phase = FRONT_STOPPING;
	ev_timer_start(front->loop, &front->stop_timer);
	for (struct connection *c = front->connections; c; c = next) {
		next = c->next;
		connection_stop(c);
	}
	end_if_idle(front);
}

static void on_frame(struct front *front, const struct frame *frame)
{
	switch (frame->kind) {
	case FRAME_TICKET_KEYS:
		tls_contexts_set_ticket_keys(front->tls, (const uint8_t *)frame->ticket_keys.keys.p,
			frame->ticket_keys.keys.n / TICKET_KEY_BYTES);
		break;
	case FRAME_STOP_ACCEPT:
		drain(front);
		break;
	case FRAME_STOP:
		stop(front);
		break;
	default: /* nothing else concerns a front */
		break;
	}
}

/* Returns false when the line is over. */
static bool receive(struct front *front)
{
	for (;;) {
		struct line_frame f;
		int r = line_receive(&front->line, &f);

		if (r == -EAGAIN)
			return true;
		if (r < 0)
			return false;
		on_frame(front, &f.frame);
		line_frame_done(&f);
	}
}

static void on_line(struct ev_loop *loop, ev_io *io, int events)
{
	struct front *front = io->data;

	(void)events;
	if (line_flush(&front->line) == 0 && receive(front)) {
		watch_line(front);
		return;
	}
	ev_io_stop(loop, io);
	line_close(&front->line);
	stop(front);
}

/* ---- its life ---- */

void front_connection_ended(struct front *front)
{
	/* One client a process: what a client may have made of its front ends with it. */
	if (front->conf->front.connections_per_process == 1)
		drain(front);
	listeners_update(front);
	end_if_idle(front);
}

static struct front *make_front(const struct front_state *state, const struct pool_child *child)
{
	struct front *front = calloc(1, sizeof *front);

	must(front != NULL);
	front->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	must(front->loop != NULL);
	front->conf = child->conf;
	front->tls = state->tls;
	front->status = child->status;
	front->line = line_open(child->line_fd, ROLE_MASTER);
	front->log = pool_line_log(&front->line);
	ev_io_init(&front->line_watch, on_line, child->line_fd, EV_READ);
	front->line_watch.data = front;
	ev_timer_init(&front->stop_timer, on_stop_timer, (double)FRONT_STOP_USEC / USEC_PER_SEC, 0.);
	tls_contexts_set_ticket_keys(front->tls, child->ticket_keys, child->n_ticket_keys);
	if (child->n_ticket_keys > 0)
		explicit_bzero(child->ticket_keys, child->n_ticket_keys * TICKET_KEY_BYTES);
	return front;
}

int front_run(void *front_state, const struct pool_child *child)
{
	const struct front_state *state = front_state;

	signal(SIGPIPE, SIG_IGN);
	/* The master alone says when to stop or reload: a Ctrl-C reaches the whole group. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);

	struct front *front = make_front(state, child);

	listeners_start(front, child); /* looks at the system's files; nothing is accepted before the loop runs */

	int r = sandbox_enter(&state->sandbox, &front->log);

	if (r < 0) {
		log_line(&front->log, LOG_PRIORITY_ERROR, "cannot enter the sandbox: %s", strerror(-r));
		return 71;
	}
	ev_io_start(front->loop, &front->line_watch);
	front_send(front, &(struct frame){ .kind = FRAME_READY }, NULL);
	ev_run(front->loop, 0);
	return 0;
}
