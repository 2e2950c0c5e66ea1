#include "server/front/listeners.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/front/connection.h"
#include "server/front/front.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
	ACCEPTS_A_TURN = 16,
	REFUSING_MAX = 16,         /* handshakes in this process only to say that there are too many connections */
	FDS_A_CONNECTION = 2,      /* its socket, and the channel */
	FDS_SPARE = 64,
	SHARE_SLACK = 8,
};

static const double rest_share_seconds = 0.02, rest_descriptors_seconds = 0.1;

static void rest(struct front *front, double seconds)
{
	struct listeners *l = &front->listeners;

	if (l->resting)
		return;
	l->resting = true;
	ev_timer_set(&l->rest_timer, seconds, 0.);
	ev_timer_start(front->loop, &l->rest_timer);
	listeners_update(front);
}

static void on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct front *front = timer->data;

	(void)loop;
	(void)events;
	front->listeners.resting = false;
	listeners_update(front);
}

/* ---- limits ---- */

static unsigned count_fronts(const struct front *front)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (front->conf->front.processes > 0)
		return front->conf->front.processes;
	return cores > 0 ? (unsigned)cores : 1;
}

/* More than its fair part of what all fronts have: the others are faster to come back to the loop. */
static bool is_over_share(const struct front *front)
{
	uint64_t share = status_connections(&front->status) / front->listeners.n_fronts;

	return front->listeners.n_fronts > 1 && front->n_connections > share + share / 4 + SHARE_SLACK;
}

/* Why this client is refused; PRELOGIN_BYE_COUNT if it is not. The client itself is not counted yet. */
static enum prelogin_bye find_refusal(const struct front *front, const struct address *address)
{
	if (status_connections(&front->status) >= front->conf->front.max_connections)
		return PRELOGIN_BYE_TOTAL_LIMIT;
	if (address->family != 0 &&
		status_client_connections(&front->status, address) >= front->conf->front.max_connections_per_address)
		return PRELOGIN_BYE_ADDRESS_LIMIT;
	return PRELOGIN_BYE_COUNT;
}

/* A refusal under TLS costs a handshake: it is said only while there is room for that, and to a few at a time. */
static bool may_explain(const struct front *front, enum service service, enum prelogin_bye refusal)
{
	if (front->n_refusing >= REFUSING_MAX)
		return false;
	return !service_is_implicit_tls(service) || refusal == PRELOGIN_BYE_ADDRESS_LIMIT;
}

static const char *const refusal_reasons[PRELOGIN_BYE_COUNT] = {
	[PRELOGIN_BYE_ADDRESS_LIMIT] = "too many connections of this address",
	[PRELOGIN_BYE_TOTAL_LIMIT] = "too many connections",
};

static void log_refusal(struct front *front, enum service service, const struct address *address, enum prelogin_bye refusal)
{
	char text[ADDRESS_TEXT_BYTES];

	address_format(address, text);
	status_add(&front->status, STATUS_REFUSED_LIMIT, 1);
	front_log_client(front, LOG_PRIORITY_WARNING, address, "connection refused: addr=%s service=%s: %s", text,
		service_name(service), refusal_reasons[refusal]);
}

/* ---- accepting ---- */

static void set_options(int fd)
{
	int on = 1;

	/* A UNIX socket, in tests, knows neither. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void admit(struct front *front, int fd, enum service service, const struct address *address)
{
	_cleanup_close_ int socket_fd = fd;
	enum prelogin_bye refusal = find_refusal(front, address);

	status_add(&front->status, STATUS_ACCEPTED, 1);
	if (refusal != PRELOGIN_BYE_COUNT) {
		log_refusal(front, service, address, refusal);
		if (!may_explain(front, service, refusal))
			return;
	}
	set_options(fd);
	connection_new(front, take_fd(&socket_fd), service, address, refusal);
}

/* Out of descriptors: take one client off the queue by the reserve, so that it need not wait for nothing; then rest. */
static void drop_one(struct front *front, int listener_fd)
{
	struct listeners *l = &front->listeners;

	cleanup_close(&l->reserve_fd);

	int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC);

	cleanup_close(&fd);
	l->reserve_fd = fcntl(front->line.fd, F_DUPFD_CLOEXEC, 0);
	log_line(&front->log, LOG_PRIORITY_ERROR, "out of file descriptors with %u connections; raise the limit (LimitNOFILE)",
		front->n_connections);
	rest(front, rest_descriptors_seconds);
}

/* Returns false when there is no more to accept now. */
static bool accept_one(struct listener *listener)
{
	struct sockaddr_storage from = { 0 };
	socklen_t n = sizeof from;
	int fd = accept4(listener->watch.fd, (struct sockaddr *)&from, &n, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		struct address address = address_from_sockaddr(&from);

		admit(listener->front, fd, listener->service, &address);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		drop_one(listener->front, listener->watch.fd);
	return errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
}

static void on_listener(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *listener = io->data;
	struct front *front = listener->front;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN && front->listeners.listening; i++)
		if (!accept_one(listener))
			return;
		else if (is_over_share(front))
			rest(front, rest_share_seconds);
		else
			listeners_update(front);
}

/* ---- listening or not ---- */

void listeners_update(struct front *front)
{
	struct listeners *l = &front->listeners;
	bool listen = !l->resting && front->phase == FRONT_SERVING && front->n_connections < l->max_connections;

	if (listen == l->listening)
		return;
	l->listening = listen;
	for (size_t i = 0; i < l->n; i++)
		if (listen)
			ev_io_start(front->loop, &l->items[i].watch);
		else
			ev_io_stop(front->loop, &l->items[i].watch);
}

static unsigned find_max_connections(const struct front *front)
{
	struct rlimit files;
	unsigned by_conf = front->conf->front.connections_per_process;
	unsigned by_files = 1000;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max > FDS_SPARE + FDS_A_CONNECTION)
		by_files = files.rlim_max > 2000000 ? 1000000 : (unsigned)(files.rlim_max - FDS_SPARE) / FDS_A_CONNECTION;
	return by_conf > 0 && by_conf < by_files ? by_conf : by_files;
}

void listeners_start(struct front *front, const struct pool_child *child)
{
	struct listeners *l = &front->listeners;

	must(child->n_listeners <= FRAME_MAX_FDS);
	*l = (struct listeners){
		.n = child->n_listeners,
		.max_connections = find_max_connections(front),
		.n_fronts = count_fronts(front),
		.reserve_fd = fcntl(front->line.fd, F_DUPFD_CLOEXEC, 0),
	};
	ev_timer_init(&l->rest_timer, on_rested, 0., 0.);
	l->rest_timer.data = front;
	for (size_t i = 0; i < l->n; i++) {
		struct listener *listener = &l->items[i];

		*listener = (struct listener){ .front = front, .service = child->listener_services[i] };
		ev_io_init(&listener->watch, on_listener, child->listener_fds[i], EV_READ);
		listener->watch.data = listener;
	}
	listeners_update(front);
}

void listeners_close(struct front *front)
{
	struct listeners *l = &front->listeners;

	ev_timer_stop(front->loop, &l->rest_timer);
	for (size_t i = 0; i < l->n; i++) {
		ev_io_stop(front->loop, &l->items[i].watch);
		close(l->items[i].watch.fd);
	}
	l->n = 0;
	l->listening = false;
	/* The sockets live on in other processes, so closing them here does not take them out of epoll: make a new one. */
	ev_loop_fork(front->loop);
}
