#include "server/master/control.h"

#include "base/clock.h"
#include "base/must.h"
#include "server/master/master.h"
#include "server/master/reply.h"
#include "server/master/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int make_parent(const char *path)
{
	char parent[108];
	char *slash;

	snprintf(parent, sizeof parent, "%s", path);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	return mkdir(parent, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Whether somebody answers there. A socket that nobody listens on is left from a crash. */
static bool is_answered(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN);
}

/* The mode must be right from the first moment: nobody may connect in between. */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

	umask(before);
	return r;
}

int control_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);

	int r = make_parent(path);

	if (r < 0)
		return r;
	if (is_answered(&address))
		return -EADDRINUSE;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	r = bind_private(fd, &address);
	if (r < 0)
		return r == -EADDRINUSE ? -EEXIST : r; /* some other file is in the way */
	if (listen(fd, CONTROL_CLIENTS) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static void client_close(struct control_client *c)
{
	if (c->state == CONTROL_FREE)
		return;
	ev_io_stop(c->master->loop, &c->watcher);
	close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	c->state = CONTROL_FREE;
}

/* A request is there: split it, find its verb, run it. */
static void run_request(struct control_client *c, struct slice line)
{
	struct slice name, arguments[CONTROL_ARGUMENTS];
	size_t n = 0;

	if (!control_take_field(&line, &name))
		name = (struct slice){ 0 };
	while (n < CONTROL_ARGUMENTS && control_take_field(&line, &arguments[n]))
		n++;

	const struct verb *verb = verb_find(name);

	c->deadline_usec = clock_monotonic_usec() + CONTROL_REPLY_SEC * USEC_PER_SEC;
	if (!verb) {
		reply_text(c, 'E', "there is no verb \"%.*s\"", SLICE_FMT(name));
		reply_end(c);
	} else if (n < verb->min_arguments || n > verb->max_arguments || line.p) {
		reply_text(c, 'E', "%s: wrong number of arguments", verb->name);
		reply_end(c);
	} else {
		verb->run(c->master, c, arguments, n);
	}
}

static void read_client(struct control_client *c)
{
	char *at = buf_reserve(&c->in, buf_room(&c->in));
	ssize_t n = at ? recv(c->fd, at, buf_room(&c->in), MSG_DONTWAIT) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c); /* gone, or a line that is too long */
		return;
	}
	buf_grown(&c->in, (size_t)n);

	ssize_t end = slice_find(buf_slice(&c->in), '\n');

	if (end < 0)
		return;
	ev_io_stop(c->master->loop, &c->watcher);
	c->state = CONTROL_WAITING;
	run_request(c, slice_head(buf_slice(&c->in), (size_t)end));
}

static void write_client(struct control_client *c)
{
	ssize_t n = send(c->fd, c->out.p, c->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	if (n < 0 || c->out.n == 0)
		client_close(c);
}

static void on_client(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct control_client *c = watcher->data;

	(void)loop, (void)events;
	master_touch(c->master);
	if (c->state == CONTROL_READING)
		read_client(c);
	else if (c->state == CONTROL_WRITING)
		write_client(c);
}

static bool may_ask(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof peer;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static struct control_client *free_client(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].state == CONTROL_FREE)
			return &control->clients[i];
	return NULL;
}

static void on_connection(struct ev_loop *loop, struct ev_io *watcher, int events)
{
	struct master *m = watcher->data;
	int fd = accept4(m->control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_client *c = free_client(&m->control);

	(void)loop, (void)events;
	if (fd < 0)
		return;
	if (!c || !may_ask(fd)) {
		close(fd);
		return;
	}
	*c = (struct control_client){
		.state = CONTROL_READING,
		.deadline_usec = clock_monotonic_usec() + CONTROL_REQUEST_SEC * USEC_PER_SEC,
		.fd = fd,
		.master = m,
		.in = BUF(CONTROL_REQUEST_BYTES),
		.out = BUF(CONTROL_REPLY_BYTES),
	};
	ev_io_init(&c->watcher, on_client, fd, EV_READ);
	c->watcher.data = c;
	ev_io_start(m->loop, &c->watcher);
}

static void stop_listening(struct master *m)
{
	struct control *control = &m->control;

	if (control->fd < 0)
		return;
	ev_io_stop(m->loop, &control->watcher);
	close(take_fd(&control->fd));
	unlink(control->path);
}

void control_start(struct master *m, int fd, const char *path)
{
	struct control *control = &m->control;

	stop_listening(m);
	control->fd = fd;
	snprintf(control->path, sizeof control->path, "%s", path);
	ev_io_init(&control->watcher, on_connection, fd, EV_READ);
	control->watcher.data = m;
	ev_io_start(m->loop, &control->watcher);
}

void control_who_answered(struct master *m, uint64_t serial)
{
	if (serial == m->control.who_serial && m->control.who_open > 0)
		m->control.who_open--;
	master_touch(m);
}

static void settle_client(struct master *m, struct control_client *c, uint64_t now_usec)
{
	if (c->state == CONTROL_FREE)
		return;
	if (c->state == CONTROL_WAITING && c->wait == CONTROL_WAIT_WHO &&
		(m->control.who_open == 0 || now_usec >= m->control.who_deadline_usec))
		verb_who_complete(m, c);
	else if (c->state == CONTROL_WAITING && c->wait == CONTROL_WAIT_RELOAD && m->reload.rounds >= c->wait_for)
		verb_reload_complete(m, c);
	else if (now_usec >= c->deadline_usec)
		client_close(c);
}

void control_settle(struct master *m, uint64_t now_usec)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		settle_client(m, &m->control.clients[i], now_usec);
}

void control_done(struct master *m)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		client_close(&m->control.clients[i]);
	stop_listening(m);
}
