/*
 * The protocol of sd_notify(3) (documented there as stable), spoken directly: sd_notify() blocks when systemd does not
 * read. What is lost for want of room: a sign of life or a status text is sent again soon anyway; states wait in order.
 */
#include "server/master/notify.h"

#include "base/clock.h"
#include "server/master/master.h"

#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

enum { PERIOD_SEC = 10 };

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || n < 2 || n >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
		return -1;
	memcpy(address.sun_path, path, n);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* the abstract namespace */
	if (connect(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return -1;
	return take_fd(&fd);
}

void notify_init(struct notify *notify)
{
	*notify = (struct notify){ .fd = connect_to(getenv("NOTIFY_SOCKET")) };
	if (sd_watchdog_enabled(1, &notify->watchdog_usec) <= 0)
		notify->watchdog_usec = 0;
	unsetenv("NOTIFY_SOCKET");
}

void notify_done(struct notify *notify)
{
	cleanup_close(&notify->fd);
	notify->fd = -1;
}

/* Returns whether it was sent, or need not be. */
static bool send_text(const struct notify *notify, const char *text)
{
	return notify->fd < 0 || send(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void flush(struct notify *notify)
{
	while (notify->n_queued > 0 && send_text(notify, notify->queue[0]))
		memmove(notify->queue[0], notify->queue[1], --notify->n_queued * sizeof notify->queue[0]);
}

/* A state: it must arrive, and in order. Of too many the oldest is of least use. */
static void send_state(struct notify *notify, const char *format, ...) _printf_(2, 3);

static void send_state(struct notify *notify, const char *format, ...)
{
	char text[NOTIFY_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	flush(notify);
	if (notify->n_queued == 0 && send_text(notify, text))
		return;
	if (notify->n_queued == NOTIFY_QUEUE)
		memmove(notify->queue[0], notify->queue[1], --notify->n_queued * sizeof notify->queue[0]);
	memcpy(notify->queue[notify->n_queued++], text, sizeof text);
}

void notify_ready(struct master *m)
{
	if (m->stop.state == STOP_NOT && m->configuration)
		send_state(&m->notify, "READY=1");
}

void notify_reloading(struct notify *notify)
{
	send_state(notify, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_monotonic_usec());
}

void notify_stopping(struct notify *notify)
{
	send_state(notify, "STOPPING=1\nSTATUS=Stopping");
}

static void send_status(struct master *m)
{
	char text[NOTIFY_TEXT_BYTES];
	const struct reload *r = &m->reload;

	snprintf(text, sizeof text, "STATUS=Generation %llu accepts; %zu connections logged in%s",
		(unsigned long long)m->accepting->number, m->n_adopted,
		r->rounds > 0 && !r->last_ok ? "; the last reload FAILED, see the log or `restantectl status'" : "");
	if (strcmp(text, m->notify.status) != 0 && send_text(&m->notify, text))
		memcpy(m->notify.status, text, sizeof text);
}

void notify_tick(struct master *m)
{
	flush(&m->notify);
	if (m->notify.n_queued == 0 && m->stop.state == STOP_NOT && m->accepting)
		send_status(m);
}

uint64_t notify_period_usec(const struct notify *notify)
{
	uint64_t period_usec = PERIOD_SEC * USEC_PER_SEC;

	return notify->watchdog_usec > 0 && notify->watchdog_usec / 3 < period_usec ? notify->watchdog_usec / 3 : period_usec;
}

void notify_alive(struct notify *notify)
{
	if (notify->watchdog_usec > 0)
		(void)!send_text(notify, "WATCHDOG=1");
}
